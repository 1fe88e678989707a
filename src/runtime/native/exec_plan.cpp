#include "runtime/native/exec_plan.h"

#include <algorithm>

#include <linux/sched.h>

#include "core/text.h"
#include "runtime/native/annotations.h"
#include "runtime/native/identity.h"
#include "runtime/native/namespaces.h"
#include "runtime/native/number_set.h"

namespace knarr::runtime::native {

namespace {

Result<std::vector<std::uint64_t>> parse_cpus(const std::string& list, const char* property) {
    auto mask = parse_number_set(list, kMaxCpus);
    if (!mask) {
        return fail(Errc::invalid_config,
                    "{}: \"{}\" is not a list of CPUs below {}",
                    property,
                    printable(list),
                    kMaxCpus);
    }
    return std::move(*mask);
}

Result<> plan_affinity(const spec::Process& process, JoinContainer& join) {
    if (!process.exec_cpu_affinity) {
        return {};
    }
    join.initial_cpus = KNARR_TRY(
        parse_cpus(process.exec_cpu_affinity->initial, "process.execCPUAffinity.initial"));
    join.final_cpus = KNARR_TRY(
        parse_cpus(process.exec_cpu_affinity->final_value, "process.execCPUAffinity.final"));
    return {};
}

/// A path below a cgroup without "", "." and ".."; "" for the cgroup itself.
Result<std::string> clean_sub(std::string_view sub) {
    std::string clean;
    for (const std::string_view part : split(sub, '/')) {
        if (part == "..") {
            return fail(Errc::invalid_argument,
                        "--cgroup: {} is not a sub cgroup path: it has \"..\" in it",
                        printable(sub));
        }
        if (!part.empty() && part != ".") {
            clean += fmt::format("/{}", part);
        }
    }
    return clean;
}

Result<> plan_sub_cgroup(const std::string& wanted, sys::CgroupPlan& plan) {
    const std::size_t colon = wanted.find(':');
    if (plan.v2 || colon == std::string::npos) {
        const std::string sub = KNARR_TRY(clean_sub(wanted));
        for (sys::CgroupDir& dir : plan.dirs) {
            dir.path += sub;
        }
        return {};
    }
    const std::string sub = KNARR_TRY(clean_sub(std::string_view(wanted).substr(colon + 1)));
    for (const std::string_view controller :
         split(std::string_view(wanted).substr(0, colon), ',')) {
        const auto found = std::ranges::find_if(plan.dirs, [&](const sys::CgroupDir& dir) {
            const auto names = split(dir.controllers, ',');
            return std::ranges::find(names, controller) != names.end();
        });
        if (controller.empty() || found == plan.dirs.end()) {
            return fail(Errc::invalid_argument,
                        "--cgroup: unknown controller {}: the container has no cgroup of it",
                        printable(controller));
        }
        found->path += sub;
    }
    return {};
}

Result<> plan_cgroups(const ExecInput& input, LaunchPlan& plan) {
    if (input.cgroup == nullptr) {
        if (!input.sub_cgroups.empty()) {
            return fail(Errc::invalid_argument, "--cgroup: the container has no cgroup");
        }
        return {};
    }
    plan.cgroup = *input.cgroup;
    if (input.unit != nullptr) {
        plan.unit.emplace().scope.unit = *input.unit;
    }
    if (plan.cgroup->v2 && input.sub_cgroups.size() > 1) {
        return fail(Errc::invalid_argument, "--cgroup: on cgroup v2 a process is in one cgroup");
    }
    for (const std::string& sub : input.sub_cgroups) {
        KNARR_TRY(plan_sub_cgroup(sub, *plan.cgroup));
    }
    plan.join->sub_cgroup = !input.sub_cgroups.empty();
    return {};
}

/// A user namespace takes the right to raise limits and its /proc/self belongs to the host's root:
/// then these come before it is entered. Real-time classes and the memory policy are the child's.
void place_attributes(std::vector<Step> steps, bool user_namespace, LaunchPlan& plan) {
    for (Step& step : steps) {
        const bool early =
            std::holds_alternative<step::ProcSelf>(step.operation) ||
            (user_namespace && std::holds_alternative<step::Rlimits>(step.operation));
        (early ? plan.join->outside : plan.steps).push_back(std::move(step));
    }
}

}  // namespace

Result<LaunchPlan> plan_exec(ExecInput input, const sys::HostFacts& host) {
    const spec::RuntimeConfig& config = input.config;
    const spec::Process& process = *config.process;
    if (process.args.empty() || process.args.front().empty()) {
        return fail(Errc::invalid_argument, "there is nothing to run: the command is empty");
    }
    if (!process.cwd.starts_with('/')) {
        return fail(Errc::invalid_argument,
                    "the working directory \"{}\" is not an absolute path",
                    printable(process.cwd));
    }
    LaunchPlan plan;
    plan.id = input.id;
    const Namespaces namespaces = KNARR_TRY(plan_namespaces(config, host));
    JoinContainer& join = plan.join.emplace();
    join.pid = input.pid;
    join.namespaces = namespaces.created;
    for (const JoinNamespace& one : namespaces.joins) {
        join.namespaces |= one.type;
    }
    if (!namespaces.is_own(CLONE_NEWNS)) {
        join.root = input.rootfs;
    }
    KNARR_TRY(plan_affinity(process, join));
    KNARR_TRY(plan_cgroups(input, plan));
    if (input.resctrl != nullptr) {
        plan.resctrl = *input.resctrl;
    }

    if (process.terminal) {
        plan.steps.push_back({.name = "open a terminal",
                              .operation = step::Console{.size = process.console_size,
                                                         .on_dev_console = false,
                                                         .owner = process.user.uid}});
    }
    if (!input.no_new_keyring) {
        plan.steps.push_back({.name = "join the session keyring",
                              .operation = step::SessionKeyring{.name = "_ses." + input.id}});
    }
    place_attributes(
        KNARR_TRY(plan_process_attributes(config)), namespaces.is_own(CLONE_NEWUSER), plan);

    const bool asked = is_annotated(config, kKeepGroups);
    const bool denied = namespaces.id_maps && namespaces.id_maps->deny_setgroups;
    plan.identity = KNARR_TRY(plan_identity(config, host, asked || denied, plan.warnings));
    plan.identity.seccomp = std::move(input.seccomp);
    plan.program = {.args = process.args,
                    .env = process.env,
                    .cwd = process.cwd,
                    .preserve_fds = input.preserve_fds};
    return plan;
}

}  // namespace knarr::runtime::native
