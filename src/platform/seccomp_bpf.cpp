#include "platform/seccomp_bpf.h"

#include <algorithm>
#include <cstddef>

#include <linux/seccomp.h>

namespace knarr::sys {

namespace {

constexpr std::size_t kFarthest = 255;  // a conditional jump's offset is one byte

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kAnd = BPF_ALU | BPF_AND | BPF_K;
constexpr std::uint16_t kReturn = BPF_RET | BPF_K;
constexpr std::uint16_t kJumpAlways = BPF_JMP | BPF_JA;

constexpr std::uint16_t jump_code(SeccompNode::Compare compare) {
    switch (compare) {
        case SeccompNode::Compare::gt:
            return BPF_JMP | BPF_JGT | BPF_K;
        case SeccompNode::Compare::ge:
            return BPF_JMP | BPF_JGE | BPF_K;
        case SeccompNode::Compare::eq:
        case SeccompNode::Compare::masked_eq:
            break;
    }
    return BPF_JMP | BPF_JEQ | BPF_K;
}

// The five architectures are little-endian: the lower half of an argument comes first.
constexpr std::uint32_t word_offset(const SeccompNode& node) {
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) + 8U * node.argument +
           (node.high ? 4U : 0U);
}

// Writes the tree of one call.
class ChainWriter {
public:
    ChainWriter(BpfWriter& writer, const SeccompTrees& trees) : writer_(writer), trees_(trees) {}

    // `otherwise` is where control goes when no node of the level decides.
    BpfLabel put_level(NodeId any, BpfLabel otherwise) {
        const NodeId first = trees_.first_of(any);
        for (const Known& known : known_) {
            if (known.first == first && known.otherwise == otherwise.from_end) {
                return known.label;  // both halves of a 64-bit comparison lead here
            }
        }
        NodeId node = first;
        while (trees_.node(node).next != kNoNode) {
            node = trees_.node(node).next;
        }
        Sibling next{.label = otherwise, .loaded = otherwise, .node = kNoNode};
        while (node != kNoNode) {
            next = put_node(node, next);
            node = trees_.node(node).previous;
        }
        known_.push_back({first, otherwise.from_end, next.label});
        return next.label;
    }

private:
    struct Known {
        NodeId first;
        std::size_t otherwise;
        BpfLabel label;
    };
    // The node that is tried next; `loaded` is past its load instruction.
    struct Sibling {
        BpfLabel label, loaded;
        NodeId node = kNoNode;
    };

    Sibling put_node(NodeId id, const Sibling& next) {
        const SeccompNode& node = trees_.node(id);
        // A node that goes on to a sibling with the same word unmasked need not load it again.
        const bool shares = next.node != kNoNode && node.mask == ~0U &&
                            word_offset(trees_.node(next.node)) == word_offset(node);
        const BpfLabel sibling = shares ? next.loaded : next.label;
        const BpfLabel on_false = put_branch(node.on_false, next.label, sibling);
        const BpfLabel on_true = put_branch(node.on_true, next.label, sibling);
        BpfLabel loaded = writer_.put_jump(jump_code(node.compare), node.datum, on_true, on_false);
        if (node.mask != ~0U) {
            loaded = writer_.put(kAnd, node.mask);
        }
        return {.label = writer_.put(kLoad, word_offset(node)), .loaded = loaded, .node = id};
    }

    BpfLabel put_branch(const SeccompBranch& branch, BpfLabel next, BpfLabel sibling) {
        if (branch.level != kNoNode) {
            return put_level(branch.level, next);
        }
        return branch.decides ? writer_.put_return(branch.action) : sibling;
    }

    BpfWriter& writer_;
    const SeccompTrees& trees_;
    std::vector<Known> known_;
};

// Numbers from `first` up to the next range's.
struct Range {
    std::uint32_t first = 0;
    bool returns = true;       // else `label`
    std::uint32_t action = 0;  // when it returns
    BpfLabel label;
};

BpfLabel put_search(BpfWriter& writer, const Range* ranges, std::size_t count) {
    if (count == 1) {
        return ranges->returns ? writer.put_return(ranges->action) : ranges->label;
    }
    const std::size_t middle = count / 2;
    const BpfLabel above = put_search(writer, ranges + middle, count - middle);
    const BpfLabel below = put_search(writer, ranges, middle);
    return writer.put_jump(BPF_JMP | BPF_JGE | BPF_K, ranges[middle].first, above, below);
}

}  // namespace

BpfLabel BpfWriter::put(std::uint16_t code, std::uint32_t k) {
    reversed_.push_back({.code = code, .jt = 0, .jf = 0, .k = k});
    return here();
}

BpfLabel BpfWriter::reach(BpfLabel target, std::size_t instructions_before) {
    if (reversed_.size() + instructions_before - target.from_end <= kFarthest) {
        return target;
    }
    const sock_filter there = reversed_[target.from_end - 1];  // a copy: put() moves them
    if (there.code == kReturn) {
        put(kReturn, there.k);
        const auto known = std::ranges::find(returns_, there.k, &Return::value);
        if (known != returns_.end()) {
            known->label = here();
        }
        return here();
    }
    return put(kJumpAlways, static_cast<std::uint32_t>(reversed_.size() - target.from_end));
}

BpfLabel BpfWriter::put_jump(std::uint16_t code,
                             std::uint32_t k,
                             BpfLabel on_true,
                             BpfLabel on_false) {
    if (on_true.from_end == on_false.from_end) {
        // Still a jump: the label must be a new instruction, its accumulator is what is loaded.
        on_false = on_true = reach(on_true, 0);
    } else {
        on_false = reach(on_false, 1);  // reaching on_true may put one instruction in between
        on_true = reach(on_true, 0);
    }
    reversed_.push_back({.code = code,
                         .jt = static_cast<std::uint8_t>(reversed_.size() - on_true.from_end),
                         .jf = static_cast<std::uint8_t>(reversed_.size() - on_false.from_end),
                         .k = k});
    return here();
}

BpfLabel BpfWriter::put_return(std::uint32_t value) {
    for (Return& known : returns_) {
        if (known.value == value) {
            if (reversed_.size() - known.label.from_end > kFarthest - 2) {
                known.label = put(kReturn, value);
            }
            return known.label;
        }
    }
    returns_.push_back({value, put(kReturn, value)});
    return returns_.back().label;
}

std::vector<sock_filter> BpfWriter::finish() const {
    return {reversed_.rbegin(), reversed_.rend()};
}

BpfLabel put_calls(BpfWriter& writer,
                   const SeccompTrees& trees,
                   const std::vector<SeccompEntry>& entries,
                   std::uint32_t default_action) {
    std::vector<Range> ranges;
    ranges.reserve(2 * entries.size() + 1);
    const auto add = [&ranges](const Range& range) {
        if (!ranges.empty() && ranges.back().returns && range.returns &&
            ranges.back().action == range.action) {
            return;
        }
        ranges.push_back(range);
    };
    std::uint32_t next = 0, otherwise = default_action;
    for (const SeccompEntry& entry : entries) {
        if (entry.number > next) {
            add({.first = next, .returns = true, .action = otherwise, .label = {}});
        }
        if (entry.call == nullptr) {
            otherwise = entry.otherwise;
            next = entry.number;
            continue;
        }
        Range range{
            .first = entry.number, .returns = true, .action = entry.call->action, .label = {}};
        if (entry.call->chains != kNoNode) {
            range.returns = false;
            range.label = ChainWriter(writer, trees)
                              .put_level(entry.call->chains, writer.put_return(default_action));
        }
        add(range);
        next = entry.number + 1;
    }
    add({.first = next, .returns = true, .action = otherwise, .label = {}});
    return put_search(writer, ranges.data(), ranges.size());
}

}  // namespace knarr::sys
