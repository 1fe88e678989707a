#include "bundle/seccomp_policy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "bundle/seccomp_names.h"
#include "core/text.h"

namespace knarr::bundle {

namespace {

using Kind = sys::SeccompAction::Kind;

template <typename T, std::size_t N>
const T* find_name(const std::array<std::pair<std::string_view, T>, N>& table,
                   std::string_view name) {
    for (const auto& [known, value] : table) {
        if (known == name) {
            return &value;
        }
    }
    return nullptr;
}

template <typename T>
using Name = std::pair<std::string_view, T>;

constexpr std::array kActions = {Name<Kind>{"SCMP_ACT_KILL", Kind::kill_thread},
                                 Name<Kind>{"SCMP_ACT_KILL_THREAD", Kind::kill_thread},
                                 Name<Kind>{"SCMP_ACT_KILL_PROCESS", Kind::kill_process},
                                 Name<Kind>{"SCMP_ACT_TRAP", Kind::trap},
                                 Name<Kind>{"SCMP_ACT_ERRNO", Kind::error},
                                 Name<Kind>{"SCMP_ACT_TRACE", Kind::trace},
                                 Name<Kind>{"SCMP_ACT_LOG", Kind::log},
                                 Name<Kind>{"SCMP_ACT_ALLOW", Kind::allow},
                                 Name<Kind>{"SCMP_ACT_NOTIFY", Kind::notify}};

using Op = sys::SeccompOp;
constexpr std::array kOps = {Name<Op>{"SCMP_CMP_NE", Op::ne},
                             Name<Op>{"SCMP_CMP_LT", Op::lt},
                             Name<Op>{"SCMP_CMP_LE", Op::le},
                             Name<Op>{"SCMP_CMP_EQ", Op::eq},
                             Name<Op>{"SCMP_CMP_GE", Op::ge},
                             Name<Op>{"SCMP_CMP_GT", Op::gt},
                             Name<Op>{"SCMP_CMP_MASKED_EQ", Op::masked_eq}};

using Arch = sys::SeccompArch;
constexpr std::array kArches = {Name<Arch>{"SCMP_ARCH_X86_64", Arch::x86_64},
                                Name<Arch>{"SCMP_ARCH_X86", Arch::x86},
                                Name<Arch>{"SCMP_ARCH_X32", Arch::x32},
                                Name<Arch>{"SCMP_ARCH_AARCH64", Arch::aarch64},
                                Name<Arch>{"SCMP_ARCH_ARM", Arch::arm}};

// Named by the specification, but without a table here.
constexpr std::array<std::string_view, 18> kForeignArches = {"SCMP_ARCH_MIPS",
                                                             "SCMP_ARCH_MIPS64",
                                                             "SCMP_ARCH_MIPS64N32",
                                                             "SCMP_ARCH_MIPSEL",
                                                             "SCMP_ARCH_MIPSEL64",
                                                             "SCMP_ARCH_MIPSEL64N32",
                                                             "SCMP_ARCH_PPC",
                                                             "SCMP_ARCH_PPC64",
                                                             "SCMP_ARCH_PPC64LE",
                                                             "SCMP_ARCH_S390",
                                                             "SCMP_ARCH_S390X",
                                                             "SCMP_ARCH_PARISC",
                                                             "SCMP_ARCH_PARISC64",
                                                             "SCMP_ARCH_RISCV64",
                                                             "SCMP_ARCH_LOONGARCH64",
                                                             "SCMP_ARCH_M68K",
                                                             "SCMP_ARCH_SH",
                                                             "SCMP_ARCH_SHEB"};

// Source: linux/seccomp.h SECCOMP_FILTER_FLAG_*. TSYNC is 0: there is one thread.
constexpr std::array kFlags = {
    Name<std::uint32_t>{"SECCOMP_FILTER_FLAG_TSYNC", 0},
    Name<std::uint32_t>{"SECCOMP_FILTER_FLAG_LOG", 1U << 1},
    Name<std::uint32_t>{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", 1U << 2},
    Name<std::uint32_t>{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 1U << 5}};

constexpr std::uint32_t kEperm = 1, kMaxErrno = 4094, kMaxTraceData = 65535;

Result<sys::SeccompAction> to_action(const std::string& name, std::optional<std::uint32_t> number) {
    const Kind* kind = find_name(kActions, name);
    if (kind == nullptr) {
        return fail(Errc::invalid_config, "\"{}\" is no seccomp action", printable(name));
    }
    if (*kind != Kind::error && *kind != Kind::trace) {
        return sys::SeccompAction{.kind = *kind};
    }
    const std::uint32_t data = number.value_or(kEperm);
    const std::uint32_t max = *kind == Kind::error ? kMaxErrno : kMaxTraceData;
    if (data > max) {
        return fail(Errc::invalid_config, "errnoRet {} is above {}", data, max);
    }
    return sys::SeccompAction{.kind = *kind, .data = static_cast<std::uint16_t>(data)};
}

Result<sys::SeccompCondition> to_condition(const spec::SeccompArg& arg) {
    const Op* op = find_name(kOps, arg.op);
    if (op == nullptr) {
        return fail(Errc::invalid_config, "\"{}\" is no seccomp operator", printable(arg.op));
    }
    if (arg.index > 5) {
        return fail(Errc::invalid_config, "argument index {} is above 5", arg.index);
    }
    return sys::SeccompCondition{.index = static_cast<std::uint8_t>(arg.index),
                                 .op = *op,
                                 .value = arg.value,
                                 .value_two = arg.value_two};
}

Result<sys::SeccompArch> to_arch(const std::string& name) {
    if (const Arch* arch = find_name(kArches, name)) {
        return *arch;
    }
    if (std::ranges::find(kForeignArches, name) != kForeignArches.end()) {
        return fail(Errc::unsupported, "knarr compiles no filters for {}", name);
    }
    return fail(Errc::invalid_config, "\"{}\" is no seccomp architecture", printable(name));
}

Result<sys::SeccompRule> to_rule(const spec::SeccompRule& rule,
                                 const spec::Seccomp& seccomp,
                                 std::vector<std::string>& unknown) {
    sys::SeccompRule out{.syscalls = {},
                         .action = KNARR_TRY(to_action(rule.action, rule.errno_ret)),
                         .conditions = {}};
    const bool notifies = out.action.kind == Kind::notify;
    if (notifies && seccomp.listener_path.empty()) {
        return fail(Errc::invalid_config, "SCMP_ACT_NOTIFY without listenerPath");
    }
    out.syscalls.reserve(rule.names.size());
    for (const std::string& name : rule.names) {
        if (notifies && name == "write") {
            return fail(
                Errc::invalid_config,
                "SCMP_ACT_NOTIFY cannot be used for the write syscall: the runtime needs it to "
                "hand the listener over");
        }
        if (const auto call = sys::find_syscall(name)) {
            out.syscalls.push_back(*call);
        } else {
            unknown.push_back(name);
        }
    }
    for (const spec::SeccompArg& arg : rule.args) {
        out.conditions.push_back(KNARR_TRY(to_condition(arg)));
    }
    return out;
}

}  // namespace

Result<SeccompConversion> seccomp_policy(const spec::Seccomp& seccomp) {
    SeccompConversion out;
    out.policy.default_action =
        KNARR_TRY(to_action(seccomp.default_action, seccomp.default_errno_ret),
                  "linux.seccomp.defaultAction");
    if (out.policy.default_action.kind == Kind::notify) {
        return fail(Errc::invalid_config,
                    "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default");
    }
    for (const std::string& name : seccomp.architectures) {
        out.policy.architectures.push_back(KNARR_TRY(to_arch(name), "linux.seccomp.architectures"));
    }
    for (const std::string& name : seccomp.flags) {
        const std::uint32_t* flag = find_name(kFlags, name);
        if (flag == nullptr) {
            return fail(Errc::invalid_config,
                        "linux.seccomp.flags: \"{}\" is no seccomp flag",
                        printable(name));
        }
        out.policy.flags |= *flag;
    }
    out.policy.rules.reserve(seccomp.syscalls.size());
    for (std::size_t i = 0; i < seccomp.syscalls.size(); ++i) {
        out.policy.rules.push_back(
            KNARR_TRY(to_rule(seccomp.syscalls[i], seccomp, out.unknown_syscalls),
                      "linux.seccomp.syscalls[{}]",
                      i));
    }
    return out;
}

SeccompNames seccomp_names() {
    const auto names = [](const auto& table) {
        std::vector<std::string_view> out;
        out.reserve(table.size());
        for (const auto& [name, value] : table) {
            out.push_back(name);
        }
        return out;
    };
    return {.actions = names(kActions),
            .operators = names(kOps),
            .architectures = names(kArches),
            .flags = {kFlags.begin(), kFlags.end()}};
}

}  // namespace knarr::bundle
