#include "runtime/native/plan.h"

#include <map>
#include <random>

#include <linux/sched.h>
#include <sys/mount.h>

#include "runtime/native/mounts.h"
#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::all_of;
using testing_config::first_of;
using testing_config::hybrid_host;
using testing_config::must_fail;
using testing_config::must_plan;
using testing_config::usual_bundle;
using testing_config::v1_host;
using testing_config::v2_host;

TEST(Plan, AnUsualConfigurationGivesThisText) {
    constexpr const char* kGolden = R"(container web
new namespaces: pid,network,mount,ipc,uts
cgroup /sys/fs/cgroup/systemd/web
cgroup /sys/fs/cgroup/memory/web
  memory.limit_in_bytes = 67108864
cgroup /sys/fs/cgroup/cpu,cpuacct/web
cgroup /sys/fs/cgroup/cpuset/web
cgroup /sys/fs/cgroup/pids/web
  pids.max = 100
cgroup /sys/fs/cgroup/devices/web
  devices.deny = a
  devices.allow = c *:* m
  devices.allow = b *:* m
  devices.allow = c 1:3 rwm
  devices.allow = c 1:5 rwm
  devices.allow = c 1:7 rwm
  devices.allow = c 1:8 rwm
  devices.allow = c 1:9 rwm
  devices.allow = c 5:0 rwm
  devices.allow = c 136:* rwm
  devices.allow = c 5:2 rwm
  devices.allow = c 10:200 rwm
cgroup /sys/fs/cgroup/blkio/web
cgroup /sys/fs/cgroup/freezer/web
cgroup /sys/fs/cgroup/hugetlb/web
cgroup /sys/fs/cgroup/net_cls,net_prio/web
steps:
   1 propagate flags=slave,recursive
   2 mount_root path=/bundles/web/rootfs
   3 mount fstype=proc source=proc target=/proc flags=nosuid,nodev,noexec
   4 mount fstype=tmpfs source=tmpfs target=/dev flags=nosuid,strictatime data=mode=755,size=65536k
   5 mount fstype=sysfs source=sysfs target=/sys flags=ro,nosuid,nodev,noexec
   6 mount fstype=devpts source=devpts target=/dev/pts flags=nosuid,noexec data=newinstance,ptmxmode=0666,mode=0620
   7 bind source=/srv/data target=/data recursive set=nosuid recursive_set=ro propagation=private,recursive
   8 device path=/dev/null device="c 1:3" mode=0666 owner=0:0
   9 device path=/dev/zero device="c 1:5" mode=0666 owner=0:0
  10 device path=/dev/full device="c 1:7" mode=0666 owner=0:0
  11 device path=/dev/random device="c 1:8" mode=0666 owner=0:0
  12 device path=/dev/urandom device="c 1:9" mode=0666 owner=0:0
  13 device path=/dev/tty device="c 5:0" mode=0666 owner=0:0
  14 symlink path=/dev/ptmx target=pts/ptmx
  15 symlink path=/dev/fd target=/proc/self/fd
  16 symlink path=/dev/stdin target=/proc/self/fd/0
  17 symlink path=/dev/stdout target=/proc/self/fd/1
  18 symlink path=/dev/stderr target=/proc/self/fd/2
  19 await_cgroup unshare_namespace
  20 mount fstype=tmpfs source=tmpfs target=/sys/fs/cgroup flags=nosuid,nodev,noexec data=mode=755
  21 mount fstype=cgroup source=cgroup target=/sys/fs/cgroup/systemd flags=ro,nosuid,nodev,noexec data=none,name=systemd
  22 mount fstype=cgroup source=cgroup target=/sys/fs/cgroup/memory flags=ro,nosuid,nodev,noexec data=memory
  23 mount fstype=cgroup source=cgroup target=/sys/fs/cgroup/cpu,cpuacct flags=ro,nosuid,nodev,noexec data=cpu,cpuacct
  24 symlink path=/sys/fs/cgroup/cpu target=cpu,cpuacct
  25 symlink path=/sys/fs/cgroup/cpuacct target=cpu,cpuacct
  26 mount fstype=cgroup source=cgroup target=/sys/fs/cgroup/cpuset flags=ro,nosuid,nodev,noexec data=cpuset
  27 mount fstype=cgroup source=cgroup target=/sys/fs/cgroup/pids flags=ro,nosuid,nodev,noexec data=pids
  28 mount fstype=cgroup source=cgroup target=/sys/fs/cgroup/devices flags=ro,nosuid,nodev,noexec data=devices
  29 mount fstype=cgroup source=cgroup target=/sys/fs/cgroup/blkio flags=ro,nosuid,nodev,noexec data=blkio
  30 mount fstype=cgroup source=cgroup target=/sys/fs/cgroup/freezer flags=ro,nosuid,nodev,noexec data=freezer
  31 mount fstype=cgroup source=cgroup target=/sys/fs/cgroup/hugetlb flags=ro,nosuid,nodev,noexec data=hugetlb
  32 mount fstype=cgroup source=cgroup target=/sys/fs/cgroup/net_cls,net_prio flags=ro,nosuid,nodev,noexec data=net_cls,net_prio
  33 symlink path=/sys/fs/cgroup/net_cls target=net_cls,net_prio
  34 symlink path=/sys/fs/cgroup/net_prio target=net_cls,net_prio
  35 remount target=/sys/fs/cgroup flags=ro,nosuid,nodev,noexec bind
  36 readonly_path path=/proc/sys
  37 mask path=/proc/kcore
  38 sysctl path=net/ipv4/ping_group_range value="0 0"
  39 hostname name=web
  40 pivot_root way=pivot
  41 session_keyring name=_ses.web
  42 loopback_up
  43 proc_self file=oom_score_adj text=100
  44 rlimits limits=7:1024:4096
user 1000:1000,5 umask 0022
capabilities bounding=401 effective=400 permitted=400 inheritable=401 ambient=400
no_new_privs true
cwd /srv
exec /bin/server --port=80
)";
    EXPECT_EQ(plan_text(must_plan(usual_bundle(), v1_host())), kGolden);
}

TEST(Plan, MoreStepsOnlyWhenTheyAreAskedFor) {
    bundle::Bundle bundle = usual_bundle();
    LaunchPlan plan = must_plan(bundle, v1_host());
    EXPECT_EQ(first_of<step::AwaitRuntimeHooks>(plan), -1);
    EXPECT_EQ(first_of<step::CreateContainerHooks>(plan), -1);
    EXPECT_EQ(first_of<step::Console>(plan), -1);
    EXPECT_EQ(first_of<step::ReadonlyRoot>(plan), -1);
    EXPECT_EQ(first_of<step::PropagateRoot>(plan), -1);

    bundle.config.hooks.create_runtime = {{.path = "/hook"}};
    bundle.config.hooks.create_container = {{.path = "/hook"}};
    bundle.config.process->terminal = true;
    bundle.config.process->console_size = spec::ConsoleSize{.height = 25, .width = 80};
    bundle.config.root->readonly = true;
    bundle.config.linux_->rootfs_propagation = "shared";
    plan =
        must_plan(bundle, v1_host(), {.id = "web", .no_new_keyring = true, .console_socket = true});
    EXPECT_LT(first_of<step::AwaitRuntimeHooks>(plan), first_of<step::CreateContainerHooks>(plan));
    EXPECT_LT(first_of<step::CreateContainerHooks>(plan), first_of<step::Console>(plan));
    EXPECT_LT(first_of<step::Console>(plan), first_of<step::ReadonlyRoot>(plan));
    EXPECT_LT(first_of<step::ReadonlyRoot>(plan), first_of<step::PivotRoot>(plan));
    EXPECT_LT(first_of<step::PivotRoot>(plan), first_of<step::PropagateRoot>(plan));
    EXPECT_EQ(first_of<step::SessionKeyring>(plan), -1);
    EXPECT_EQ(all_of<step::PropagateRoot>(plan.steps)[0].flags,
              static_cast<unsigned long>(MS_SHARED));
}

TEST(Plan, ThePropagationIsNeverSharedWhileTheTreeIsBuilt) {
    const std::pair<const char*, unsigned long> rows[] = {{"", MS_SLAVE | MS_REC},
                                                          {"shared", MS_SLAVE | MS_REC},
                                                          {"rslave", MS_SLAVE | MS_REC},
                                                          {"private", MS_PRIVATE | MS_REC},
                                                          {"unbindable", MS_SLAVE | MS_REC}};
    for (const auto& [name, flags] : rows) {
        bundle::Bundle bundle = usual_bundle();
        bundle.config.linux_->rootfs_propagation = name;
        EXPECT_EQ(all_of<step::Propagate>(must_plan(bundle, v1_host()).steps).at(0).flags, flags)
            << name;
    }
}

TEST(Plan, TheWayOfTheRootFollowsNamespaceAndOption) {
    using Way = step::PivotRoot::Way;
    bundle::Bundle bundle = usual_bundle();
    const auto way = [&](const PlanOptions& options) {
        return all_of<step::PivotRoot>(must_plan(bundle, v1_host(), options).steps).at(0).way;
    };
    EXPECT_EQ(way({.id = "web"}), Way::pivot);
    EXPECT_EQ(way({.id = "web", .no_pivot = true}), Way::move);
    bundle.config.mounts.clear();
    bundle.config.linux_->masked_paths.clear();
    bundle.config.linux_->readonly_paths.clear();
    std::erase_if(bundle.config.linux_->namespaces, [](const spec::Namespace& one) {
        return one.type == spec::NamespaceType::mount;
    });
    EXPECT_EQ(way({.id = "web"}), Way::chroot);
}

TEST(Plan, WithoutAMountNamespaceItsMountsAreTheHosts) {
    bundle::Bundle bundle = usual_bundle();
    EXPECT_FALSE(must_plan(bundle, v1_host()).mounts_on_host);
    std::erase_if(bundle.config.linux_->namespaces, [](const spec::Namespace& one) {
        return one.type == spec::NamespaceType::mount;
    });
    const LaunchPlan plan = must_plan(bundle, v1_host());
    EXPECT_TRUE(plan.mounts_on_host);
    EXPECT_FALSE(plan.warnings.empty());
}

TEST(Plan, WithoutAProcessThereIsNothingToRunButAPlan) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.process.reset();
    const LaunchPlan plan = must_plan(bundle, v1_host());
    EXPECT_TRUE(plan.program.args.empty());
    EXPECT_EQ(plan.program.cwd, "/");
}

TEST(Plan, AnOverlayRootIsMountedByTheSameSteps) {
    bundle::Bundle bundle = usual_bundle();
    const LaunchPlan plain = must_plan(bundle, v1_host());
    bundle.rootfs = bundle::OverlayRoot{.lowers = {"/layers/2", "/layers/1"},
                                        .upper = "/c/upper",
                                        .work = "/c/work",
                                        .merged = "/c/root"};
    const LaunchPlan plan = must_plan(bundle, v1_host());
    EXPECT_EQ(plan.steps.size(), plain.steps.size());
    EXPECT_TRUE(std::holds_alternative<bundle::OverlayRoot>(
        all_of<step::MountRoot>(plan.steps).at(0).rootfs));
}

TEST(Plan, ARootlessLaunchWithoutLimitsMakesNoCgroup) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.linux_->resources.reset();
    std::erase_if(bundle.config.mounts,
                  [](const spec::Mount& one) { return one.type == "cgroup"; });
    sys::HostFacts host = v1_host();
    host.uid = 1000;
    EXPECT_FALSE(must_plan(bundle, host).cgroup);
    bundle.config.linux_->cgroups_path = "/asked";
    const LaunchPlan asked = must_plan(bundle, host);
    EXPECT_FALSE(asked.cgroup);
    EXPECT_EQ(asked.warnings.size(), 1U);
    for (sys::CgroupHierarchy& one : host.cgroups) {
        one.own_delegated = true;
    }
    EXPECT_TRUE(must_plan(bundle, host).cgroup);
}

TEST(Plan, RefusedOnesNameThePropertyAndTheFix) {
    struct Case {
        void (*spoil)(bundle::Bundle&);
        Errc code;
        const char* says;
    };
    const Case cases[] = {
        {[](auto& b) { b.config.process->args.clear(); }, Errc::invalid_config, "process.args: "},
        {[](auto& b) { b.config.process->args = {""}; }, Errc::invalid_config, "process.args: "},
        {[](auto& b) { b.config.process->cwd = "srv"; },
         Errc::invalid_config,
         "process.cwd: \"srv\" is not an absolute path"},
        {[](auto& b) { b.config.process->terminal = true; },
         Errc::unsupported,
         "process.terminal: there is nobody to give the terminal to"},
        {[](auto& b) {
             b.config.linux_->net_devices["eth0"] = {};
             std::erase_if(b.config.linux_->namespaces, [](const spec::Namespace& one) {
                 return one.type == spec::NamespaceType::network;
             });
         },
         Errc::invalid_config,
         "linux.netDevices: needs a network namespace"},
        {[](auto& b) {
             b.config.linux_->net_devices = {{"eth0", {.name = "a"}}, {"eth1", {.name = "a"}}};
         },
         Errc::invalid_config,
         "linux.netDevices: two interfaces would be called a"},
        {[](auto& b) { b.config.linux_->intel_rdt = spec::IntelRdt{}; },
         Errc::unsupported,
         "linux.intelRdt: "},
        {[](auto& b) { b.config.linux_->rootfs_propagation = "rmaster"; },
         Errc::invalid_config,
         "linux.rootfsPropagation: \"rmaster\" is not one of private"},
        {[](auto& b) { b.config.linux_->masked_paths = {"proc/kcore"}; },
         Errc::invalid_config,
         "linux.maskedPaths: \"proc/kcore\" is not an absolute path"},
        {[](auto& b) { b.config.linux_->readonly_paths = {""}; },
         Errc::invalid_config,
         "linux.readonlyPaths: \"\" is not an absolute path"},
        {[](auto& b) {
             b.config.linux_->namespaces.erase(b.config.linux_->namespaces.begin() + 4);
             b.config.root->readonly = true;
         },
         Errc::unsupported,
         "root.readonly: needs a mount namespace of the container's own"},
    };
    for (const Case& one : cases) {
        bundle::Bundle bundle = usual_bundle();
        one.spoil(bundle);
        const Error error = must_fail(bundle);
        EXPECT_EQ(error.code, one.code) << error.message;
        EXPECT_TRUE(error.message.starts_with(one.says)) << error.message;
    }
}

TEST(Plan, NetworkInterfacesArriveBeforeHooksAndSysctls) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.linux_->net_devices = {{"eth5", {}}, {"eth6", {.name = "net%d"}}};
    bundle.config.linux_->sysctl = {{"net.ipv4.ip_forward", "1"}};
    bundle.config.hooks.create_runtime.push_back({.path = "/hook", .args = {}, .env = {}});
    const LaunchPlan plan = must_plan(bundle, v1_host());
    ASSERT_EQ(plan.net_devices.size(), 2U);
    EXPECT_EQ(plan.net_devices[0].name, "eth5");
    EXPECT_EQ(plan.net_devices[1].host_name, "eth6");
    EXPECT_EQ(plan.net_devices[1].name, "net%d");
    const int arrival = first_of<step::AwaitNetDevices>(plan);
    EXPECT_GE(arrival, 0);
    EXPECT_LT(arrival, first_of<step::AwaitRuntimeHooks>(plan));
    EXPECT_LT(arrival, first_of<step::Sysctl>(plan));
}

TEST(Plan, AConsoleSocketWithoutATerminalIsAMistake) {
    const Error error = must_fail(usual_bundle(), v1_host(), {.id = "web", .console_socket = true});
    EXPECT_EQ(error.code, Errc::invalid_argument);
}

/// A configuration made of random parts.
bundle::Bundle random_bundle(std::mt19937& random) {
    const auto chance = [&](unsigned in) { return random() % in == 0; };
    bundle::Bundle bundle = usual_bundle();
    std::ranges::shuffle(bundle.config.mounts, random);
    const char* targets[] = {"/data/a", "/sys/fs/cgroup/x", "/sys/fs", "/tmp", "/dev/shm", "/run"};
    for (const char* target : targets) {
        if (chance(2)) {
            bundle.config.mounts.insert(
                bundle.config.mounts.begin() +
                    static_cast<long>(random() % (bundle.config.mounts.size() + 1)),
                {.destination = target,
                 .type = chance(2)   ? "tmpfs"
                         : chance(2) ? "bind"
                         : chance(2) ? "cgroup"
                                     : "cgroup2",
                 .source = "/host/x",
                 .options = {},
                 .uid_mappings = {},
                 .gid_mappings = {}});
        }
    }
    if (chance(3)) {
        bundle.config.linux_->namespaces.pop_back();  // cgroup
    }
    bundle.config.root->readonly = chance(2);
    bundle.config.process->terminal = chance(2);
    if (chance(2)) {
        bundle.config.hooks.prestart = {{.path = "/h"}};
    }
    if (chance(2)) {
        bundle.config.hooks.create_container = {{.path = "/h"}};
    }
    bundle.config.linux_->rootfs_propagation = chance(2) ? "" : "rslave";
    return bundle;
}

bool shows_cgroup(const Operation& operation) {
    if (const auto* made = std::get_if<step::MountFs>(&operation)) {
        return made->fstype.starts_with("cgroup");
    }
    const auto* bind = std::get_if<step::Bind>(&operation);
    return bind != nullptr && bind->source.starts_with("/sys/fs/cgroup");
}

std::string target_of(const Operation& operation) {
    if (const auto* made = std::get_if<step::MountFs>(&operation)) {
        return made->target;
    }
    const auto* bind = std::get_if<step::Bind>(&operation);
    return bind != nullptr ? bind->target : "";
}

void check_order(const bundle::Bundle& bundle, const LaunchPlan& plan) {
    const int await = first_of<step::AwaitCgroup>(plan);
    const int pivot = first_of<step::PivotRoot>(plan);
    EXPECT_EQ(first_of<step::Propagate>(plan), 0);
    EXPECT_EQ(first_of<step::MountRoot>(plan), 1);
    ASSERT_GE(await, 0);
    for (int i = 0; i < static_cast<int>(plan.steps.size()); ++i) {
        const Operation& one = plan.steps[static_cast<std::size_t>(i)].operation;
        EXPECT_FALSE(plan.steps[static_cast<std::size_t>(i)].name.empty());
        if (shows_cgroup(one)) {
            EXPECT_GT(i, await) << "the cgroup is shown before it is joined";
        }
        const bool needs_host = !target_of(one).empty() ||
                                std::holds_alternative<step::Remount>(one) ||
                                std::holds_alternative<step::MakeDevice>(one) ||
                                std::holds_alternative<step::MaskPath>(one) ||
                                std::holds_alternative<step::ReadonlyPath>(one) ||
                                std::holds_alternative<step::CreateContainerHooks>(one) ||
                                std::holds_alternative<step::ReadonlyRoot>(one);
        if (needs_host) {
            EXPECT_LT(i, pivot) << plan.steps[static_cast<std::size_t>(i)].name;
        }
        // A device is made on the /dev that stays.
        if (std::holds_alternative<step::MakeDevice>(one)) {
            for (std::size_t k = static_cast<std::size_t>(i); k < plan.steps.size(); ++k) {
                EXPECT_NE(target_of(plan.steps[k].operation), "/dev");
            }
        }
    }
    // Of two mounts one of which lies on or above the other, the later one stays the later one.
    std::vector<std::string> wanted;
    for (const spec::Mount& one : bundle.config.mounts) {
        wanted.push_back(clean_destination(one.destination));
    }
    std::map<std::string, int> place;
    for (int i = 0; i < static_cast<int>(plan.steps.size()); ++i) {
        place.try_emplace(target_of(plan.steps[static_cast<std::size_t>(i)].operation), i);
    }
    for (std::size_t a = 0; a < wanted.size(); ++a) {
        for (std::size_t b = a + 1; b < wanted.size(); ++b) {
            if (wanted[a] != wanted[b] &&
                (lies_below(wanted[a], wanted[b]) || lies_below(wanted[b], wanted[a]))) {
                EXPECT_LT(place.at(wanted[a]), place.at(wanted[b]))
                    << wanted[a] << " " << wanted[b];
            }
        }
    }
}

TEST(Plan, TheOrderHoldsForRandomConfigurations) {
    std::mt19937 random(20'240'501);
    for (int round = 0; round < 3000 && !testing::Test::HasFailure(); ++round) {
        SCOPED_TRACE(round);
        const bundle::Bundle bundle = random_bundle(random);
        const sys::HostFacts host = round % 3 == 0   ? v1_host()
                                    : round % 3 == 1 ? hybrid_host()
                                                     : v2_host();
        const LaunchPlan plan = must_plan(
            bundle, host, {.id = "web", .console_socket = bundle.config.process->terminal});
        check_order(bundle, plan);
    }
}

}  // namespace
}  // namespace knarr::runtime::native
