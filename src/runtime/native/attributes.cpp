// Attributes of the process that sit neither in its identity nor in the cgroup.
// Source: runtime-spec config.md "POSIX process", config-linux.md "Personality", "Memory Policy".

#include <algorithm>
#include <array>

#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "core/text.h"
#include "runtime/native/feature_names.h"
#include "runtime/native/identity.h"
#include "runtime/native/number_set.h"

namespace knarr::runtime::native {

namespace {

struct Named {
    std::string_view name;
    std::uint64_t value;
};

constexpr std::array kRlimits = {
    Named{"RLIMIT_AS", RLIMIT_AS},
    Named{"RLIMIT_CORE", RLIMIT_CORE},
    Named{"RLIMIT_CPU", RLIMIT_CPU},
    Named{"RLIMIT_DATA", RLIMIT_DATA},
    Named{"RLIMIT_FSIZE", RLIMIT_FSIZE},
    Named{"RLIMIT_LOCKS", RLIMIT_LOCKS},
    Named{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    Named{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    Named{"RLIMIT_NICE", RLIMIT_NICE},
    Named{"RLIMIT_NOFILE", RLIMIT_NOFILE},
    Named{"RLIMIT_NPROC", RLIMIT_NPROC},
    Named{"RLIMIT_RSS", RLIMIT_RSS},
    Named{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    Named{"RLIMIT_RTTIME", RLIMIT_RTTIME},
    Named{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    Named{"RLIMIT_STACK", RLIMIT_STACK},
};

constexpr std::array kPolicies = {
    Named{"SCHED_OTHER", SCHED_NORMAL},
    Named{"SCHED_FIFO", SCHED_FIFO},
    Named{"SCHED_RR", SCHED_RR},
    Named{"SCHED_BATCH", SCHED_BATCH},
    Named{"SCHED_ISO", 4},  // named by the specification, not in any kernel: refused by it
    Named{"SCHED_IDLE", SCHED_IDLE},
    Named{"SCHED_DEADLINE", SCHED_DEADLINE},
};

constexpr std::array kSchedulerFlags = {
    Named{"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
    Named{"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    Named{"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
    Named{"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    Named{"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
    Named{"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
    Named{"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};

// Source: include/uapi/linux/ioprio.h, which C++ cannot include ("class" is a parameter there).
constexpr unsigned kIoClassShift = 13;
constexpr std::array kIoClasses = {
    Named{"IOPRIO_CLASS_RT", 1},
    Named{"IOPRIO_CLASS_BE", 2},
    Named{"IOPRIO_CLASS_IDLE", 3},
};

constexpr std::array kMemoryModes = {
    Named{"MPOL_DEFAULT", MPOL_DEFAULT},
    Named{"MPOL_PREFERRED", MPOL_PREFERRED},
    Named{"MPOL_BIND", MPOL_BIND},
    Named{"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
    Named{"MPOL_LOCAL", MPOL_LOCAL},
    Named{"MPOL_PREFERRED_MANY", 5},
    Named{"MPOL_WEIGHTED_INTERLEAVE", 6},
};

constexpr std::array kMemoryFlags = {
    Named{"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
    Named{"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    Named{"MPOL_F_NUMA_BALANCING", 1U << 13U},
};

constexpr std::size_t kMaxNodes = 1024;  // CONFIG_NODES_SHIFT is at most 10

template <std::size_t N>
Result<std::uint64_t> find(const std::array<Named, N>& table,
                           std::string_view name,
                           std::string_view property) {
    const auto found = std::ranges::find(table, name, &Named::name);
    if (found == table.end()) {
        return fail(Errc::invalid_config, "{}: \"{}\" is not known", property, printable(name));
    }
    return found->value;
}

Result<Step> rlimit_step(const std::vector<spec::Rlimit>& config) {
    step::Rlimits out;
    for (std::size_t i = 0; i < config.size(); ++i) {
        const spec::Rlimit& one = config[i];
        const std::uint64_t resource =
            KNARR_TRY(find(kRlimits, one.type, fmt::format("process.rlimits[{}].type", i)));
        const auto same = [&](const step::Rlimits::One& had) {
            return had.resource == static_cast<int>(resource);
        };
        if (std::ranges::any_of(out.all, same)) {
            return fail(
                Errc::invalid_config, "process.rlimits[{}]: {} is there twice", i, one.type);
        }
        if (one.soft > one.hard) {
            return fail(Errc::invalid_config,
                        "process.rlimits[{}]: soft {} is above hard {}",
                        i,
                        one.soft,
                        one.hard);
        }
        out.all.push_back(
            {.resource = static_cast<int>(resource), .soft = one.soft, .hard = one.hard});
    }
    return Step{.name = "set resource limits", .operation = std::move(out)};
}

Result<Step> scheduler_step(const spec::Scheduler& config) {
    constexpr const char* kProperty = "process.scheduler";
    step::SchedulerPolicy out{.nice = config.nice,
                              .priority = static_cast<std::uint32_t>(config.priority),
                              .runtime = config.runtime,
                              .deadline = config.deadline,
                              .period = config.period};
    out.policy = static_cast<std::uint32_t>(
        KNARR_TRY(find(kPolicies, config.policy, "process.scheduler.policy")));
    for (const std::string& flag : config.flags) {
        out.flags |= KNARR_TRY(find(kSchedulerFlags, flag, "process.scheduler.flags"));
    }
    const bool real_time = out.policy == SCHED_FIFO || out.policy == SCHED_RR;
    if (config.nice < -20 || config.nice > 19) {
        return fail(
            Errc::invalid_config, "{}.nice: {} is not in -20 to 19", kProperty, config.nice);
    }
    if (config.priority < 0 || config.priority > 99 || (config.priority != 0 && !real_time)) {
        return fail(
            Errc::invalid_config,
            "{}.priority: {} does not fit {} (1 to 99 with SCHED_FIFO and SCHED_RR, else 0)",
            kProperty,
            config.priority,
            config.policy);
    }
    if (out.policy != SCHED_DEADLINE &&
        (config.runtime != 0 || config.deadline != 0 || config.period != 0)) {
        return fail(Errc::invalid_config,
                    "{}: runtime, deadline and period belong to SCHED_DEADLINE, not to {}",
                    kProperty,
                    config.policy);
    }
    return Step{.name = fmt::format("set the scheduler to {}", config.policy), .operation = out};
}

Result<Step> io_priority_step(const spec::IoPriority& config) {
    const std::uint64_t io_class =
        KNARR_TRY(find(kIoClasses, config.io_class, "process.ioPriority.class"));
    if (config.priority < 0 || config.priority > 7) {
        return fail(Errc::invalid_config,
                    "process.ioPriority.priority: {} is not in 0 to 7",
                    config.priority);
    }
    return Step{
        .name = fmt::format("set the I/O priority to {} {}", config.io_class, config.priority),
        .operation = step::IoPriority{.value = static_cast<int>(io_class << kIoClassShift) |
                                               config.priority}};
}

Result<Step> personality_step(const spec::Personality& config) {
    if (!config.flags.empty()) {
        // Source: config-linux.md: "no flags are currently supported".
        return fail(Errc::unsupported,
                    "linux.personality.flags: \"{}\": no flag is defined yet",
                    printable(config.flags.front()));
    }
    if (config.domain != "LINUX" && config.domain != "LINUX32") {
        return fail(Errc::invalid_config,
                    "linux.personality.domain: \"{}\" is not LINUX or LINUX32",
                    printable(config.domain));
    }
    return Step{
        .name = fmt::format("set the personality to {}", config.domain),
        .operation = step::Personality{.persona = static_cast<unsigned long>(
                                           config.domain == "LINUX" ? PER_LINUX : PER_LINUX32)}};
}

Result<std::vector<std::uint64_t>> parse_nodes(const std::string& list) {
    auto mask = parse_number_set(list, kMaxNodes);
    if (!mask) {
        return fail(Errc::invalid_config,
                    "linux.memoryPolicy.nodes: \"{}\" is not a list of nodes such as 0-3,7",
                    printable(list));
    }
    return std::move(*mask);
}

Result<Step> memory_policy_step(const spec::MemoryPolicy& config) {
    step::MemoryPolicy out;
    out.mode =
        static_cast<int>(KNARR_TRY(find(kMemoryModes, config.mode, "linux.memoryPolicy.mode")));
    for (const std::string& flag : config.flags) {
        out.mode |=
            static_cast<int>(KNARR_TRY(find(kMemoryFlags, flag, "linux.memoryPolicy.flags")));
    }
    out.node_mask = KNARR_TRY(parse_nodes(config.nodes));
    return Step{.name = fmt::format("set the memory policy to {}", config.mode),
                .operation = std::move(out)};
}

}  // namespace

Result<std::vector<Step>> plan_process_attributes(const spec::RuntimeConfig& config) {
    std::vector<Step> steps;
    const spec::Process& process = *config.process;
    if (config.linux_ && config.linux_->personality) {
        steps.push_back(KNARR_TRY(personality_step(*config.linux_->personality)));
    }
    if (process.scheduler) {
        steps.push_back(KNARR_TRY(scheduler_step(*process.scheduler)));
    }
    if (process.io_priority) {
        steps.push_back(KNARR_TRY(io_priority_step(*process.io_priority)));
    }
    if (config.linux_ && config.linux_->memory_policy) {
        steps.push_back(KNARR_TRY(memory_policy_step(*config.linux_->memory_policy)));
    }
    if (process.oom_score_adj) {
        if (*process.oom_score_adj < -1000 || *process.oom_score_adj > 1000) {
            return fail(Errc::invalid_config,
                        "process.oomScoreAdj: {} is not in -1000 to 1000",
                        *process.oom_score_adj);
        }
        steps.push_back(
            {.name = "set oom_score_adj",
             .operation = step::ProcSelf{.file = "oom_score_adj",
                                         .text = fmt::format("{}", *process.oom_score_adj)}});
    }
    if (!process.rlimits.empty()) {
        // Last: a small limit of files or memory must not hinder the steps before it.
        steps.push_back(KNARR_TRY(rlimit_step(process.rlimits)));
    }
    return steps;
}

std::vector<std::string_view> memory_policy_modes() {
    std::vector<std::string_view> out;
    std::ranges::transform(kMemoryModes, std::back_inserter(out), &Named::name);
    return out;
}

std::vector<std::string_view> memory_policy_flags() {
    std::vector<std::string_view> out;
    std::ranges::transform(kMemoryFlags, std::back_inserter(out), &Named::name);
    return out;
}

}  // namespace knarr::runtime::native
