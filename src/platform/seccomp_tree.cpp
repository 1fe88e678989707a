#include "platform/seccomp_tree.h"

namespace knarr::sys {

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
    nodes_.hold(existing);
    removed += prune(step == Step::added ? existing : existing_below,
                     step == Step::existing ? added : added_below,
                     next);
    removed += nodes_.drop(existing);
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
    if (!now.has(Match::kMatch) || !nodes_.acts_only(x, now.action)) {
        return true;
    }
    if (now.has(Match::kAddedEnds | Match::kExistingLonger)) {
        removed +=
            nodes_.remove(match.call->chains, x);  // the new rule says the same with fewer tests
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
    for (NodeId x = nodes_.first_of(existing); x != kNoNode && !nodes_.exhausted();) {
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
        if (nodes_.exhausted()) {
            return false;
        }
        if (at(x).next == kNoNode) {
            at(added).previous = nodes_.hold(x);
            at(x).next = nodes_.hold(added);
            return true;
        }
        x = at(x).next;
    }
    if (same_test(at(x), at(added))) {
        return merge_node(x, added);
    }
    const NodeId previous = at(x).previous;
    if (previous != kNoNode) {
        at(previous).next = nodes_.hold(added);
        at(added).previous = previous;
        at(x).previous = nodes_.hold(added);
        at(added).next = x;
    } else {
        at(x).previous = nodes_.hold(added);
        at(added).next = nodes_.hold(x);
    }
    if (existing == x) {
        existing = nodes_.hold(added);
        nodes_.drop(x);
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
        if (!nodes_.acts_only(old.level, fresh.action)) {
            return false;
        }
        nodes_.drop(old.level);
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
            old.level = nodes_.hold(below);
        } else {
            return true;  // what exists decides earlier; libseccomp leaves the other side out too
        }
    }
    return true;
}

bool SeccompTrees::add(SeccompCall& call,
                       SeccompWords words,
                       std::span<const SeccompCondition> conditions,
                       std::uint32_t action) {
    nodes_.allow_steps();
    if (call.used && call.chains == kNoNode) {
        return true;  // the first rule without conditions holds, whatever comes later
    }
    NodeId chain = make_chain(nodes_, words, conditions, action);
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
    nodes_.drop_tree(chain);
    return nodes_.is_sound(call.chains) && nodes_.has_steps();
}

}  // namespace knarr::sys
