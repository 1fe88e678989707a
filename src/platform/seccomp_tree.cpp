#include "platform/seccomp_tree.h"

#include <array>
#include <utility>

namespace knarr::sys {

namespace {

SeccompBranch& side(SeccompNode& node, bool true_side) {
    return true_side ? node.on_true : node.on_false;
}
const SeccompBranch& side(const SeccompNode& node, bool true_side) {
    return true_side ? node.on_true : node.on_false;
}

// Nodes of a level stand in descending order: argument (upper half first), kind of comparison,
// datum (ascending for LT and LE).
unsigned word_rank(const SeccompNode& node) {
    return node.argument * 2U + (node.high ? 1U : 0U);
}

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

}  // namespace

// How far the walk along two trees agrees.
struct SeccompTrees::Match {
    static constexpr unsigned kMatch = 1, kMatchOnce = 2, kBoth = kMatch | kMatchOnce;
    static constexpr unsigned kExistingEnds = 4, kAddedEnds = 8;
    static constexpr unsigned kExistingLonger = 16, kAddedLonger = 32;
    static constexpr unsigned kRedundant = kMatch | kExistingEnds | kAddedLonger;

    unsigned flags = 0;
    std::uint32_t action = 0;
    SeccompCall* call = nullptr;

    bool has(unsigned set) const { return (flags & set) == set; }
    void hand_to(Match& outer) const {
        if (has(kMatch)) {
            outer.flags |= flags;
        } else {
            outer.flags &= ~kMatch;
        }
    }
};

NodeId SeccompTrees::first_of(NodeId any) const {
    while (node(any).previous != kNoNode && !exhausted()) {
        any = node(any).previous;
    }
    return any;
}

NodeId SeccompTrees::make(const SeccompNode& node) {
    nodes_.push_back(node);
    nodes_.back().datum &= node.mask;
    return static_cast<NodeId>(nodes_.size() - 1);
}

// Reference counts matter although no memory is freed: "did pruning remove anything" is
// libseccomp's count of nodes freed, and decides whether a rule is added or taken as redundant.
NodeId SeccompTrees::hold(NodeId id) {
    if (id != kNoNode) {
        ++at(id).references;
    }
    return id;
}

// Drops one reference. A node without any leaves its level, and `id` becomes a neighbour.
unsigned SeccompTrees::drop(NodeId& id) {
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

// Drops one reference, and the whole level when nothing outside it refers to it any more.
unsigned SeccompTrees::drop_tree(NodeId& id) {
    unsigned count = drop(id);
    if (id != kNoNode) {
        count += drop_level(id);
    }
    return count;
}

unsigned SeccompTrees::drop_level(NodeId id) {
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

// Takes `target` out of the tree, and the nodes on the way to it that decide nothing any more.
unsigned SeccompTrees::remove(NodeId& tree, NodeId target) {
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

// True when nothing in the level and below leads to another action.
bool SeccompTrees::acts_only(NodeId tree, std::uint32_t action) const {
    if (tree == kNoNode) {
        return true;
    }
    for (NodeId i = first_of(tree); i != kNoNode && !exhausted(); i = node(i).next) {
        for (const SeccompBranch* branch : {&node(i).on_true, &node(i).on_false}) {
            if ((branch->decides && branch->action != action) ||
                !acts_only(branch->level, action)) {
                return false;
            }
        }
    }
    return true;
}

// One step down for prune(), in one tree or in both. True when the trees below matched; what they
// say is then in `now`. `existing` becomes kNoNode when the step removed it.
bool SeccompTrees::descend(NodeId& existing,
                           NodeId added,
                           bool true_side,
                           Step step,
                           const Match& match,
                           Match& now,
                           unsigned& removed) {
    const NodeId existing_below = side(at(existing), true_side).level;
    const NodeId added_below = side(at(added), true_side).level;
    if ((step == Step::existing ? existing_below : added_below) == kNoNode) {
        return false;
    }
    Match next = match;
    switch (step) {
        case Step::both:
            next.flags |= Match::kBoth;
            break;
        case Step::existing:
            next.flags = (next.flags & ~Match::kMatch) | Match::kExistingLonger;
            break;
        case Step::added:
            next.flags = (next.flags & ~Match::kMatch) | Match::kAddedLonger;
            break;
    }
    hold(existing);
    removed += prune(step == Step::added ? existing : existing_below,
                     step == Step::existing ? added : added_below,
                     next);
    removed += drop(existing);
    if (!next.has(Match::kMatch)) {
        return false;
    }
    now.flags |= next.flags;
    return true;
}

// prune() at two nodes that test the same. False when the walk of this level is over.
bool SeccompTrees::prune_same(
    NodeId& x, NodeId added, const Match& match, Match& now, unsigned& removed) {
    now.flags |= Match::kBoth;
    now.flags |= at(added).leaf() ? Match::kAddedEnds : 0;
    now.flags |= at(x).leaf() ? Match::kExistingEnds : 0;
    for (const bool true_side : {true, false}) {
        if (!side(at(x), true_side).empty() && side(at(added), true_side).empty()) {
            return false;
        }
    }
    if (now.has(Match::kAddedEnds | Match::kExistingEnds)) {
        for (const bool true_side : {true, false}) {
            const SeccompBranch& old = side(at(x), true_side);
            const SeccompBranch& fresh = side(at(added), true_side);
            if (old.decides != fresh.decides || old.action != fresh.action) {
                return false;
            }
        }
    }
    for (const bool true_side : {true, false}) {
        descend(x, added, true_side, Step::both, match, now, removed);
        if (x == kNoNode) {
            return true;
        }
    }
    if (!now.has(Match::kMatch) || !acts_only(x, now.action)) {
        return true;
    }
    if (now.has(Match::kAddedEnds | Match::kExistingLonger)) {
        removed += remove(match.call->chains, x);  // the new rule says the same with fewer tests
        return match.call->chains != kNoNode;
    }
    return !now.has(Match::kExistingEnds | Match::kAddedLonger);
}

// Removes from the existing tree what the added chain makes superfluous, and finds out whether the
// added chain is superfluous itself (kRedundant in `match`). Returns the number of nodes removed.
unsigned SeccompTrees::prune(NodeId existing, NodeId added, Match& match) {
    unsigned removed = 0;
    Match now = match;
    if (added == kNoNode || existing == kNoNode ||
        (match.flags & Match::kBoth) == Match::kMatchOnce) {
        now.hand_to(match);
        return removed;
    }
    for (NodeId x = first_of(existing); x != kNoNode && !exhausted();) {
        const NodeId next = at(x).next;
        if (same_test(at(x), at(added))) {
            if (!prune_same(x, added, match, now, removed)) {
                now.hand_to(match);
                return removed;
            }
        } else {
            const bool below = is_below(at(x), at(added));
            if (match.has(below ? Match::kAddedLonger : Match::kExistingLonger)) {
                now.hand_to(match);
                return removed;
            }
            const Step step = below ? Step::existing : Step::added;
            for (const bool true_side : {true, false}) {
                if (x != kNoNode && descend(x, added, true_side, step, match, now, removed)) {
                    now.hand_to(match);
                    return removed;
                }
            }
        }
        x = next;
    }
    now.flags &= ~Match::kMatch;  // the level ended without a match
    now.hand_to(match);
    return removed;
}

// Puts the added node into the level that begins at `existing`, or merges it with its equal there.
bool SeccompTrees::insert(NodeId& existing, NodeId added) {
    NodeId x = existing;
    while (!same_test(at(x), at(added)) && !is_below(at(x), at(added))) {
        if (exhausted()) {
            return false;
        }
        if (at(x).next == kNoNode) {
            at(added).previous = hold(x);
            at(x).next = hold(added);
            return true;
        }
        x = at(x).next;
    }
    if (same_test(at(x), at(added))) {
        return merge_node(x, added);
    }
    const NodeId previous = at(x).previous;
    if (previous != kNoNode) {
        at(previous).next = hold(added);
        at(added).previous = previous;
        at(x).previous = hold(added);
        at(added).next = x;
    } else {
        at(x).previous = hold(added);
        at(added).next = hold(x);
    }
    if (existing == x) {
        existing = hold(added);
        drop(x);
    }
    return true;
}

bool SeccompTrees::merge_action(NodeId existing, NodeId added, bool true_side) {
    SeccompNode& x = at(existing);
    const SeccompNode& n = at(added);
    const SeccompBranch& fresh = side(n, true_side);
    SeccompBranch& old = side(x, true_side);
    if (!fresh.decides) {
        return true;
    }
    if (!old.decides) {
        if (!acts_only(old.level, fresh.action)) {
            return false;
        }
        drop(old.level);
        old = {.level = kNoNode, .decides = true, .action = fresh.action};
        return true;
    }
    if (fresh.action == old.action) {
        return true;
    }
    // Two 64-bit comparisons that share their upper half: the further one takes over. libseccomp
    // sets the action of the true side for both sides; so do we.
    if (n.high && (true_side ? n.datum_full > x.datum_full : n.datum_full < x.datum_full)) {
        x.on_true.action = fresh.action;
    }
    return !x.leaf() && !n.leaf();
}

bool SeccompTrees::merge_node(NodeId existing, NodeId added) {
    if (!merge_action(existing, added, true) || !merge_action(existing, added, false)) {
        return false;
    }
    for (const bool true_side : {true, false}) {
        const NodeId below = side(at(added), true_side).level;
        SeccompBranch& old = side(at(existing), true_side);
        if (below == kNoNode) {
            continue;
        }
        if (old.level != kNoNode) {
            if (!insert(old.level, below)) {
                return false;
            }
        } else if (!old.decides) {
            old.level = hold(below);
        } else {
            return true;  // what exists decides earlier; libseccomp leaves the other side out too
        }
    }
    return true;
}

// libseccomp's merging links a node that two levels share into both of their lists, and then walks
// freed memory or round in a circle. Such policies are refused; depth is bounded by the 12 words.
bool SeccompTrees::is_sound(NodeId level, unsigned depth) const {
    constexpr unsigned kMaxDepth = 64;
    if (level == kNoNode) {
        return true;
    }
    NodeId before = kNoNode;
    for (NodeId i = first_of(level); i != kNoNode; before = i, i = node(i).next) {
        if (exhausted() || depth > kMaxDepth || node(i).references == 0 ||
            node(i).previous != before || !is_sound(node(i).on_true.level, depth + 1) ||
            !is_sound(node(i).on_false.level, depth + 1)) {
            return false;
        }
    }
    return true;
}

// The chain of nodes for one rule; kNoNode when it has no condition that says anything.
NodeId SeccompTrees::make_rule(Words words,
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
        if ((words == Words::two ? mask : mask & 0xffffffffU) == 0) {
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
        const Group group = words == Words::two ? make_words(low, mask, datum) : make_word(low);
        for (const NodeId end : last.ends) {
            if (end != kNoNode) {
                side(at(end), last.true_side).level = hold(group.first);
            }
        }
        if (first == kNoNode) {
            first = hold(group.first);
        }
        last = group;
    }
    for (const NodeId end : last.ends) {
        if (end != kNoNode) {
            SeccompBranch& branch = side(at(end), last.true_side);
            branch.decides = true;
            branch.action = action;
        }
    }
    return first;
}

SeccompTrees::Group SeccompTrees::make_word(const SeccompNode& low) {
    const NodeId id = make(low);
    return {.first = id, .ends = {id, kNoNode}, .true_side = is_true_side(low.origin)};
}

// A 64-bit comparison: the upper words first, the lower ones where those are equal.
SeccompTrees::Group SeccompTrees::make_words(const SeccompNode& low,
                                             std::uint64_t mask,
                                             std::uint64_t datum) {
    SeccompNode high = low;
    high.high = true;
    high.mask = static_cast<std::uint32_t>(mask >> 32);
    high.datum = static_cast<std::uint32_t>(datum >> 32);
    const bool true_side = is_true_side(low.origin);
    if (op_rank(low.origin) == 3) {
        const NodeId upper = make(high), lower = make(low);
        at(upper).on_true.level = hold(lower);
        return {
            .first = upper, .ends = {lower, true_side ? kNoNode : upper}, .true_side = true_side};
    }
    high.compare = SeccompNode::Compare::gt;
    const NodeId above = make(high);
    high.compare = SeccompNode::Compare::eq;
    const NodeId equal = make(high), lower = make(low);
    at(above).on_false.level = hold(equal);
    at(equal).on_true.level = hold(lower);
    return {.first = above, .ends = {lower, true_side ? above : equal}, .true_side = true_side};
}

bool SeccompTrees::add(SeccompCall& call,
                       Words words,
                       std::span<const SeccompCondition> conditions,
                       std::uint32_t action) {
    steps_ = 0;
    if (call.used && call.chains == kNoNode) {
        return true;  // the first rule without conditions holds, whatever comes later
    }
    NodeId chain = make_rule(words, conditions, action);
    if (!call.used || chain == kNoNode) {
        call = {.used = true, .chains = chain, .action = action};
        return true;
    }
    Match match{.flags = 0, .action = action, .call = &call};
    if (prune(call.chains, chain, match) > 0) {
        if (call.chains == kNoNode) {
            call.chains = chain;
            return true;
        }
    } else if (match.has(Match::kRedundant)) {
        return true;
    }
    if (!insert(call.chains, chain)) {
        return false;
    }
    drop_tree(chain);
    return is_sound(call.chains, 0) && steps_ < kMaxSteps;
}

}  // namespace knarr::sys
