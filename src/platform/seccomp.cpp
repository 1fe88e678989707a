#include "platform/seccomp.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/seccomp_bpf.h"
#include "platform/seccomp_tree.h"

namespace knarr::sys {

namespace {

constexpr std::uint32_t kWaitKillableRecv = 1U << 5;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr unsigned kMaxRules = 32'768;     // profiles have some hundreds
constexpr std::uint16_t kMaxErrno = 4094;  // what libseccomp accepts

constexpr std::uint32_t audit_arch(SeccompArch arch) {
    switch (arch) {
        case SeccompArch::x86_64:
        case SeccompArch::x32:  // the kernel tells them apart by a bit of the number only
            break;
        case SeccompArch::x86:
            return AUDIT_ARCH_I386;
        case SeccompArch::aarch64:
            return AUDIT_ARCH_AARCH64;
        case SeccompArch::arm:
            return AUDIT_ARCH_ARM;
    }
    return AUDIT_ARCH_X86_64;
}

// Calls that x86 reaches through socketcall(2) or ipc(2) as well, with their number there.
// Source: linux/net.h SYS_*, linux/ipc.h.
struct Multiplexed {
    std::string_view name;
    std::string_view through;
    std::uint32_t number;
};
constexpr Multiplexed kMultiplexed[] = {
    {"socket", "socketcall", 1},
    {"bind", "socketcall", 2},
    {"connect", "socketcall", 3},
    {"listen", "socketcall", 4},
    {"accept", "socketcall", 5},
    {"getsockname", "socketcall", 6},
    {"getpeername", "socketcall", 7},
    {"socketpair", "socketcall", 8},
    {"send", "socketcall", 9},
    {"recv", "socketcall", 10},
    {"sendto", "socketcall", 11},
    {"recvfrom", "socketcall", 12},
    {"shutdown", "socketcall", 13},
    {"setsockopt", "socketcall", 14},
    {"getsockopt", "socketcall", 15},
    {"sendmsg", "socketcall", 16},
    {"recvmsg", "socketcall", 17},
    {"accept4", "socketcall", 18},
    {"recvmmsg", "socketcall", 19},
    {"sendmmsg", "socketcall", 20},
    {"semop", "ipc", 1},
    {"semget", "ipc", 2},
    {"semctl", "ipc", 3},
    {"semtimedop", "ipc", 4},
    {"msgsnd", "ipc", 11},
    {"msgrcv", "ipc", 12},
    {"msgget", "ipc", 13},
    {"msgctl", "ipc", 14},
    {"shmat", "ipc", 21},
    {"shmdt", "ipc", 22},
    {"shmget", "ipc", 23},
    {"shmctl", "ipc", 24},
};

// By Syscall::index: the way through another call, where there is one.
std::vector<const Multiplexed*> find_multiplexed() {
    std::vector<const Multiplexed*> ways(syscall_count());
    for (const Multiplexed& way : kMultiplexed) {
        if (const auto call = find_syscall(way.name)) {
            ways[call->index] = &way;
        }
    }
    return ways;
}

// The rules of one architecture.
struct ArchRules {
    SeccompArch arch = SeccompArch::x86_64;
    std::vector<SeccompCall> calls;       // by Syscall::index
    std::optional<std::uint32_t> newest;  // the highest number that a rule names

    SeccompWords words() const {
        return arch == SeccompArch::x86_64 || arch == SeccompArch::aarch64 ? SeccompWords::two
                                                                           : SeccompWords::one;
    }
};

class Compiler {
public:
    explicit Compiler(const SeccompPolicy& policy) : policy_(policy) {
        add_arch(native_seccomp_arch());
        for (const SeccompArch arch : policy.architectures) {
            add_arch(arch);
        }
    }

    Result<> add_rules() {
        KNARR_TRY(check_action(policy_.default_action), "seccomp: default action");
        for (const SeccompRule& rule : policy_.rules) {
            KNARR_TRY(check_action(rule.action), "seccomp");
            note_newest(rule);
            if (rule.action == policy_.default_action) {
                continue;
            }
            for (const SeccompCondition& condition : rule.conditions) {
                if (condition.index > 5) {
                    return fail(Errc::invalid_config,
                                "seccomp: argument index {} is above 5",
                                condition.index);
                }
            }
            for (const Syscall call : rule.syscalls) {
                KNARR_TRY(add_rule(rule, call));
            }
        }
        return {};
    }

    Result<SeccompProgram> write() {
        BpfWriter writer;
        const BpfLabel bad_arch = writer.put_return(SECCOMP_RET_KILL_THREAD);
        BpfLabel next = bad_arch;
        // Written from the end: the native architecture comes first and is decided first.
        for (std::size_t i = arches_.size(); i-- > 0;) {
            const ArchRules* second = nullptr;
            if (is_x86_64_family(arches_[i].arch)) {
                const std::size_t other = find_other(i);
                if (other < i) {
                    continue;  // written together with the earlier one
                }
                second = other < arches_.size() ? &arches_[other] : nullptr;
            }
            next = write_arch(writer, arches_[i], second, next, bad_arch);
        }
        writer.put(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
        if (writer.size() > BPF_MAXINSNS) {
            return fail(Errc::limit_exceeded,
                        "seccomp: the filter takes {} instructions, the kernel allows {}",
                        writer.size(),
                        BPF_MAXINSNS);
        }
        // How to wait for a listener says nothing where there is none, and the kernel refuses it.
        const std::uint32_t flags = notifies_ ? policy_.flags : policy_.flags & ~kWaitKillableRecv;
        return SeccompProgram{.code = writer.finish(), .flags = flags, .needs_listener = notifies_};
    }

private:
    static bool is_x86_64_family(SeccompArch arch) {
        return arch == SeccompArch::x86_64 || arch == SeccompArch::x32;
    }

    std::size_t find_other(std::size_t index) const {
        for (std::size_t i = 0; i < arches_.size(); ++i) {
            if (i != index && is_x86_64_family(arches_[i].arch)) {
                return i;
            }
        }
        return arches_.size();
    }

    void add_arch(SeccompArch arch) {
        const bool known = std::ranges::find(arches_, arch, &ArchRules::arch) != arches_.end();
        if (!known) {
            arches_.push_back({.arch = arch, .calls = std::vector<SeccompCall>(syscall_count())});
        }
    }

    void note_newest(const SeccompRule& rule) {
        for (ArchRules& rules : arches_) {
            const auto note = [&rules](Syscall call) {
                if (const auto number = number_of(call, rules.arch)) {
                    rules.newest = std::max(rules.newest.value_or(0), *number);
                }
            };
            for (const Syscall call : rule.syscalls) {
                note(call);
                const Multiplexed* way = multiplexed_[call.index];
                if (rules.arch == SeccompArch::x86 && way != nullptr) {
                    note(*find_syscall(way->through));
                }
            }
        }
    }

    Result<> check_action(SeccompAction action) {
        if (action.kind == SeccompAction::Kind::error && action.data > kMaxErrno) {
            return fail(Errc::invalid_config, "errno {} is above {}", action.data, kMaxErrno);
        }
        if (action.kind == SeccompAction::Kind::notify) {
            notifies_ = true;
        }
        return {};
    }

    Result<> add_rule(const SeccompRule& rule, Syscall call) {
        std::array<unsigned, 6> uses{};
        bool repeated = false;
        for (const SeccompCondition& condition : rule.conditions) {
            repeated = repeated || ++uses[condition.index] > 1;
        }
        if (!repeated) {
            return add_rule(call, rule.conditions, rule.action);
        }
        for (const SeccompCondition& condition : rule.conditions) {
            KNARR_TRY(add_rule(call, {&condition, 1}, rule.action));
        }
        return {};
    }

    Result<> add_rule(Syscall call,
                      std::span<const SeccompCondition> conditions,
                      SeccompAction action) {
        if (++added_ > kMaxRules) {
            return fail(Errc::limit_exceeded,
                        "seccomp: there are more than {} rules, one for each call and, where an "
                        "argument is named twice, for each condition",
                        kMaxRules);
        }
        const std::uint32_t raw = action.raw();
        for (ArchRules& rules : arches_) {
            bool agrees = true;
            if (rules.arch == SeccompArch::x86) {
                agrees = add_multiplexed(rules, call, conditions, raw);
            }
            SeccompCall& slot = rules.calls[call.index];
            if (agrees && trees_.add(slot, rules.words(), conditions, raw)) {
                continue;
            }
            if (agrees && !trees_.had_steps()) {
                return fail(Errc::limit_exceeded,
                            "seccomp: there are too many rules for {} to merge them",
                            name_of(call));
            }
            return fail(Errc::invalid_config,
                        "seccomp: the rules for {} contradict each other",
                        name_of(call));
        }
        return {};
    }

    // libseccomp puts the number of the multiplexed call where the condition on the first argument
    // was, and keeps the others although they would have to look behind a pointer.
    bool add_multiplexed(ArchRules& rules,
                         Syscall call,
                         std::span<const SeccompCondition> conditions,
                         std::uint32_t raw) {
        const Multiplexed* way = multiplexed_[call.index];
        if (way == nullptr) {
            return true;
        }
        std::vector<SeccompCondition> all{{.index = 0, .op = SeccompOp::eq, .value = way->number}};
        for (const SeccompCondition& condition : conditions) {
            if (condition.index != 0) {
                all.push_back(condition);
            }
        }
        const auto through = find_syscall(way->through);
        return trees_.add(rules.calls[through->index], rules.words(), all, raw);
    }

    // A call that the policy is too old to know would be met by its default action: a program that
    // tries a new call and falls back on an old one when it is not there takes EPERM for the last
    // word. As with runc, calls newer than any that the policy names are therefore not there.
    bool hides_newer() const {
        using Kind = SeccompAction::Kind;
        const Kind kind = policy_.default_action.kind;
        return kind != Kind::allow && kind != Kind::log && kind != Kind::trace;
    }

    void collect(const ArchRules& rules, std::vector<SeccompEntry>& entries) const {
        const std::uint32_t bit = rules.arch == SeccompArch::x32 ? kX32Bit : 0;
        if (bit != 0) {
            entries.push_back(
                {.number = bit, .call = nullptr, .otherwise = policy_.default_action.raw()});
        }
        if (rules.newest && hides_newer()) {
            entries.push_back({.number = (*rules.newest | bit) + 1,
                               .call = nullptr,
                               .otherwise = SECCOMP_RET_ERRNO | ENOSYS});
        }
        std::uint16_t index = 0;
        for (const SeccompCall& call : rules.calls) {
            const auto number = number_of(Syscall{index++}, rules.arch);
            if (call.used && number) {
                entries.push_back({.number = *number | bit, .call = &call, .otherwise = 0});
            }
        }
    }

    BpfLabel write_arch(BpfWriter& writer,
                        const ArchRules& rules,
                        const ArchRules* second,
                        BpfLabel next,
                        BpfLabel bad_arch) const {
        std::vector<SeccompEntry> entries;
        entries.reserve(2 * syscall_count());
        collect(rules, entries);
        if (second != nullptr) {
            collect(*second, entries);
        }
        std::ranges::sort(entries, {}, [](const SeccompEntry& entry) {
            return std::pair(entry.number, entry.call != nullptr);
        });
        const std::uint32_t default_action = policy_.default_action.raw();
        BpfLabel calls = put_calls(writer, trees_, entries, default_action);
        if (is_x86_64_family(rules.arch) && second == nullptr) {
            if (rules.arch == SeccompArch::x86_64) {
                // -1 is how a tracer skips a call; it is not one of x32.
                const BpfLabel high =
                    writer.put_jump(BPF_JMP | BPF_JEQ | BPF_K, ~0U, calls, bad_arch);
                calls = writer.put_jump(BPF_JMP | BPF_JGE | BPF_K, kX32Bit, high, calls);
            } else {
                calls = writer.put_jump(BPF_JMP | BPF_JGE | BPF_K, kX32Bit, calls, bad_arch);
            }
        }
        const BpfLabel start = writer.put(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
        return writer.put_jump(BPF_JMP | BPF_JEQ | BPF_K, audit_arch(rules.arch), start, next);
    }

    const SeccompPolicy& policy_;
    const std::vector<const Multiplexed*> multiplexed_ = find_multiplexed();
    std::vector<ArchRules> arches_;
    SeccompTrees trees_;
    unsigned added_ = 0;  // rules of single calls
    bool notifies_ = false;
};

}  // namespace

std::uint32_t SeccompAction::raw() const {
    switch (kind) {
        case Kind::kill_process:
            return SECCOMP_RET_KILL_PROCESS;
        case Kind::kill_thread:
            return SECCOMP_RET_KILL_THREAD;
        case Kind::trap:
            return SECCOMP_RET_TRAP;
        case Kind::error:
            return SECCOMP_RET_ERRNO | data;
        case Kind::trace:
            return SECCOMP_RET_TRACE | data;
        case Kind::log:
            return SECCOMP_RET_LOG;
        case Kind::allow:
            return SECCOMP_RET_ALLOW;
        case Kind::notify:
            break;
    }
    return SECCOMP_RET_USER_NOTIF;
}

Result<SeccompProgram> compile_seccomp(const SeccompPolicy& policy) {
    Compiler compiler(policy);
    KNARR_TRY(compiler.add_rules());
    return compiler.write();
}

Result<Fd> load_seccomp(const SeccompProgram& program) {
    // The kernel does not write to it; sock_fprog has no const.
    const sock_fprog code{.len = static_cast<unsigned short>(program.code.size()),
                          .filter = const_cast<sock_filter*>(program.code.data())};
    std::uint32_t flags = program.flags;
    if (program.needs_listener) {
        flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    }
    const long done = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &code);
    if (done < 0) {
        return fail_errno(errno, "load a seccomp filter of {} instructions", code.len);
    }
    return program.needs_listener ? Fd(static_cast<int>(done)) : Fd();
}

}  // namespace knarr::sys
