#include "engine/doctor.h"

#include <algorithm>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "core/text.h"
#include "engine/context.h"
#include "engine/live.h"
#include "engine/monitor_lock.h"
#include "engine/monitor_start.h"
#include "engine/owner.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/run_program.h"
#include "platform/spawn.h"
#include "runtime/launch/launch.h"
#include "runtime/launch/user_maps.h"
#include "runtime/native/user_cgroup.h"

namespace knarr::engine {

namespace {

using Verdict = Finding::Verdict;

std::optional<Error> error_of(const auto& result) {
    return result ? std::nullopt : std::optional<Error>(result.error());
}

/// Makes a file and removes it.
Result<> try_to_write(const std::string& path) {
    const sys::Fd dir = KNARR_TRY(sys::make_dirs(path, 0700));
    const std::string name = fmt::format(".doctor-{}", sys::own_pid());
    KNARR_TRY(sys::open_at(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    return sys::unlink_at(dir, name);
}

/// A process in namespaces of its own, as a container has them.
Result<> try_namespaces() {
    std::uint64_t flags =
        CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    flags |= sys::effective_uid() == 0 ? 0U : CLONE_NEWUSER;
    const sys::Clone clone = KNARR_TRY(sys::clone_process(flags));
    if (clone.in_child()) {
        _exit(0);
    }
    KNARR_TRY(sys::reap(clone.pidfd));
    return {};
}

/// What images take of an ordinary user: files of other users, and an overlay over them.
Result<> try_images(const std::string& data_root) {
    const sys::Fd root = KNARR_TRY(sys::make_dirs(data_root, 0700));
    const std::string name = fmt::format(".doctor-{}.d", sys::own_pid());
    const std::string path = fmt::format("{}/{}", data_root, name);
    const bool others = runtime::subordinate_count(runtime::probe_user_maps()) > 0;
    const Result<> tried = do_as_owner([&]() -> Result<> {
        KNARR_TRY(sys::make_dir_at(root, name, 0700));
        const sys::Fd dir = KNARR_TRY(sys::open_at(root, name, O_RDONLY | O_DIRECTORY));
        for (const char* part : {"lower", "below", "upper", "work"}) {
            KNARR_TRY(sys::make_dir_at(dir, part, 0755));
        }
        if (others) {
            KNARR_TRY(sys::set_owner_at(dir, "lower", 1, 1));
        }
        const auto mounted = runtime::open_root_source(
            bundle::OverlayRoot{.lowers = {path + "/lower", path + "/below"},
                                .upper = path + "/upper",
                                .work = path + "/work",
                                .merged = {},
                                .discard = false});
        return mounted ? Result<>{}
                       : fail(Error(mounted.error())
                                  .advise("use Linux 5.11 or newer, and a data directory on a "
                                          "local file system (--data-root): overlays in user "
                                          "namespaces need both"));
    });
    const Result<> gone = remove_owned_tree(root, name);
    return tried ? gone : tried;
}

void count_containers(const std::string& path, Trials& out) {
    const auto root = StateRoot::open(path);
    const auto ids = root ? root->ids() : Result<std::vector<std::string>>(fail(root.error()));
    if (!ids) {
        return;  // told as state_root
    }
    const Context context{.root = *root, .warn = [](std::string_view) {}};
    for (const std::string& text : *ids) {
        const auto id = ContainerId::parse(text);
        const auto seen = id ? look(context, *id) : Result<std::optional<Seen>>(fail(id.error()));
        if (!seen) {
            out.damaged += seen.error().code == Errc::corrupt ? 1 : 0;
            continue;
        }
        if (!*seen || !(*seen)->record.life || !(*seen)->live.process.valid()) {
            continue;
        }
        const auto dir = root->open_dir(*id);
        const auto watched = dir ? is_watched(*dir) : Result<bool>(true);
        out.unwatched += watched && !*watched ? 1 : 0;
    }
}

class Diagnosis {
public:
    void good(std::string name, std::string what) {
        add({.name = std::move(name),
             .verdict = Verdict::good,
             .what = std::move(what),
             .mend = {}});
    }
    void bad(std::string name, Verdict verdict, std::string what, std::string mend) {
        add({.name = std::move(name),
             .verdict = verdict,
             .what = std::move(what),
             .mend = std::move(mend)});
    }
    /// A trial: good, or its error with the fix.
    void trial(std::string name, const std::optional<Error>& failed, std::string works) {
        if (!failed) {
            good(std::move(name), std::move(works));
        } else {
            bad(std::move(name),
                Verdict::broken,
                failed->message,
                failed->hint.empty() ? std::string(describe(failed->code).hint) : failed->hint);
        }
    }
    std::vector<Finding> take() { return std::move(all_); }

private:
    void add(Finding finding) { all_.push_back(std::move(finding)); }
    std::vector<Finding> all_;
};

void judge_kernel(const sys::HostFacts& host, Diagnosis& out) {
    const std::string name = "kernel";
    if (!host.kernel_at_least(5, 11)) {
        out.bad(name,
                Verdict::broken,
                fmt::format("Linux {} is too old", host.kernel_release),
                "use Linux 5.11 or newer");
    } else if (!host.kernel_at_least(6, 15)) {
        out.bad(name,
                Verdict::limited,
                fmt::format("Linux {}: after a second killed monitor an exit code may be unknown",
                            host.kernel_release),
                "use Linux 6.15 or newer, which tells exit codes to every process that asks");
    } else {
        out.good(name, "Linux " + host.kernel_release);
    }
}

constexpr const char* kDelegate =
    "have a cgroup delegated: systemd-run --user --scope -p Delegate=yes knarr ...";

void judge_cgroups(const sys::HostFacts& host,
                   const HostReport& report,
                   const Trials& trials,
                   Diagnosis& out) {
    const std::string layout(name_of(report.cgroup_layout));
    if (!trials.delegated.value_or(true)) {
        out.bad(
            "cgroups",
            Verdict::limited,
            fmt::format(
                "{}: none is delegated to user {}: no limits, pause and update", layout, host.uid),
            kDelegate);
        return;
    }
    std::string missing;
    for (const char* controller : {"memory", "cpu", "pids"}) {
        if (std::ranges::find(report.cgroup_controllers, controller) ==
            report.cgroup_controllers.end()) {
            missing += (missing.empty() ? "" : ", ") + std::string(controller);
        }
    }
    if (missing.empty()) {
        out.good("cgroups", layout + " with memory, cpu and pids");
        return;
    }
    out.bad("cgroups",
            Verdict::limited,
            fmt::format("{}: no limits of {}", layout, missing),
            host.uid == 0 ? "enable them in /sys/fs/cgroup/cgroup.subtree_control, or mount the v1 "
                            "hierarchies; cgroup_enable=memory on the kernel's command line"
                          : kDelegate);
}

void judge_features(const HostReport& report, Diagnosis& out) {
    for (const Feature& feature : report.features) {
        if (feature.available) {
            continue;
        }
        if (feature.name == "overlay") {
            out.bad("overlay",
                    Verdict::limited,
                    "images cannot be run: " + feature.reason,
                    "modprobe overlay");
        } else if (feature.name == "seccomp") {
            out.bad("seccomp",
                    Verdict::broken,
                    feature.reason,
                    "use a kernel with CONFIG_SECCOMP_FILTER");
        } else if (feature.name == "user_namespace") {
            out.bad("user namespaces",
                    Verdict::limited,
                    feature.reason,
                    "sysctl -w user.max_user_namespaces=15000");
        }
    }
}

void try_as_user(const std::string& data_root, Trials& out) {
    if (sys::effective_uid() == 0) {
        return;
    }
    std::vector<std::string> warnings;
    const auto host = sys::probe_host();
    const auto own =
        host ? runtime::native::delegated_host({}, *host, warnings) : fail(host.error());
    out.delegated = own && own->has_value();
    out.subordinate_ids = runtime::subordinate_count(runtime::probe_user_maps());
    out.subordinate_hint = runtime::subordinate_hint();
    if (!out.data_root) {
        out.user_images = error_of(try_images(data_root));
    }
}

void judge_ordinary_user(const sys::HostFacts& host, const Trials& trials, Diagnosis& out) {
    constexpr std::uint64_t kUsual = 65535;  // besides user 0: IDs of 16 bits, as most images have
    if (!trials.subordinate_ids) {
        return;
    }
    if (!trials.data_root) {
        out.trial("images", trials.user_images, "an image's files can be made and mounted");
    }
    const std::string name = "subordinate IDs";
    const std::uint64_t count = *trials.subordinate_ids;
    if (count == 0) {
        out.bad(name,
                Verdict::limited,
                fmt::format("/etc/subuid and /etc/subgid give user {} none: a container has one "
                            "user, and images with files of others cannot be run",
                            host.uid),
                trials.subordinate_hint);
    } else if (count < kUsual) {
        out.bad(name,
                Verdict::limited,
                fmt::format("{}: images with files of users above {} cannot be run", count, count),
                trials.subordinate_hint);
    } else {
        out.good(name, fmt::format("{}: so many users besides you can a container have", count));
    }
}

}  // namespace

Trials try_out(const std::string& root, const std::string& data_root) {
    Trials out;
    out.state_root = error_of(StateRoot::open(root));
    if (!out.state_root) {
        out.state_root = error_of(try_to_write(root));
    }
    out.data_root = error_of(try_to_write(data_root));
    out.namespaces = error_of(try_namespaces());
    out.monitor_program = error_of(sys::open_own_program(kMonitorProgram));
    out.pull_program = error_of(sys::open_own_program("knarr-pull"));
    out.erofs_layers = erofs_layers(data_root);
    out.newuidmap = sys::effective_uid() == 0 ||
                    (sys::find_program("newuidmap") && sys::find_program("newgidmap"));
    out.ps = sys::find_program("ps").has_value();
    out.criu = sys::find_program("criu").has_value();
    try_as_user(data_root, out);
    count_containers(root, out);
    return out;
}

std::vector<Finding> diagnose(const sys::HostFacts& host,
                              const HostReport& report,
                              const Trials& trials) {
    Diagnosis out;
    judge_kernel(host, out);
    out.trial("namespaces", trials.namespaces, "a process in namespaces of its own was made");
    judge_cgroups(host, report, trials, out);
    judge_ordinary_user(host, trials, out);
    judge_features(report, out);
    out.trial("state directory", trials.state_root, "can be written");
    out.trial("data directory", trials.data_root, "can be written");
    out.trial("knarr-monitor", trials.monitor_program, "is there: run -d works");
    out.trial("knarr-pull", trials.pull_program, "is there: pull works");
    if (!trials.erofs_layers.available) {
        out.bad("erofs layers",
                Verdict::limited,
                trials.erofs_layers.reason,
                "nothing, if --snapshot-driver dir is fast enough");
    }
    if (!trials.newuidmap) {
        out.bad("newuidmap",
                Verdict::limited,
                "not there: one user per container",
                "apt-get install uidmap");
    }
    if (!trials.ps) {
        out.bad("ps", Verdict::limited, "not there: knarr ps ID fails", "apt-get install procps");
    }
    if (!trials.criu) {
        out.bad("criu", Verdict::limited, "not there: checkpoint and restore fail", "install criu");
    }
    if (trials.damaged > 0 || trials.unwatched > 0) {
        out.bad("containers",
                Verdict::limited,
                fmt::format("{} with a damaged record, {} that nobody watches",
                            trials.damaged,
                            trials.unwatched),
                "knarr recover");
    }
    return out.take();
}

}  // namespace knarr::engine
