#pragma once
// Seccomp profiles for tests, one statement a line:
//
//     # comment
//     default ACTION
//     arch x86_64 x86 x32
//     ACTION NAME...
//     ACTION if INDEX OP VALUE [VALUE_TWO] [and ...] : NAME...
//
// ACTION is allow, log, trap, kill_thread, kill_process, errno=N or trace=N.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "platform/seccomp.h"

namespace knarr::sys::testing {

[[noreturn]] inline void reject_profile(const std::string& line) {
    std::fprintf(stderr, "test profile: cannot read \"%s\"\n", line.c_str());
    std::abort();
}

inline SeccompAction parse_action(const std::string& word) {
    using Kind = SeccompAction::Kind;
    const auto data = [&word] {
        return static_cast<std::uint16_t>(std::stoul(word.substr(word.find('=') + 1)));
    };
    if (word.starts_with("errno=")) {
        return {.kind = Kind::error, .data = data()};
    }
    if (word.starts_with("trace=")) {
        return {.kind = Kind::trace, .data = data()};
    }
    static constexpr std::pair<const char*, Kind> kNames[] = {{"allow", Kind::allow},
                                                              {"log", Kind::log},
                                                              {"trap", Kind::trap},
                                                              {"kill_thread", Kind::kill_thread},
                                                              {"kill_process", Kind::kill_process}};
    for (const auto& [name, kind] : kNames) {
        if (word == name) {
            return {.kind = kind};
        }
    }
    reject_profile(word);
}

inline SeccompCondition parse_condition(std::istringstream& words) {
    SeccompCondition condition;
    int index = 0;
    std::string op;
    words >> index >> op >> condition.value;
    condition.index = static_cast<std::uint8_t>(index);
    static constexpr const char* kOps[] = {"ne", "lt", "le", "eq", "ge", "gt", "masked_eq"};
    for (std::uint8_t i = 0; i < 7; ++i) {
        if (op == kOps[i]) {
            condition.op = static_cast<SeccompOp>(i);
            if (condition.op == SeccompOp::masked_eq) {
                words >> condition.value_two;
            }
            return condition;
        }
    }
    reject_profile(op);
}

/// Reads src/platform/testdata/NAME; names that the table does not know are left out, as runc does.
/// Ends the test program when the file is missing or malformed.
inline SeccompPolicy read_profile(const std::string& name) {
    static constexpr const char* kArches[] = {"x86_64", "x86", "x32", "aarch64", "arm"};
    SeccompPolicy policy;
    std::ifstream file(std::string(KNARR_TESTDATA) + "/" + name);
    std::string line;
    while (std::getline(file, line)) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        std::istringstream words(line);
        std::string word;
        words >> word;
        if (word == "default") {
            words >> word;
            policy.default_action = parse_action(word);
            continue;
        }
        if (word == "arch") {
            while (words >> word) {
                for (std::uint8_t i = 0; i < kSeccompArches; ++i) {
                    if (word == kArches[i]) {
                        policy.architectures.push_back(static_cast<SeccompArch>(i));
                    }
                }
            }
            continue;
        }
        SeccompRule rule{.syscalls = {}, .action = parse_action(word), .conditions = {}};
        while (words >> word) {
            if (word == "if" || word == "and") {
                rule.conditions.push_back(parse_condition(words));
            } else if (word != ":") {
                if (const auto call = find_syscall(word)) {
                    rule.syscalls.push_back(*call);
                }
            }
        }
        policy.rules.push_back(std::move(rule));
    }
    if (policy.rules.empty()) {
        reject_profile(name);
    }
    return policy;
}

}  // namespace knarr::sys::testing
