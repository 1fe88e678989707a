#include "platform/seccomp_node.h"

namespace knarr::sys {

namespace {

// Nodes of a level stand in descending order: argument (upper half first), kind of comparison,
// datum (ascending for LT and LE).
unsigned word_rank(const SeccompNode& node) {
    return node.argument * 2U + (node.high ? 1U : 0U);
}

}  // namespace

unsigned op_rank(SeccompOp op) {
    switch (op) {
        case SeccompOp::masked_eq:
        case SeccompOp::eq:
        case SeccompOp::ne:
            return 3;
        case SeccompOp::le:
        case SeccompOp::lt:
            return 2;
        case SeccompOp::ge:
        case SeccompOp::gt:
            break;
    }
    return 1;
}

bool is_below(const SeccompNode& a, const SeccompNode& b) {
    if (word_rank(a) != word_rank(b)) {
        return word_rank(a) < word_rank(b);
    }
    if (op_rank(a.origin) != op_rank(b.origin)) {
        return op_rank(a.origin) < op_rank(b.origin);
    }
    return op_rank(a.origin) == 2 ? a.datum > b.datum : a.datum < b.datum;
}

bool same_test(const SeccompNode& a, const SeccompNode& b) {
    return word_rank(a) == word_rank(b) && a.compare == b.compare && a.datum == b.datum &&
           a.mask == b.mask;
}

NodeId SeccompNodes::first_of(NodeId any) const {
    while (at(any).previous != kNoNode && !exhausted()) {
        any = at(any).previous;
    }
    return any;
}

NodeId SeccompNodes::make(const SeccompNode& node) {
    nodes_.push_back(node);
    nodes_.back().datum &= node.mask;
    return static_cast<NodeId>(nodes_.size() - 1);
}

// Reference counts matter although no memory is freed: "did pruning remove anything" is
// libseccomp's count of nodes freed, and decides whether a rule is added or taken as redundant.
NodeId SeccompNodes::hold(NodeId id) {
    if (id != kNoNode) {
        ++at(id).references;
    }
    return id;
}

unsigned SeccompNodes::drop(NodeId& id) {
    if (id == kNoNode || exhausted() || --at(id).references != 0) {
        return 0;
    }
    const SeccompNode gone = at(id);
    NodeId previous = gone.previous, next = gone.next;
    NodeId true_level = gone.on_true.level, false_level = gone.on_false.level;
    unsigned count = 1;
    if (previous != kNoNode) {
        at(previous).next = kNoNode;
    }
    if (next != kNoNode) {
        at(next).previous = kNoNode;
    }
    count += drop(previous);
    count += drop(next);
    if (previous != kNoNode) {
        at(previous).next = hold(next);
    }
    if (next != kNoNode) {
        at(next).previous = hold(previous);
    }
    id = previous != kNoNode ? previous : next;
    count += drop_tree(true_level);
    count += drop_tree(false_level);
    return count;
}

unsigned SeccompNodes::drop_tree(NodeId& id) {
    unsigned count = drop(id);
    if (id != kNoNode) {
        count += drop_level(id);
    }
    return count;
}

unsigned SeccompNodes::drop_level(NodeId id) {
    const NodeId start = first_of(id);
    for (NodeId i = start; i != kNoNode && !exhausted(); i = at(i).next) {
        const unsigned neighbours =
            (at(i).previous != kNoNode ? 1U : 0U) + (at(i).next != kNoNode ? 1U : 0U);
        if (at(i).references > neighbours) {
            return 0;
        }
    }
    unsigned count = 0;
    for (NodeId i = start; i != kNoNode && !exhausted();) {
        count += drop(i);
    }
    return count;
}

unsigned SeccompNodes::remove(NodeId& tree, NodeId target) {
    if (tree == kNoNode || target == kNoNode) {
        return 0;
    }
    unsigned count = 0;
    NodeId i = first_of(tree);
    while (i != target) {
        count += remove(at(i).on_true.level, target);
        count += remove(at(i).on_false.level, target);
        if (at(i).on_true.empty() && at(i).on_false.empty()) {
            break;
        }
        i = at(i).next;
        if (i == kNoNode || count != 0 || exhausted()) {
            return count;
        }
    }
    SeccompNode& gone = at(i);
    if (i == tree) {
        tree = gone.previous != kNoNode ? gone.previous : gone.next;
    }
    if (gone.previous != kNoNode) {
        at(gone.previous).next = gone.next;
    }
    if (gone.next != kNoNode) {
        at(gone.next).previous = gone.previous;
    }
    gone.previous = gone.next = kNoNode;
    return count + drop(i);
}

bool SeccompNodes::acts_only(NodeId tree, std::uint32_t action) const {
    if (tree == kNoNode) {
        return true;
    }
    for (NodeId i = first_of(tree); i != kNoNode && !exhausted(); i = at(i).next) {
        for (const SeccompBranch* branch : {&at(i).on_true, &at(i).on_false}) {
            if ((branch->decides && branch->action != action) ||
                !acts_only(branch->level, action)) {
                return false;
            }
        }
    }
    return true;
}

// The depth is bounded by the 12 words.
bool SeccompNodes::is_sound(NodeId level, unsigned depth) const {
    constexpr unsigned kMaxDepth = 64;
    if (level == kNoNode) {
        return true;
    }
    NodeId before = kNoNode;
    for (NodeId i = first_of(level); i != kNoNode; before = i, i = at(i).next) {
        if (exhausted() || depth > kMaxDepth || at(i).references == 0 || at(i).previous != before ||
            !is_sound(at(i).on_true.level, depth + 1) ||
            !is_sound(at(i).on_false.level, depth + 1)) {
            return false;
        }
    }
    return true;
}

}  // namespace knarr::sys
