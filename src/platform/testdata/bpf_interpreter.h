#pragma once
// Runs a seccomp filter on a call, as the kernel would: the part of classic BPF that filters use.

#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>

namespace knarr::sys::testing {

/// The filter's return value; nothing when the program is broken (runs off its end, reads past the
/// data, unknown instruction). Source: kernel Documentation/networking/filter.rst, seccomp(2).
inline std::optional<std::uint32_t> run_bpf(std::span<const sock_filter> code,
                                            const seccomp_data& data) {
    std::uint32_t accumulator = 0;
    for (std::size_t at = 0; at < code.size(); ++at) {
        const sock_filter& step = code[at];
        const auto jump = [&](bool taken) { at += taken ? step.jt : step.jf; };
        switch (step.code) {
            case BPF_LD | BPF_W | BPF_ABS:
                if (step.k % 4 != 0 || step.k + 4 > sizeof(data)) {
                    return std::nullopt;
                }
                std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + step.k, 4);
                break;
            case BPF_ALU | BPF_AND | BPF_K:
                accumulator &= step.k;
                break;
            case BPF_JMP | BPF_JA:
                at += step.k;
                break;
            case BPF_JMP | BPF_JEQ | BPF_K:
                jump(accumulator == step.k);
                break;
            case BPF_JMP | BPF_JGT | BPF_K:
                jump(accumulator > step.k);
                break;
            case BPF_JMP | BPF_JGE | BPF_K:
                jump(accumulator >= step.k);
                break;
            case BPF_RET | BPF_K:
                return step.k;
            default:
                return std::nullopt;
        }
    }
    return std::nullopt;
}

/// True when some comparison is reached with different words in the accumulator, so that what it
/// compares depends on the way there.
inline bool mixes_up_accumulator(std::span<const sock_filter> code) {
    using Word = std::pair<std::uint32_t, std::uint32_t>;  // offset, mask
    std::vector<std::set<Word>> before(code.size() + 1);
    before[0].insert({0, 0});
    for (std::size_t at = 0; at < code.size(); ++at) {
        const sock_filter& step = code[at];
        std::set<Word> after = before[at];
        std::vector<std::size_t> targets{at + 1};
        switch (BPF_CLASS(step.code)) {
            case BPF_LD:
                after = {{step.k, ~0U}};
                break;
            case BPF_ALU:
                after.clear();
                for (const auto& [offset, mask] : before[at]) {
                    after.insert({offset, mask & step.k});
                }
                break;
            case BPF_JMP:
                if (BPF_OP(step.code) == BPF_JA) {
                    targets = {at + 1 + step.k};
                    break;
                }
                if (before[at].size() > 1) {
                    return true;
                }
                targets = {at + 1 + step.jt, at + 1 + step.jf};
                break;
            default:
                targets.clear();
                break;
        }
        for (const std::size_t target : targets) {
            if (target < before.size()) {
                before[target].insert(after.begin(), after.end());
            }
        }
    }
    return false;
}

}  // namespace knarr::sys::testing
