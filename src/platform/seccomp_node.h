#pragma once
// The nodes of seccomp's decision trees (seccomp_tree.h): comparisons that stand in levels, each
// with the number of places that lead to it. Which of two stands first, what goes with a node that
// nothing leads to any more, and whether a tree can be walked at all.

#include <cstdint>
#include <vector>

#include "platform/seccomp.h"

namespace knarr::sys {

/// The index of a node in SeccompNodes, or kNoNode.
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

inline SeccompBranch& side(SeccompNode& node, bool true_side) {
    return true_side ? node.on_true : node.on_false;
}
inline const SeccompBranch& side(const SeccompNode& node, bool true_side) {
    return true_side ? node.on_true : node.on_false;
}

/// The kinds of comparisons in the order of a level: EQ and NE, LE and LT, GE and GT.
unsigned op_rank(SeccompOp op);
/// Whether `a` stands behind `b` in a level.
bool is_below(const SeccompNode& a, const SeccompNode& b);
bool same_test(const SeccompNode& a, const SeccompNode& b);

class SeccompNodes {
public:
    SeccompNode& at(NodeId id) { return nodes_[static_cast<std::size_t>(id)]; }
    const SeccompNode& at(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
    /// The node of a level that is tried first.
    NodeId first_of(NodeId any) const;
    /// One that nothing leads to yet.
    NodeId make(const SeccompNode& node);

    /// One more place leads to it.
    NodeId hold(NodeId id);
    /// Drops one reference. A node without any leaves its level, and `id` becomes a neighbour. This
    /// and the next two: how many nodes are gone.
    unsigned drop(NodeId& id);
    /// The same, and the whole level when nothing outside it refers to it any more.
    unsigned drop_tree(NodeId& id);
    /// Takes `target` out of the tree, and the nodes on the way to it that decide nothing any more.
    unsigned remove(NodeId& tree, NodeId target);

    /// Whether nothing in the level and below leads to another action.
    bool acts_only(NodeId tree, std::uint32_t action) const;
    /// Whether each node of the level and below stands in one list, as it should. libseccomp's
    /// merging links a node that two levels share into both of theirs, and then walks freed memory
    /// or round in a circle; such policies are refused.
    bool is_sound(NodeId level) const { return is_sound(level, 0); }

    /// Walks are bounded: from here on so many steps, after which everything is cut short.
    void allow_steps() { steps_ = 0; }
    bool has_steps() const { return steps_ < kMaxSteps; }
    /// Takes one.
    bool exhausted() const { return ++steps_ > kMaxSteps; }

private:
    unsigned drop_level(NodeId id);
    bool is_sound(NodeId level, unsigned depth) const;

    static constexpr unsigned kMaxSteps = 20'000;  // of one rule; real policies take hundreds
    mutable unsigned steps_ = 0;
    std::vector<SeccompNode> nodes_;
};

}  // namespace knarr::sys
