#include "platform/seccomp_chain.h"

#include <array>

namespace knarr::sys {

namespace {

/// The nodes of one condition: the first, and the ends that lead on when the condition holds.
struct Group {
    NodeId first = kNoNode;
    std::array<NodeId, 2> ends{kNoNode, kNoNode};
    bool true_side = true;
};

bool is_true_side(SeccompOp op) {
    return op == SeccompOp::eq || op == SeccompOp::masked_eq || op == SeccompOp::gt ||
           op == SeccompOp::ge;
}

// The comparison of the decisive word; NE, LT and LE are the false sides of EQ, GE and GT.
SeccompNode::Compare compare_of(SeccompOp op) {
    switch (op) {
        case SeccompOp::gt:
        case SeccompOp::le:
            return SeccompNode::Compare::gt;
        case SeccompOp::ge:
        case SeccompOp::lt:
            return SeccompNode::Compare::ge;
        case SeccompOp::masked_eq:
            return SeccompNode::Compare::masked_eq;
        case SeccompOp::eq:
        case SeccompOp::ne:
            break;
    }
    return SeccompNode::Compare::eq;
}

Group make_word(SeccompNodes& nodes, const SeccompNode& low) {
    const NodeId id = nodes.make(low);
    return {.first = id, .ends = {id, kNoNode}, .true_side = is_true_side(low.origin)};
}

// A 64-bit comparison: the upper words first, the lower ones where those are equal.
Group make_words(SeccompNodes& nodes,
                 const SeccompNode& low,
                 std::uint64_t mask,
                 std::uint64_t datum) {
    SeccompNode high = low;
    high.high = true;
    high.mask = static_cast<std::uint32_t>(mask >> 32);
    high.datum = static_cast<std::uint32_t>(datum >> 32);
    const bool true_side = is_true_side(low.origin);
    if (op_rank(low.origin) == 3) {
        const NodeId upper = nodes.make(high), lower = nodes.make(low);
        nodes.at(upper).on_true.level = nodes.hold(lower);
        return {
            .first = upper, .ends = {lower, true_side ? kNoNode : upper}, .true_side = true_side};
    }
    high.compare = SeccompNode::Compare::gt;
    const NodeId above = nodes.make(high);
    high.compare = SeccompNode::Compare::eq;
    const NodeId equal = nodes.make(high), lower = nodes.make(low);
    nodes.at(above).on_false.level = nodes.hold(equal);
    nodes.at(equal).on_true.level = nodes.hold(lower);
    return {.first = above, .ends = {lower, true_side ? above : equal}, .true_side = true_side};
}

}  // namespace

NodeId make_chain(SeccompNodes& nodes,
                  SeccompWords words,
                  std::span<const SeccompCondition> conditions,
                  std::uint32_t action) {
    std::array<const SeccompCondition*, 6> by_argument{};
    for (const SeccompCondition& condition : conditions) {
        by_argument[condition.index] = &condition;
    }
    NodeId first = kNoNode;
    Group last;
    for (const SeccompCondition* condition : by_argument) {
        if (condition == nullptr) {
            continue;
        }
        const bool masked = condition->op == SeccompOp::masked_eq;
        const std::uint64_t mask = masked ? condition->value : ~std::uint64_t{0};
        const std::uint64_t datum = masked ? condition->value_two : condition->value;
        if ((words == SeccompWords::two ? mask : mask & 0xffffffffU) == 0) {
            continue;  // always true, whatever it is to equal: libseccomp drops it
        }
        const SeccompNode low{.argument = condition->index,
                              .compare = compare_of(condition->op),
                              .origin = condition->op,
                              .mask = static_cast<std::uint32_t>(mask),
                              .datum = static_cast<std::uint32_t>(datum),
                              .datum_full = datum,
                              .on_true = {},
                              .on_false = {}};
        const Group group = words == SeccompWords::two ? make_words(nodes, low, mask, datum)
                                                       : make_word(nodes, low);
        for (const NodeId end : last.ends) {
            if (end != kNoNode) {
                side(nodes.at(end), last.true_side).level = nodes.hold(group.first);
            }
        }
        if (first == kNoNode) {
            first = nodes.hold(group.first);
        }
        last = group;
    }
    for (const NodeId end : last.ends) {
        if (end != kNoNode) {
            SeccompBranch& branch = side(nodes.at(end), last.true_side);
            branch.decides = true;
            branch.action = action;
        }
    }
    return first;
}

}  // namespace knarr::sys
