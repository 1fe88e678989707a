#pragma once
// The fields of config.json's process, mounts, hooks and root. Private to this room.
// Source: runtime-spec v1.3.0 config.md; schema/config-schema.json.

#include "spec/json_fields.h"
#include "spec/runtime_config.h"

namespace knarr::spec {

inline constexpr std::array<std::string_view, 16> kRlimits{"RLIMIT_AS",
                                                           "RLIMIT_CORE",
                                                           "RLIMIT_CPU",
                                                           "RLIMIT_DATA",
                                                           "RLIMIT_FSIZE",
                                                           "RLIMIT_LOCKS",
                                                           "RLIMIT_MEMLOCK",
                                                           "RLIMIT_MSGQUEUE",
                                                           "RLIMIT_NICE",
                                                           "RLIMIT_NOFILE",
                                                           "RLIMIT_NPROC",
                                                           "RLIMIT_RSS",
                                                           "RLIMIT_RTPRIO",
                                                           "RLIMIT_RTTIME",
                                                           "RLIMIT_SIGPENDING",
                                                           "RLIMIT_STACK"};

inline constexpr std::array<std::string_view, 7> kSchedulerPolicies{"SCHED_OTHER",
                                                                    "SCHED_FIFO",
                                                                    "SCHED_RR",
                                                                    "SCHED_BATCH",
                                                                    "SCHED_ISO",
                                                                    "SCHED_IDLE",
                                                                    "SCHED_DEADLINE"};

inline constexpr std::array<std::string_view, 7> kSchedulerFlags{"SCHED_FLAG_RESET_ON_FORK",
                                                                 "SCHED_FLAG_RECLAIM",
                                                                 "SCHED_FLAG_DL_OVERRUN",
                                                                 "SCHED_FLAG_KEEP_POLICY",
                                                                 "SCHED_FLAG_KEEP_PARAMS",
                                                                 "SCHED_FLAG_UTIL_CLAMP_MIN",
                                                                 "SCHED_FLAG_UTIL_CLAMP_MAX"};

inline constexpr std::array<std::string_view, 3> kIoClasses{
    "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"};

/// A list of numbers and ranges as the kernel takes it: "0-3,7". Blanks are allowed, as in the
/// specification's schema; an empty text is not a list.
bool is_number_list(std::string_view text);

inline bool is_absolute(std::string_view path) {
    return path.starts_with('/');
}

template <typename F>
void fields(F& f, Of<F, Rlimit>& m) {
    f.required_of("type", m.type, kRlimits);
    f.required("hard", m.hard);
    f.required("soft", m.soft);
    f.check(m.soft <= m.hard, "soft", "{} is more than hard, {}", m.soft, m.hard);
}

template <typename F>
void fields(F& f, Of<F, Capabilities>& m) {
    f.optional("bounding", m.bounding);
    f.optional("effective", m.effective);
    f.optional("inheritable", m.inheritable);
    f.optional("permitted", m.permitted);
    f.optional("ambient", m.ambient);
}

template <typename F>
void fields(F& f, Of<F, User>& m) {
    constexpr std::uint32_t kMaxUmask = 0777;
    f.always("uid", m.uid);
    f.always("gid", m.gid);
    f.optional("umask", m.umask);
    f.check(m.umask.value_or(0) <= kMaxUmask,
            "umask",
            "{} is not between 0 and {} (octal 777)",
            m.umask.value_or(0),
            kMaxUmask);
    f.optional("additionalGids", m.additional_gids);
    f.optional("username", m.username);
}

template <typename F>
void fields(F& f, Of<F, ConsoleSize>& m) {
    f.required("height", m.height);
    f.required("width", m.width);
}

/// Which settings go with which policy: runc refuses the same, sched_setattr(2) says why.
template <typename F>
void fields(F& f, Of<F, Scheduler>& m) {
    f.required_of("policy", m.policy, kSchedulerPolicies);
    f.optional("nice", m.nice);
    f.optional("priority", m.priority);
    f.each_of("flags", m.flags, kSchedulerFlags);
    f.optional("runtime", m.runtime);
    f.optional("deadline", m.deadline);
    f.optional("period", m.period);
    f.check(m.nice >= -20 && m.nice <= 19, "nice", "{} is not between -20 and 19", m.nice);
    const bool real_time = m.policy == "SCHED_FIFO" || m.policy == "SCHED_RR";
    f.check(m.priority == 0 || real_time,
            "priority",
            "{} is only possible with SCHED_FIFO and SCHED_RR, not {}",
            m.priority,
            m.policy);
    const bool deadline = m.policy == "SCHED_DEADLINE";
    f.check(m.runtime == 0 || deadline, "runtime", "is only possible with SCHED_DEADLINE");
    f.check(m.deadline == 0 || deadline, "deadline", "is only possible with SCHED_DEADLINE");
    f.check(m.period == 0 || deadline, "period", "is only possible with SCHED_DEADLINE");
}

template <typename F>
void fields(F& f, Of<F, IoPriority>& m) {
    f.required_of("class", m.io_class, kIoClasses);
    f.always("priority", m.priority);
    f.check(
        m.priority >= 0 && m.priority <= 7, "priority", "{} is not between 0 and 7", m.priority);
}

template <typename F>
void fields(F& f, Of<F, ExecCpuAffinity>& m) {
    constexpr fmt::string_view kProblem = "\"{}\" is not a list of CPUs such as 0-3,7";
    f.optional("initial", m.initial);
    f.optional("final", m.final_value);
    f.check(m.initial.empty() || is_number_list(m.initial), "initial", kProblem, m.initial);
    f.check(
        m.final_value.empty() || is_number_list(m.final_value), "final", kProblem, m.final_value);
}

template <typename F>
void check_rlimits_differ(F& f, const std::vector<Rlimit>& rlimits) {
    if constexpr (F::kReading) {
        for (std::size_t i = 1; i < rlimits.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j) {
                f.check_element(rlimits[i].type != rlimits[j].type,
                                "rlimits",
                                i,
                                "{} is given twice",
                                rlimits[i].type);
            }
        }
    }
}

template <typename F>
void fields(F& f, Of<F, Process>& m) {
    f.optional("terminal", m.terminal);
    f.optional("consoleSize", m.console_size);
    if constexpr (F::kReading) {
        if (!m.terminal) {
            m.console_size.reset();  // the specification demands that it is ignored
        }
    }
    f.always("user", m.user);
    f.optional("args", m.args);
    f.check(!m.args.empty(), "args", "is empty: there is no program to run");
    f.optional("env", m.env);
    f.required("cwd", m.cwd);
    f.check(is_absolute(m.cwd), "cwd", "\"{}\" is not an absolute path", m.cwd);
    f.optional("capabilities", m.capabilities);
    f.optional("rlimits", m.rlimits);
    check_rlimits_differ(f, m.rlimits);
    f.optional("noNewPrivileges", m.no_new_privileges);
    f.optional("apparmorProfile", m.apparmor_profile);
    f.optional("oomScoreAdj", m.oom_score_adj);
    const int oom_score_adj = m.oom_score_adj.value_or(0);
    f.check(oom_score_adj >= -1000 && oom_score_adj <= 1000,
            "oomScoreAdj",
            "{} is not between -1000 and 1000",
            oom_score_adj);
    f.optional("scheduler", m.scheduler);
    f.optional("selinuxLabel", m.selinux_label);
    f.optional("ioPriority", m.io_priority);
    f.optional("execCPUAffinity", m.exec_cpu_affinity);
}

template <typename F>
void fields(F& f, Of<F, Root>& m) {
    f.required("path", m.path);
    f.check(!m.path.empty(), "path", "is empty");
    f.optional("readonly", m.readonly);
}

/// Both ranges must end within the 32 bits of a uid: the kernel's uid_map checks the same.
template <typename F>
void fields(F& f, Of<F, IdMapping>& m) {
    constexpr std::uint64_t kEnd = std::uint64_t{1} << 32;
    f.required("containerID", m.container_id);
    f.required("hostID", m.host_id);
    f.required("size", m.size);
    f.check(m.size > 0, "size", "0 maps nothing");
    f.check(std::uint64_t{m.container_id} + m.size <= kEnd,
            "size",
            "{} IDs from containerID {} end beyond 4294967295",
            m.size,
            m.container_id);
    f.check(std::uint64_t{m.host_id} + m.size <= kEnd,
            "size",
            "{} IDs from hostID {} end beyond 4294967295",
            m.size,
            m.host_id);
}

template <typename F>
void fields(F& f, Of<F, Mount>& m) {
    f.required("destination", m.destination);
    f.check(!m.destination.empty(), "destination", "is empty");
    if constexpr (F::kReading) {
        // Relative destinations are from before 1.0 and mean "from /"; runc accepts them too.
        if (!m.destination.empty() && !is_absolute(m.destination)) {
            m.destination.insert(0, 1, '/');
        }
    }
    f.optional("type", m.type);
    f.optional("source", m.source);
    f.optional("options", m.options);
    f.optional("uidMappings", m.uid_mappings);
    f.optional("gidMappings", m.gid_mappings);
    f.check(!m.uid_mappings.empty() || m.gid_mappings.empty(),
            "uidMappings",
            "is missing, but gidMappings is given");
    f.check(!m.gid_mappings.empty() || m.uid_mappings.empty(),
            "gidMappings",
            "is missing, but uidMappings is given");
}

template <typename F>
void fields(F& f, Of<F, Hook>& m) {
    f.required("path", m.path);
    f.check(is_absolute(m.path), "path", "\"{}\" is not an absolute path", m.path);
    f.optional("args", m.args);
    f.optional("env", m.env);
    f.optional("timeout", m.timeout);
    f.check(m.timeout.value_or(1) > 0, "timeout", "{} is not more than 0", m.timeout.value_or(1));
}

template <typename F>
void fields(F& f, Of<F, Hooks>& m) {
    f.optional("prestart", m.prestart);
    f.optional("createRuntime", m.create_runtime);
    f.optional("createContainer", m.create_container);
    f.optional("startContainer", m.start_container);
    f.optional("poststart", m.poststart);
    f.optional("poststop", m.poststop);
}

}  // namespace knarr::spec
