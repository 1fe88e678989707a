#pragma once
// The argument conditions of one architecture's system calls, merged into decision trees.
//
// Which verdict wins when several rules for one call overlap follows from how libseccomp merges
// them: nodes compare one 32-bit half of one argument, nodes of a level are tried one after the
// other (highest argument first), and a node leads to an action or to a further level. A call that
// no node decides gets the default action. The merge rules below were taken from libseccomp's
// behaviour, including those that are no design (each says so); the oracle tests hold them equal.

#include <cstdint>
#include <span>

#include "platform/seccomp_chain.h"
#include "platform/seccomp_node.h"

namespace knarr::sys {

/// The rules of one call so far.
struct SeccompCall {
    bool used = false;
    NodeId chains = kNoNode;   // the first level; none: the action holds for all arguments
    std::uint32_t action = 0;  // when there are no chains
};

class SeccompTrees {
public:
    /// Adds a rule to a call. False when it contradicts an earlier one in a way that libseccomp
    /// refuses (EEXIST), or is entangled with them beyond what libseccomp's algorithm survives; the
    /// trees are unusable then. No two conditions name the same argument.
    bool add(SeccompCall& call,
             SeccompWords words,
             std::span<const SeccompCondition> conditions,
             std::uint32_t action);

    /// False: that add() was given up because the merging took too many steps.
    bool had_steps() const { return nodes_.has_steps(); }

    const SeccompNode& node(NodeId id) const { return nodes_.at(id); }
    /// The node of a level that is tried first.
    NodeId first_of(NodeId any) const { return nodes_.first_of(any); }

private:
    struct Match;
    enum class Step : std::uint8_t { both, existing, added };  // the trees that a step goes down
    SeccompNode& at(NodeId id) { return nodes_.at(id); }
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

    SeccompNodes nodes_;
};

}  // namespace knarr::sys
