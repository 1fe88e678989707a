#pragma once
// From decision trees to classic BPF. The program is written from its end to its beginning: BPF
// jumps only forward, so every target exists before the jump to it, and its distance is known.

#include <cstdint>
#include <vector>

#include <linux/filter.h>

#include "platform/seccomp_tree.h"

namespace knarr::sys {

/// A place in the program: how many instructions there are from it to the end.
struct BpfLabel {
    std::size_t from_end = 0;
};

class BpfWriter {
public:
    /// Where control goes when it comes to what is written next.
    BpfLabel here() const { return {reversed_.size()}; }

    BpfLabel put(std::uint16_t code, std::uint32_t k);
    /// A conditional jump; a target further away than a byte says is reached by a copy of the
    /// return instruction there, or by an unconditional jump.
    BpfLabel put_jump(std::uint16_t code, std::uint32_t k, BpfLabel on_true, BpfLabel on_false);
    /// A place that returns `value`, near enough for a jump from here where there is one.
    BpfLabel put_return(std::uint32_t value);

    /// The program, first instruction first.
    std::vector<sock_filter> finish() const;
    std::size_t size() const { return reversed_.size(); }

private:
    BpfLabel reach(BpfLabel target, std::size_t instructions_before);
    struct Return {
        std::uint32_t value;
        BpfLabel label;
    };
    std::vector<sock_filter> reversed_;
    std::vector<Return> returns_;  // the latest place of each value
};

/// One system call number and what decides it; or, without a call, the place from which on
/// numbers without an entry get `otherwise`.
struct SeccompEntry {
    std::uint32_t number = 0;
    const SeccompCall* call = nullptr;
    std::uint32_t otherwise = 0;  // SECCOMP_RET_*
};

/// Writes the filter of one architecture (or of x86_64 and x32 together): a search by halving over
/// ranges of numbers with one outcome. `entries` are sorted by number, a place before the call of
/// the same number. Numbers without an entry get `default_action` up to the first place, and calls
/// whose conditions say nothing everywhere. Expects that the number is in the accumulator.
BpfLabel put_calls(BpfWriter& writer,
                   const SeccompTrees& trees,
                   const std::vector<SeccompEntry>& entries,
                   std::uint32_t default_action);

}  // namespace knarr::sys
