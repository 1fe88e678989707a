#include "engine/checkpoint.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>

#include "bundle/read.h"
#include "core/limits.h"
#include "core/text.h"
#include "engine/attend.h"
#include "engine/checkpoint_label.h"
#include "engine/conclude.h"
#include "engine/container_plan.h"
#include "engine/criu.h"
#include "engine/destroy.h"
#include "engine/handed_over.h"
#include "engine/hook_output.h"
#include "engine/kept_config.h"
#include "engine/live.h"
#include "engine/never_ran.h"
#include "engine/new_container.h"
#include "engine/new_record.h"
#include "engine/seccomp_agent.h"
#include "platform/cgroup.h"
#include "platform/cgroup_freeze.h"
#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/signal.h"
#include "runtime/launch/launch.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

constexpr const char* kDescriptors = "descriptors.json";  // as runc calls it
constexpr const char* kPidFile = "restored.pid";
constexpr const char* kConfigAnnotation = "org.criu.config";
constexpr std::size_t kMaxDescriptors = 64 * size::kKiB;

std::string log_path(const CriuOptions& criu, const char* name) {
    return (criu.work_path.empty() ? criu.image_path : criu.work_path) + "/" + name;
}

/// The directories that CRIU writes to, for us alone: an image is all of a process's memory.
Result<> make_directories(const CriuOptions& criu) {
    for (const std::string& path : {criu.image_path, criu.work_path}) {
        if (!path.empty()) {
            KNARR_TRY(sys::make_dirs(path, 0700), "directory {}", printable(path));
        }
    }
    return {};
}

std::string freezer_of(const Record& record) {
    if (!record.cgroup) {
        return {};
    }
    for (const sys::CgroupDir& dir : record.cgroup->dirs) {
        const auto controllers = split(dir.controllers, ',');
        if (std::ranges::find(controllers, "freezer") != controllers.end() || record.cgroup->v2) {
            return dir.mount_point + dir.path;
        }
    }
    return {};
}

/// Where stdin, stdout and stderr of the container lead: those that are pipes are handed over again
/// at restore.
Result<> save_descriptors(const Record& record, const CriuOptions& criu) {
    std::vector<std::string> links;
    const sys::Fd proc =
        KNARR_TRY(sys::open_path(fmt::format("/proc/{}/fd", record.pid), O_RDONLY | O_DIRECTORY));
    for (const char* number : {"0", "1", "2"}) {
        links.push_back(sys::read_link_at(proc, number).value_or(""));
    }
    spec::JsonWriter json;
    json.value(links);
    const sys::Fd dir = KNARR_TRY(sys::open_path(criu.image_path, O_RDONLY | O_DIRECTORY));
    return sys::replace_file(dir, kDescriptors, std::move(json).text(), 0600);
}

Result<std::vector<std::string>> load_pipes(const CriuOptions& criu) {
    const auto text = sys::read_file(criu.image_path + "/" + kDescriptors, kMaxDescriptors);
    if (!text && text.error().sys_errno == ENOENT) {
        return std::vector<std::string>{};
    }
    if (!text) {
        return fail(text.error());
    }
    const auto document = KNARR_TRY(spec::JsonDocument::parse(*text, {.name = kDescriptors}));
    std::vector<std::string> links;
    KNARR_TRY(spec::read_json(document.root(), links));
    links.resize(std::min<std::size_t>(links.size(), 3));
    for (std::string& link : links) {
        // It becomes an argument: nothing but what the kernel writes about a pipe.
        const bool pipe = link.starts_with("pipe:[") && link.ends_with(']') &&
                          parse_number(std::string_view(link).substr(6, link.size() - 7));
        link = pipe ? link : "";
    }
    return links;
}

/// One that ran still runs: a criu that fails may leave the cgroup frozen behind it. One that was
/// killed may have killed the container's processes before, and then there are its files alone.
std::unexpected<Error> undo_dump(const Context& context,
                                 const Held& held,
                                 const CriuOptions& criu,
                                 const std::vector<std::string>& before,
                                 Error error) {
    const Record& record = held.record;
    if (held.live.state == ContainerState::running && record.cgroup &&
        sys::is_frozen(*record.cgroup)) {
        const Result<> thawed = sys::thaw_cgroup(*record.cgroup);
        if (!thawed) {
            context.warn(thawed.error().message);
        }
    }
    constexpr std::chrono::milliseconds kDying{100};
    const auto ended = sys::wait_ended(held.live.process, kDying);
    if (ended && *ended) {
        error.message += "; the container has ended, and what is in " + printable(criu.image_path) +
                         " may be all of it";
    } else {
        remove_new_images(criu.image_path, before);
    }
    return fail(std::move(error));
}

}  // namespace

Result<> checkpoint_container(const Context& context,
                              const ContainerId& id,
                              const CheckpointRequest& request) {
    const std::string what = "container " + id.text();
    Held held = KNARR_TRY(hold(context, id));
    const Record& record = held.record;
    KNARR_TRY(next_state(record, held.live, Transition::checkpoint));
    if (!record.image.empty()) {
        return fail(Errc::unsupported,
                    "container {}: checkpoints of containers made from images are not built yet",
                    id.text());
    }
    const std::string criu = KNARR_TRY(find_criu(), "checkpoint of {}", id.text());
    const bundle::Bundle bundle = KNARR_TRY(bundle::read_bundle(record.bundle, record.config_file));
    const sys::Fd root =
        KNARR_TRY(sys::open_path(fmt::format("/proc/{}/root", record.pid), O_PATH | O_DIRECTORY));
    const DumpPlan plan{
        .pid = record.pid,
        .rootfs = record.rootfs,
        .freezer = freezer_of(record),
        .mounts = external_mounts(bundle, [&](const std::string& path) {
            const Result<sys::Fd> found = sys::open_in_root(root, path, O_PATH | O_NOFOLLOW);
            const auto stat = found ? sys::stat_of(*found) : fail(Errc::io, "not there");
            return stat && !S_ISDIR(stat->st_mode);
        })};
    KNARR_TRY(make_directories(request.criu), "checkpoint of {}", id.text());
    KNARR_TRY(save_descriptors(record, request.criu), "checkpoint of {}", id.text());
    const std::vector<std::string> before = image_files(request.criu.image_path);
    Result<> dumped = run_criu({.program = criu,
                                .arguments = dump_arguments(request, plan),
                                .log_file = log_path(request.criu, "dump.log"),
                                .stdio = CriuStdio::dropped,
                                .root = {}});
    if (!dumped) {
        return undo_dump(
            context, held, request.criu, before, std::move(dumped).error().within(what));
    }
    // CRIU has done it: what fails from here on takes nobody's checkpoint away.
    const Result<> labelled = label_checkpoint(request.criu.image_path, request.pre_dump);
    if (!labelled) {
        context.warn(fmt::format(
            "the checkpoint of {} has no checksums: {}", id.text(), labelled.error().message));
    }
    if (request.leave_running || request.pre_dump) {
        return {};
    }
    return destroy(context, held.dir, record);
}

namespace {

/// The pid that criu wrote, as a process of ours that cannot be mistaken.
Result<sys::Fd> take_restored(const std::string& pid_path, Record& record) {
    constexpr std::size_t kMaxPid = 32;
    const std::string text = KNARR_TRY(sys::read_file(pid_path, kMaxPid), "what criu restored");
    const auto pid = parse_number(std::string_view(text).substr(0, text.find('\n')), INT32_MAX);
    if (!pid || *pid == 0) {
        return fail(Errc::io, "what criu restored: \"{}\" is no pid", printable(text));
    }
    record.pid = static_cast<pid_t>(*pid);
    sys::Fd process = KNARR_TRY(sys::pidfd_open(record.pid));
    const auto stat = KNARR_TRY(sys::process_stat(record.pid));
    record.pid_start_ticks = stat ? stat->start_ticks : 0;
    return process;
}

Result<> refuse_what_is_not_restored(const NewContainer& wanted) {
    if (wanted.bundle.config.process && wanted.bundle.config.process->terminal) {
        return fail(Errc::unsupported,
                    "process.terminal is true: containers with a terminal are not restored yet");
    }
    if (wanted.bundle.config.linux_ && wanted.bundle.config.linux_->intel_rdt) {
        return fail(Errc::unsupported,
                    "linux.intelRdt: what is restored is not put into a class of resctrl yet");
    }
    if (!std::holds_alternative<bundle::DirRoot>(wanted.bundle.rootfs)) {
        return fail(Errc::internal, "a bundle without a directory as root");
    }
    return {};
}

/// Where the bundle's memory limit does not hold what the image has, that may be why CRIU failed.
Error with_memory(Error error, const CriuOptions& criu, const spec::RuntimeConfig& config) {
    const bool limited = config.linux_ && config.linux_->resources &&
                         config.linux_->resources->memory &&
                         config.linux_->resources->memory->limit.value_or(-1) > 0;
    const std::uint64_t held = limited ? memory_in(criu.image_path) : 0;
    if (held == 0 || held <= static_cast<std::uint64_t>(*config.linux_->resources->memory->limit)) {
        return error;
    }
    error.message += fmt::format(
        "; the checkpoint holds {} bytes of memory, and linux.resources.memory.limit of the bundle "
        "is {}",
        held,
        *config.linux_->resources->memory->limit);
    return error;
}

/// Everything between the ID and the running processes.
Result<sys::Fd> restore_processes(const Context& context,
                                  const RestoreRequest& request,
                                  const NewContainer& wanted,
                                  const runtime::LaunchPlan& plan,
                                  const LockedDir& dir,
                                  Record& record) {
    const std::string criu = KNARR_TRY(find_criu());
    KNARR_TRY(save_record(dir, record));
    KNARR_TRY(keep_config(dir, wanted.bundle.config, plan.identity.seccomp));
    KNARR_TRY(keep_seccomp_agent(dir, plan.identity));
    if (plan.cgroup) {
        if (Result<> made = sys::make_cgroup(*plan.cgroup); !made) {
            record.cgroup.reset();  // what we did not make is not ours to remove
            return fail(std::move(made).error());
        }
        record.restoring = true;
        KNARR_TRY(save_record(dir, record));
    }
    const auto annotation = wanted.bundle.config.annotations.find(kConfigAnnotation);
    const RestorePlan restore{
        .rootfs = record.rootfs,
        .pid_file = path_of(context, record.id) + "/" + kPidFile,
        .mounts = external_mounts(wanted.bundle, [](const std::string&) { return true; }),
        .pipes = KNARR_TRY(load_pipes(request.criu)),
        .cgroup = plan.cgroup ? &*plan.cgroup : nullptr,
        .config_file = annotation == wanted.bundle.config.annotations.end() ? std::string()
                                                                            : annotation->second};
    Result<> done = run_criu({.program = criu,
                              .arguments = restore_arguments(request, restore),
                              .log_file = log_path(request.criu, "restore.log"),
                              .stdio = CriuStdio::ours,
                              .root = record.rootfs,
                              .lock = &dir.lock_fd()});
    if (!done) {
        return fail(with_memory(std::move(done).error(), request.criu, wanted.bundle.config));
    }
    sys::Fd process = KNARR_TRY(take_restored(restore.pid_file, record));
    record.status = ContainerState::running;
    record.restoring = false;
    KNARR_TRY(save_record(dir, record));
    KNARR_TRY(sys::unlink_at(dir.fd(), kPidFile));
    if (!request.pid_file.empty()) {
        KNARR_TRY(write_pid_file(request.pid_file, record.pid));
    }
    KNARR_TRY(run_poststart(record));
    return process;
}

}  // namespace

Result<int> restore_container(const Context& context, const RestoreRequest& request) {
    if (context.cgroup_manager == CgroupManager::systemd) {
        return fail(
            Error{.code = Errc::unsupported,
                  .message = "restore: a restored container's cgroup cannot be systemd's yet",
                  .hint = "leave --systemd-cgroup out: cgroupfs is the default"});
    }
    NewContainer wanted = KNARR_TRY(read_request({.id = request.id,
                                                  .bundle = request.bundle,
                                                  .config = {},
                                                  .pid_file = {},
                                                  .console_socket = {},
                                                  .keep = request.detach}));
    wanted.auto_remove = !request.detach;
    const std::string what = "container " + wanted.id.text();
    KNARR_TRY(refuse_what_is_not_restored(wanted), "{}", what);
    KNARR_TRY(check_checkpoint(request.criu.image_path), "{}", what);
    const runtime::LaunchPlan plan =
        KNARR_TRY(plan_container(context, wanted, ConsoleWay::none), "{}", what);
    for (const std::string& warning : plan.warnings) {
        context.warn(warning);
    }
    if (!plan.hooks.prestart.empty() || !plan.hooks.create_runtime.empty()) {
        context.warn(
            "the hooks prestart and createRuntime are not run when a container is "
            "restored: its namespaces are CRIU's work");
    }
    std::optional<sys::SignalFd> signals;
    if (!request.detach) {
        signals.emplace(KNARR_TRY(sys::SignalFd::open(), "{}", what));
    }
    std::optional<LockedDir> dir(KNARR_TRY(take_id(context, wanted.id)));
    Record record = make_record(wanted, plan);
    Result<sys::Fd> process = restore_processes(context, request, wanted, plan, *dir, record);
    if (!process) {
        remove_pid_file(request.pid_file);
        undo(context, std::move(*dir), record);
        return fail(std::move(process).error().within(what));
    }
    dir.reset();
    if (request.detach) {
        return 0;
    }
    const int code = *KNARR_TRY(attend(*signals, *process, {}), "{}", what);
    KNARR_TRY(conclude(context, wanted, record, code), "{}", what);
    return code;
}

}  // namespace knarr::engine
