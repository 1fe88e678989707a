#include <algorithm>

#include "cli/containers.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr Option kImagePath{.name = "image-path",
                            .value = "DIR",
                            .help = "directory of the image files",
                            .fallback = "checkpoint"};
constexpr Option kWorkPath{
    .name = "work-path", .value = "DIR", .help = "directory of CRIU's log and other working files"};
constexpr Option kParentPath{.name = "parent-path",
                             .value = "DIR",
                             .help =
                                 "an earlier image that this one adds to; relative to "
                                 "--image-path"};
constexpr Option kTcp{.name = "tcp-established", .help = "with connected TCP sockets"};
constexpr Option kUnix{.name = "ext-unix-sk",
                       .help = "with Unix sockets whose other end is outside"};
constexpr Option kShellJob{.name = "shell-job", .help = "with processes on the caller's terminal"};
constexpr Option kLazyPages{.name = "lazy-pages", .help = "memory is brought when it is touched"};
constexpr Option kFileLocks{.name = "file-locks", .help = "with file locks"};
constexpr Option kManageCgroups{.name = "manage-cgroups-mode",
                                .value = "MODE",
                                .help = "soft, full, strict or ignore",
                                .fallback = "soft"};
constexpr Option kEmptyNs{.name = "empty-ns",
                          .value = "NAMESPACE",
                          .help = "make this namespace empty: network",
                          .repeatable = true};
constexpr Option kNetworkLock{.name = "network-lock",
                              .value = "METHOD",
                              .help = "how traffic is stopped: iptables, nftables or skip",
                              .fallback = "CRIU's own"};
constexpr Option kAutoDedup{.name = "auto-dedup", .help = "drop memory that a later image has"};

constexpr std::array kCheckpointOptions{
    kImagePath,
    kWorkPath,
    kParentPath,
    Option{.name = "leave-running", .help = "let the container run on"},
    kTcp,
    kUnix,
    kShellJob,
    kLazyPages,
    Option{.name = "link-remap", .help = "give files back that have lost their name"},
    Option{.name = "tcp-skip-in-flight", .help = "without TCP connections that are being made"},
    Option{.name = "status-fd", .value = "FD", .help = "not built yet"},
    Option{.name = "page-server", .value = "ADDRESS:PORT", .help = "send memory there"},
    kFileLocks,
    Option{.name = "pre-dump", .help = "memory alone; the container runs on"},
    kManageCgroups,
    kEmptyNs,
    kNetworkLock,
    kAutoDedup,
};

constexpr std::array kRestoreOptions{
    kBundleOption,
    kConsoleSocketOption,
    kImagePath,
    kWorkPath,
    kParentPath,
    Option{.name = "detach", .letter = 'd', .help = "leave when the processes run"},
    kPidFileOption,
    kNoSubreaperOption,
    Option{.name = "no-pivot", .help = "no effect: CRIU changes the root"},
    kTcp,
    kUnix,
    kShellJob,
    kLazyPages,
    kFileLocks,
    kManageCgroups,
    kEmptyNs,
    kNetworkLock,
    kAutoDedup,
    Option{.name = "tcp-close", .help = "TCP connections come back closed"},
    Option{.name = "lsm-profile", .value = "TYPE:NAME", .help = "apparmor:NAME or selinux:LABEL"},
    Option{.name = "lsm-mount-context", .value = "LABEL", .help = "SELinux label of mounts"},
};

Result<CriuOptions> criu_options(const Parsed& args) {
    CriuOptions out;
    out.image_path = args.get("image-path", "checkpoint");
    out.work_path = args.get("work-path");
    out.parent_path = args.get("parent-path");
    if (out.image_path.empty()) {
        return fail(Errc::invalid_argument, "option --image-path is empty");
    }
    if (out.parent_path.starts_with('/')) {
        return fail(Errc::invalid_argument,
                    "option --parent-path: \"{}\" is absolute; it is relative to --image-path",
                    printable(out.parent_path));
    }
    out.tcp_established = args.flag("tcp-established");
    out.external_unix = args.flag("ext-unix-sk");
    out.shell_job = args.flag("shell-job");
    out.lazy_pages = args.flag("lazy-pages");
    out.file_locks = args.flag("file-locks");
    out.auto_dedup = args.flag("auto-dedup");
    out.manage_cgroups = args.get("manage-cgroups-mode", "soft");
    constexpr std::array<std::string_view, 4> kModes{"soft", "full", "strict", "ignore"};
    if (std::ranges::find(kModes, out.manage_cgroups) == kModes.end()) {
        return fail(Errc::invalid_argument,
                    "option --manage-cgroups-mode: \"{}\" is none of soft, full, strict, ignore",
                    printable(out.manage_cgroups));
    }
    out.network_lock = args.get("network-lock");
    constexpr std::array<std::string_view, 3> kLocks{"iptables", "nftables", "skip"};
    if (args.has("network-lock") && std::ranges::find(kLocks, out.network_lock) == kLocks.end()) {
        return fail(Errc::invalid_argument,
                    "option --network-lock: \"{}\" is none of iptables, nftables, skip",
                    printable(out.network_lock));
    }
    for (const std::string_view name : args.all("empty-ns")) {
        if (name != "network") {
            return fail(Errc::invalid_argument,
                        "option --empty-ns: \"{}\" is not network, the only one that CRIU can "
                        "make empty",
                        printable(name));
        }
        out.empty_namespaces.emplace_back(name);
    }
    return out;
}

Result<int> run_checkpoint(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    CheckpointRequest request{.criu = KNARR_TRY(criu_options(args))};
    request.leave_running = args.flag("leave-running");
    request.link_remap = args.flag("link-remap");
    request.skip_in_flight = args.flag("tcp-skip-in-flight");
    request.pre_dump = args.flag("pre-dump");
    request.page_server = args.get("page-server");
    const std::size_t colon = request.page_server.rfind(':');
    const bool bad = colon == std::string::npos || colon == 0 ||
                     !parse_number(std::string_view(request.page_server).substr(colon + 1), 65535);
    if (!request.page_server.empty() && bad) {
        return fail(Errc::invalid_argument,
                    "option --page-server: \"{}\" is not ADDRESS:PORT",
                    printable(request.page_server));
    }
    if (args.has("status-fd")) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "--status-fd is not built yet",
                          .hint = "criu lazy-pages says itself when it is ready"});
    }
    Engine engine = KNARR_TRY(open_engine(context));
    KNARR_TRY(engine.checkpoint(id, request));
    return 0;
}

Result<int> run_restore(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    if (args.has("console-socket")) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "containers with a terminal are not restored yet",
                          .hint = "set process.terminal to false before the checkpoint"});
    }
    RestoreRequest request{.id = std::string(id),
                           .bundle = std::string(args.get("bundle", ".")),
                           .criu = KNARR_TRY(criu_options(args)),
                           .pid_file = std::string(args.get("pid-file")),
                           .lsm_profile = std::string(args.get("lsm-profile")),
                           .lsm_mount_context = std::string(args.get("lsm-mount-context")),
                           .tcp_close = args.flag("tcp-close"),
                           .detach = args.flag("detach")};
    Engine engine = KNARR_TRY(open_engine(context));
    return engine.restore(request);
}

}  // namespace

constexpr Verb kCheckpoint{
    .name = "checkpoint",
    .synopsis = "[options] ID",
    .summary = "write a running container into files, by CRIU",
    .about =
        "Has the program criu write the container's processes into files, and removes the\n"
        "container unless --leave-running or --pre-dump is given. When it fails, the container\n"
        "runs on, and the error has the last line of CRIU's log and where that is.",
    .example = "knarr checkpoint --image-path /var/tmp/web web",
    .options = kCheckpointOptions,
    .run = run_checkpoint,
};

constexpr Verb kRestore{
    .name = "restore",
    .synopsis = "[options] ID",
    .summary = "make a container of the files of a checkpoint, by CRIU",
    .about =
        "Has the program criu make the processes again that a checkpoint wrote, as a container\n"
        "with the bundle's cgroup, limits, volumes and hooks poststart and poststop. What of the\n"
        "host the container sees is what the bundle says, not what the files say. Restore only\n"
        "files that you trust: they are the processes' memory.",
    .example = "knarr restore --bundle /bundles/web --image-path /var/tmp/web --detach web",
    .options = kRestoreOptions,
    .run = run_restore,
};

}  // namespace knarr::cli
