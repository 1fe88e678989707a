#pragma once
// The argument conditions of one architecture's system calls, merged into decision trees.
//
// Which verdict wins when several rules for one call overlap follows from how libseccomp merges
// them: nodes compare one 32-bit half of one argument, nodes of a level are tried one after the
// other (highest argument first), and a node leads to an action or to a further level. A call that
// no node decides gets the default action. The merge rules below were taken from libseccomp's
// behaviour, including those that are no design (each says so); the oracle tests hold them equal.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "platform/seccomp.h"

namespace knarr::sys {

/// The index of a node in SeccompTrees, or kNoNode.
using NodeId = std::int32_t;
inline constexpr NodeId kNoNode = -1;

/// What a node's comparison leads to; a level goes before an action.
struct SeccompBranch {
    NodeId level = kNoNode;  // any node of the next level
    bool decides = false;
    std::uint32_t action = 0;
    bool empty() const { return level == kNoNode && !decides; }
};

/// (argument word & mask) OP datum
struct SeccompNode {
    enum class Compare : std::uint8_t { eq, masked_eq, gt, ge };
    std::uint8_t argument = 0;
    bool high = false;  // the upper 32 bits
    Compare compare = Compare::eq;
    SeccompOp origin = SeccompOp::eq;  // of the rule
    std::uint32_t mask = 0, datum = 0;
    std::uint64_t datum_full = 0;
    SeccompBranch on_true, on_false;
    NodeId previous = kNoNode, next = kNoNode;  // on this level
    std::uint32_t references = 0;

    bool leaf() const { return on_true.level == kNoNode && on_false.level == kNoNode; }
};

/// The rules of one call so far.
struct SeccompCall {
    bool used = false;
    NodeId chains = kNoNode;   // the first level; none: the action holds for all arguments
    std::uint32_t action = 0;  // when there are no chains
};

class SeccompTrees {
public:
    enum class Words : std::uint8_t { one, two };  // of an argument: 32-bit or 64-bit architecture

    /// Adds a rule to a call. False when it contradicts an earlier one in a way that libseccomp
    /// refuses (EEXIST), or is entangled with them beyond what libseccomp's algorithm survives; the
    /// trees are unusable then. No two conditions name the same argument.
    bool add(SeccompCall& call,
             Words words,
             std::span<const SeccompCondition> conditions,
             std::uint32_t action);

    const SeccompNode& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
    /// The node of a level that is tried first.
    NodeId first_of(NodeId any) const;

private:
    struct Match;
    enum class Step : std::uint8_t { both, existing, added };  // the trees that a step goes down
    /// The nodes of one condition: the first, and the ends that lead on when the condition holds.
    struct Group {
        NodeId first = kNoNode;
        std::array<NodeId, 2> ends{kNoNode, kNoNode};
        bool true_side = true;
    };
    SeccompNode& at(NodeId id) { return nodes_[static_cast<std::size_t>(id)]; }
    NodeId make(const SeccompNode& node);
    NodeId make_rule(Words words,
                     std::span<const SeccompCondition> conditions,
                     std::uint32_t action);
    Group make_word(const SeccompNode& low);
    Group make_words(const SeccompNode& low, std::uint64_t mask, std::uint64_t datum);
    NodeId hold(NodeId id);
    unsigned drop(NodeId& id);
    unsigned drop_tree(NodeId& id);
    unsigned drop_level(NodeId id);
    unsigned remove(NodeId& tree, NodeId target);
    bool acts_only(NodeId tree, std::uint32_t action) const;
    unsigned prune(NodeId existing, NodeId added, Match& match);
    bool prune_same(
        NodeId& existing, NodeId added, const Match& match, Match& now, unsigned& removed);
    bool descend(NodeId& existing,
                 NodeId added,
                 bool true_side,
                 Step step,
                 const Match& match,
                 Match& now,
                 unsigned& removed);
    bool insert(NodeId& existing, NodeId added);
    bool merge_action(NodeId existing, NodeId added, bool true_side);
    bool merge_node(NodeId existing, NodeId added);

    bool is_sound(NodeId level, unsigned depth) const;
    bool exhausted() const { return ++steps_ > kMaxSteps; }

    static constexpr unsigned kMaxSteps = 20'000;  // of one add(); real policies take hundreds
    mutable unsigned steps_ = 0;
    std::vector<SeccompNode> nodes_;
};

}  // namespace knarr::sys
