#include "engine/criu.h"

#include <algorithm>
#include <functional>

#include "core/limits.h"
#include "core/text.h"
#include "engine/container_volumes.h"
#include "platform/file.h"
#include "platform/run_program.h"

namespace knarr::engine {

namespace {

constexpr std::chrono::hours kMaxRun{24};  // a dump over a slow network takes its time
constexpr std::uint64_t kOldest = 3;       // the first major version with --external mnt[]

bool is_bind(const spec::Mount& mount) {
    return mount.type == "bind" || has_option(mount, "bind") || has_option(mount, "rbind");
}

void add_common(std::vector<std::string>& out, const CriuOptions& criu, const char* log) {
    out.insert(out.end(), {"-D", criu.image_path, "-o", log, "-v4"});
    const auto with = [&](const char* name, const std::string& value) {
        if (!value.empty()) {
            out.insert(out.end(), {name, value});
        }
    };
    with("-W", criu.work_path);
    with("--prev-images-dir", criu.parent_path);
    with("--network-lock", criu.network_lock);
    out.push_back("--manage-cgroups=" + criu.manage_cgroups);
    const std::pair<bool, const char*> flags[] = {{criu.tcp_established, "--tcp-established"},
                                                  {criu.external_unix, "--ext-unix-sk"},
                                                  {criu.shell_job, "--shell-job"},
                                                  {criu.lazy_pages, "--lazy-pages"},
                                                  {criu.file_locks, "--file-locks"},
                                                  {criu.auto_dedup, "--auto-dedup"}};
    for (const auto& [given, flag] : flags) {
        if (given) {
            out.emplace_back(flag);
        }
    }
    for (const std::string& name : criu.empty_namespaces) {
        out.insert(out.end(), {"--empty-ns", name == "network" ? "net" : name});
    }
}

}  // namespace

std::vector<ExternalMount> external_mounts(const bundle::Bundle& bundle,
                                           const std::function<bool(const std::string&)>& is_file) {
    std::vector<ExternalMount> out;
    for (const spec::Mount& mount : bundle.config.mounts) {
        if (is_bind(mount)) {
            const bool relative = !mount.source.starts_with('/');
            out.push_back(
                {.target = mount.destination,
                 .source = relative ? bundle.directory + "/" + mount.source : mount.source});
        }
    }
    if (bundle.config.linux_) {
        for (const std::string& path : bundle.config.linux_->masked_paths) {
            if (is_file(path)) {
                out.push_back({.target = path, .source = "/dev/null"});
            }
        }
    }
    return out;
}

std::vector<std::string> dump_arguments(const CheckpointRequest& request, const DumpPlan& plan) {
    std::vector<std::string> out{"criu",
                                 request.pre_dump ? "pre-dump" : "dump",
                                 "-t",
                                 fmt::format("{}", plan.pid),
                                 "--root",
                                 plan.rootfs};
    add_common(out, request.criu, "dump.log");
    if (!plan.freezer.empty()) {
        out.insert(out.end(), {"--freeze-cgroup", plan.freezer});
    }
    for (const ExternalMount& mount : plan.mounts) {
        out.insert(out.end(), {"--external", fmt::format("mnt[{0}]:{0}", mount.target)});
    }
    out.emplace_back("--evasive-devices");  // a device node may have moved since it was opened
    if (request.pre_dump || !request.criu.parent_path.empty()) {
        out.emplace_back("--track-mem");
    }
    const std::pair<bool, const char*> flags[] = {{request.leave_running, "--leave-running"},
                                                  {request.link_remap, "--link-remap"},
                                                  {request.skip_in_flight, "--skip-in-flight"}};
    for (const auto& [given, flag] : flags) {
        if (given) {
            out.emplace_back(flag);
        }
    }
    if (!request.page_server.empty()) {
        const std::size_t colon = request.page_server.rfind(':');
        out.insert(out.end(),
                   {"--page-server",
                    "--address",
                    request.page_server.substr(0, colon),
                    "--port",
                    request.page_server.substr(colon + 1)});
    }
    return out;
}

std::vector<std::string> restore_arguments(const RestoreRequest& request, const RestorePlan& plan) {
    std::vector<std::string> out{"criu", "restore", "--root", plan.rootfs};
    add_common(out, request.criu, "restore.log");
    // Detached and a sibling: the container's first process is our child, as after a create.
    out.insert(out.end(), {"--restore-detached", "--restore-sibling", "--pidfile", plan.pid_file});
    for (const ExternalMount& mount : plan.mounts) {
        out.insert(out.end(),
                   {"--external", fmt::format("mnt[{}]:{}", mount.target, mount.source)});
    }
    for (std::size_t i = 0; i < plan.pipes.size(); ++i) {
        if (!plan.pipes[i].empty()) {
            out.insert(out.end(), {"--inherit-fd", fmt::format("fd[{}]:{}", i, plan.pipes[i])});
        }
    }
    if (plan.cgroup != nullptr && request.criu.manage_cgroups != "ignore") {
        for (const sys::CgroupDir& dir : plan.cgroup->dirs) {
            out.insert(out.end(),
                       {"--cgroup-root",
                        dir.controllers.empty() ? dir.path
                                                : fmt::format("{}:{}", dir.controllers, dir.path)});
        }
    }
    const auto with = [&](const char* name, const std::string& value) {
        if (!value.empty()) {
            out.insert(out.end(), {name, value});
        }
    };
    with("--lsm-profile", request.lsm_profile);
    with("--lsm-mount-context", request.lsm_mount_context);
    with("--config", plan.config_file);
    if (request.tcp_close) {
        out.emplace_back("--tcp-close");
    }
    return out;
}

Result<std::string> find_criu() {
    const std::optional<std::string> path = sys::find_program("criu");
    if (!path) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "there is no program criu in PATH, which does the work",
                          .hint = "install CRIU (Debian: criu)"});
    }
    constexpr std::size_t kMaxVersion = 4096;
    const sys::Ended ended = KNARR_TRY(sys::run_program({.path = *path,
                                                         .args = {"criu", "--version"},
                                                         .env = sys::whole_environment(),
                                                         .input = {},
                                                         .timeout = std::chrono::seconds(60),
                                                         .max_output = kMaxVersion}));
    constexpr std::string_view kVersion = "Version: ";
    const std::size_t at = ended.output.find(kVersion);
    const std::string_view version =
        at == std::string::npos ? std::string_view()
                                : std::string_view(ended.output).substr(at + kVersion.size());
    const auto major = parse_number(version.substr(0, version.find('.')));
    if (!major || *major < kOldest) {
        return fail(
            Error{.code = Errc::unsupported,
                  .message = fmt::format("{} --version says \"{}\", which is not CRIU {} or "
                                         "newer",
                                         *path,
                                         printable(ended.output, 128),
                                         kOldest),
                  .hint = "install a newer CRIU"});
    }
    return *path;
}

std::string failure_in_log(std::string_view log) {
    std::string_view last, error;
    for (const std::string_view line : split(log, '\n')) {
        last = line.empty() ? last : line;
        error = line.find("Error (") != std::string_view::npos ? line : error;
    }
    return printable(error.empty() ? last : error, 512);
}

Result<> run_criu(const CriuRun& run) {
    const sys::Ended ended = KNARR_TRY(sys::run_program({.path = run.program,
                                                         .args = run.arguments,
                                                         .env = sys::whole_environment(),
                                                         .input = {},
                                                         .timeout = std::chrono::seconds(kMaxRun),
                                                         .keep_stdio = run.stdio == CriuStdio::ours,
                                                         .mount_point = run.root,
                                                         .held = run.lock}));
    if (ended.exit_code == 0 && ended.signal == 0 && !ended.timed_out) {
        return {};
    }
    constexpr std::size_t kMaxLog = 64 * size::kMiB;
    const std::string log = sys::read_file(run.log_file, kMaxLog).value_or("");
    const std::string why = log.empty() ? printable(ended.error_output, 512) : failure_in_log(log);
    return fail(
        Error{.code = Errc::unsupported,
              .message = fmt::format(
                  "criu {} failed: {}", run.arguments[1], why.empty() ? "it gives no reason" : why),
              .hint = fmt::format("its log is {}; criu check tells what this kernel lacks",
                                  printable(run.log_file))});
}

}  // namespace knarr::engine
