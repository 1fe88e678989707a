#include "runtime/native/mounts.h"

#include <linux/mount.h>
#include <sys/mount.h>

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::all_of;
using testing_config::hybrid_host;
using testing_config::must_fail;
using testing_config::must_plan;
using testing_config::usual_bundle;
using testing_config::v1_host;
using testing_config::v2_host;

MountOptions parse(const std::vector<std::string>& options) {
    const Result<MountOptions> parsed = parse_mount_options(options);
    EXPECT_TRUE(parsed) << parsed.error().message;
    return parsed.value_or(MountOptions{});
}

TEST(MountOptions, EveryFlagOptionSetsItsFlag) {
    struct Row {
        const char* option;
        unsigned long flag;
        std::uint64_t attribute;
    };
    const Row rows[] = {{"acl", MS_POSIXACL, 0},
                        {"dirsync", MS_DIRSYNC, 0},
                        {"iversion", MS_I_VERSION, 0},
                        {"lazytime", 1UL << 25U, 0},
                        {"mand", MS_MANDLOCK, 0},
                        {"noatime", MS_NOATIME, MOUNT_ATTR_NOATIME},
                        {"nodev", MS_NODEV, MOUNT_ATTR_NODEV},
                        {"nodiratime", MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
                        {"noexec", MS_NOEXEC, MOUNT_ATTR_NOEXEC},
                        {"nosuid", MS_NOSUID, MOUNT_ATTR_NOSUID},
                        {"nosymfollow", 256, MOUNT_ATTR_NOSYMFOLLOW},
                        {"relatime", MS_RELATIME, 0},
                        {"ro", MS_RDONLY, MOUNT_ATTR_RDONLY},
                        {"silent", MS_SILENT, 0},
                        {"strictatime", MS_STRICTATIME, MOUNT_ATTR_STRICTATIME},
                        {"sync", MS_SYNCHRONOUS, 0}};
    for (const Row& row : rows) {
        SCOPED_TRACE(row.option);
        const MountOptions parsed = parse({row.option});
        EXPECT_EQ(parsed.flags, row.flag);
        EXPECT_EQ(parsed.set, row.attribute);
        EXPECT_EQ(parsed.data, "");
    }
}

TEST(MountOptions, EveryOppositeTakesTheFlagAwayAgain) {
    const std::pair<const char*, const char*> pairs[] = {{"noacl", "acl"},
                                                         {"async", "sync"},
                                                         {"atime", "noatime"},
                                                         {"dev", "nodev"},
                                                         {"diratime", "nodiratime"},
                                                         {"exec", "noexec"},
                                                         {"loud", "silent"},
                                                         {"noiversion", "iversion"},
                                                         {"nolazytime", "lazytime"},
                                                         {"nomand", "mand"},
                                                         {"norelatime", "relatime"},
                                                         {"nostrictatime", "strictatime"},
                                                         {"rw", "ro"},
                                                         {"suid", "nosuid"},
                                                         {"symfollow", "nosymfollow"}};
    for (const auto& [off, on] : pairs) {
        SCOPED_TRACE(off);
        const MountOptions parsed = parse({on, off});
        EXPECT_EQ(parsed.flags, 0U);
        EXPECT_EQ(parsed.set, 0U);
        const MountOptions again = parse({off, on});
        EXPECT_EQ(again.flags, parse({on}).flags);
        EXPECT_EQ(again.set, parse({on}).set);
    }
}

TEST(MountOptions, ABindClearsWhatItsSourceMayHave) {
    EXPECT_EQ(parse({"rw", "suid", "dev", "exec"}).clear,
              MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    // mount_setattr(2): an access time is set only together with its whole field cleared.
    EXPECT_EQ(parse({"noatime"}).clear, MOUNT_ATTR__ATIME);
    EXPECT_EQ(parse({"relatime"}).clear, MOUNT_ATTR__ATIME);
}

TEST(MountOptions, RecursiveFlagsGoToTheWholeTree) {
    const MountOptions parsed =
        parse({"rro", "rnosuid", "rnodev", "rnoexec", "rnodiratime", "rnoatime", "rnosymfollow"});
    EXPECT_EQ(parsed.rec_set,
              MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
                  MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOATIME | MOUNT_ATTR_NOSYMFOLLOW);
    EXPECT_EQ(parsed.set, 0U);
    EXPECT_EQ(parse({"rrw", "rsuid", "rdev", "rexec", "rdiratime", "rsymfollow"}).rec_clear,
              MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
                  MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW);
    for (const char* option :
         {"ratime", "rrelatime", "rnorelatime", "rstrictatime", "rnostrictatime"}) {
        EXPECT_EQ(parse({option}).rec_clear, MOUNT_ATTR__ATIME) << option;
        EXPECT_EQ(parse({option}).data, "") << option;
    }
}

TEST(MountOptions, PropagationIsNotAFlag) {
    const std::pair<const char*, unsigned long> rows[] = {
        {"private", MS_PRIVATE},
        {"shared", MS_SHARED},
        {"slave", MS_SLAVE},
        {"unbindable", MS_UNBINDABLE},
        {"rprivate", MS_PRIVATE | MS_REC},
        {"rshared", MS_SHARED | MS_REC},
        {"rslave", MS_SLAVE | MS_REC},
        {"runbindable", MS_UNBINDABLE | MS_REC},
    };
    for (const auto& [option, flags] : rows) {
        EXPECT_EQ(parse({option}).propagation, flags) << option;
        EXPECT_EQ(parse({option}).flags, 0U) << option;
        EXPECT_EQ(*parse_propagation(option), flags) << option;
    }
    EXPECT_EQ(*parse_propagation(""), 0U);
}

TEST(MountOptions, WhatIsLeftBelongsToTheFileSystem) {
    const MountOptions parsed = parse({"defaults", "size=64k", "nosuid", "", "mode=755"});
    EXPECT_EQ(parsed.data, "size=64k,mode=755");
}

TEST(MountOptions, BindRemountCopyUpAndIdmapAreKnown) {
    EXPECT_TRUE(parse({"bind"}).bind);
    EXPECT_FALSE(parse({"bind"}).recursive);
    EXPECT_TRUE(parse({"rbind"}).recursive);
    EXPECT_TRUE(parse({"remount"}).remount);
    EXPECT_TRUE(parse({"tmpcopyup"}).copy_up);
    EXPECT_TRUE(parse({"idmap"}).idmap);
    EXPECT_TRUE(parse({"ridmap"}).idmap_recursive);
}

TEST(MountOptions, AnotherRuntimesExtensionIsNotLostSilently) {
    for (const char* option :
         {"copy-symlink", "src-nofollow", "dest-nofollow", "idmap=uids=0-1-1"}) {
        const Result<MountOptions> parsed = parse_mount_options({option});
        ASSERT_FALSE(parsed) << option;
        EXPECT_EQ(parsed.error().code, Errc::unsupported);
    }
}

TEST(Mounts, DestinationsAreCleanedByTheLetter) {
    EXPECT_EQ(clean_destination("//a/./b/"), "/a/b");
    EXPECT_EQ(clean_destination("/x/../proc/sys"), "/proc/sys");
    EXPECT_EQ(clean_destination("../../etc"), "/etc");
    EXPECT_EQ(clean_destination("data"), "/data");
    EXPECT_EQ(clean_destination("/.."), "/");
    EXPECT_TRUE(lies_below("/a/b", "/a"));
    EXPECT_TRUE(lies_below("/a", "/a"));
    EXPECT_FALSE(lies_below("/ab", "/a"));
}

spec::Mount mount(std::string type, std::string target, std::vector<std::string> options) {
    return {.destination = std::move(target),
            .type = type,
            .source = type == "bind" ? "/src" : type,
            .options = std::move(options),
            .uid_mappings = {},
            .gid_mappings = {}};
}

TEST(Mounts, ARelativeBindSourceIsBelowTheBundle) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.mounts.push_back(mount("none", "/x", {"bind"}));
    bundle.config.mounts.back().source = "files/x";
    EXPECT_EQ(all_of<step::Bind>(must_plan(bundle, v1_host()).steps).back().source,
              "/bundles/web/files/x");
}

TEST(Mounts, OptionsThatABindCannotHaveAreWarnedAbout) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.mounts.push_back(mount("bind", "/x", {"bind", "sync", "size=1"}));
    EXPECT_EQ(must_plan(bundle, v1_host()).warnings,
              (std::vector<std::string>{
                  "mount on /x: option sync has no effect on a bind mount",
                  "mount on /x: options \"size=1\" have no effect on a bind mount"}));
}

TEST(Mounts, WithoutItsOwnDevABundleGetsATmpfsThere) {
    bundle::Bundle bundle = usual_bundle();
    std::erase_if(bundle.config.mounts,
                  [](const spec::Mount& one) { return one.destination == "/dev"; });
    const auto made = all_of<step::MountFs>(must_plan(bundle, v1_host()).steps);
    EXPECT_EQ(made.front().target, "/dev");
    EXPECT_EQ(made.front().fstype, "tmpfs");
}

TEST(Mounts, ABoundDevKeepsItsOwnDevices) {
    bundle::Bundle bundle = usual_bundle();
    std::erase_if(bundle.config.mounts,
                  [](const spec::Mount& one) { return one.destination == "/dev"; });
    bundle.config.mounts.push_back(mount("bind", "/dev/", {"rbind"}));
    bundle.config.linux_->devices = {{.path = "/dev/fuse", .type = 'c', .major = 10, .minor = 229}};
    const LaunchPlan plan = must_plan(bundle, v1_host());
    const auto devices = all_of<step::MakeDevice>(plan.steps);
    ASSERT_EQ(devices.size(), 1U);
    EXPECT_EQ(devices.front().path, "/dev/fuse");
    EXPECT_TRUE(std::ranges::none_of(all_of<step::MakeSymlink>(plan.steps), [](const auto& link) {
        return link.path.starts_with("/dev/");
    }));
}

TEST(Mounts, RefusedOnesNameTheMountAndTheReason) {
    struct Row {
        spec::Mount mount;
        Errc code;
        const char* says;
    };
    spec::Mount half = mount("bind", "/x", {"bind"});
    half.uid_mappings = {{.container_id = 0, .host_id = 1, .size = 1}};
    spec::Mount mapped = mount("tmpfs", "/x", {});
    mapped.uid_mappings = mapped.gid_mappings = half.uid_mappings;
    spec::Mount nowhere = mount("bind", "/x", {"bind"});
    nowhere.source.clear();
    const Row rows[] = {
        {mount("tmpfs", "/", {}), Errc::invalid_config, "mounts[6]: destination: nothing can be"},
        {mount("tmpfs", "/a/..", {}), Errc::invalid_config, "mounts[6]: destination: nothing"},
        {mount("bind", "/proc/self/attr", {"bind"}), Errc::invalid_config, "/proc/self/attr"},
        {mount("tmpfs", "/dev/../proc/sys", {}), Errc::invalid_config, "/proc/sys of type tmpfs"},
        {mount("", "/x", {}), Errc::invalid_config, "mounts[6]: type: neither"},
        {mount("proc", "/x", {"tmpcopyup"}),
         Errc::invalid_config,
         "tmpcopyup needs the type tmpfs"},
        {mount("bind", "/x", {"bind", "idmap"}), Errc::invalid_config, "idmap needs uidMappings"},
        {nowhere, Errc::invalid_config, "mounts[6]: source: a bind mount needs a source"},
        {half, Errc::invalid_config, "one is given without the other"},
        {mapped, Errc::unsupported, "only bind mounts can be ID-mapped"},
        {mount("bind", "/x", {"copy-symlink"}),
         Errc::unsupported,
         "mounts[6]: options: option copy"},
    };
    for (const Row& row : rows) {
        bundle::Bundle bundle = usual_bundle();
        bundle.config.mounts.push_back(row.mount);
        const Error error = must_fail(bundle);
        EXPECT_EQ(error.code, row.code) << error.message;
        EXPECT_NE(error.message.find(row.says), std::string::npos) << error.message;
    }
}

TEST(Mounts, InformationInProcfsMayBeCovered) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.mounts.push_back(mount("bind", "/proc/meminfo", {"bind"}));
    EXPECT_EQ(all_of<step::Bind>(must_plan(bundle, v1_host()).steps).back().target,
              "/proc/meminfo");
}

/// The steps at or below /sys/fs/cgroup, as "fstype target" or "bind source target".
std::vector<std::string> cgroup_steps(const LaunchPlan& plan) {
    std::vector<std::string> out;
    for (const Step& one : plan.steps) {
        if (const auto* made = std::get_if<step::MountFs>(&one.operation)) {
            if (lies_below(made->target, "/sys/fs/cgroup")) {
                out.push_back(fmt::format("{} {} {}{}",
                                          made->fstype,
                                          made->target,
                                          made->data,
                                          (made->flags & MS_RDONLY) != 0 ? " ro" : ""));
            }
        } else if (const auto* bind = std::get_if<step::Bind>(&one.operation)) {
            if (lies_below(bind->target, "/sys/fs/cgroup")) {
                out.push_back(fmt::format("bind {} {}{}",
                                          bind->source,
                                          bind->target,
                                          (bind->set & MOUNT_ATTR_RDONLY) != 0 ? " ro" : ""));
            }
        } else if (const auto* link = std::get_if<step::MakeSymlink>(&one.operation)) {
            if (lies_below(link->path, "/sys/fs/cgroup")) {
                out.push_back(fmt::format("link {} {}", link->path, link->target));
            }
        } else if (const auto* again = std::get_if<step::Remount>(&one.operation)) {
            out.push_back("remount " + again->target);
        }
    }
    return out;
}

sys::HostFacts small(sys::HostFacts host, const std::vector<std::string>& keep) {
    std::erase_if(host.cgroups, [&](const sys::CgroupHierarchy& one) {
        return !one.v2 && std::ranges::find(keep, one.mount_point.substr(15)) == keep.end();
    });
    return host;
}

bundle::Bundle without_limits() {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.linux_->resources.reset();
    return bundle;
}

TEST(Mounts, ATmpfsBecomesReadOnlyWhenAllIsMadeInIt) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.mounts[1].options.emplace_back("ro");  // /dev
    const LaunchPlan plan = must_plan(bundle, v1_host());
    const auto made = all_of<step::MountFs>(plan.steps);
    const auto dev = std::ranges::find(made, "/dev", &step::MountFs::target);
    ASSERT_NE(dev, made.end());
    EXPECT_EQ(dev->flags & MS_RDONLY, 0U);
    const auto remounts = all_of<step::Remount>(plan.steps);
    const auto again = std::ranges::find(remounts, "/dev", &step::Remount::target);
    ASSERT_NE(again, remounts.end());
    EXPECT_TRUE(again->bind);
    EXPECT_EQ(again->flags & (MS_RDONLY | MS_NOSUID), MS_RDONLY | MS_NOSUID);
    const auto last_of = [&](auto matches) {
        int last = -1;
        for (int i = 0; i < static_cast<int>(plan.steps.size()); ++i) {
            last = matches(plan.steps[static_cast<std::size_t>(i)].operation) ? i : last;
        }
        return last;
    };
    EXPECT_GT(
        last_of([](const Operation& o) { return std::holds_alternative<step::Remount>(o); }),
        last_of([](const Operation& o) { return std::holds_alternative<step::MakeDevice>(o); }));
}

TEST(CgroupMount, AnAnnotationPutsSystemdsV1HierarchyInItsPlaceOnV2) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.annotations["run.oci.systemd.force_cgroup_v1"] = "/sys/fs/cgroup";
    const auto made = all_of<step::MountFs>(must_plan(bundle, v2_host()).steps);
    const auto found = std::ranges::find(made, "/sys/fs/cgroup", &step::MountFs::target);
    ASSERT_NE(found, made.end());
    EXPECT_EQ(found->fstype, "cgroup");
    EXPECT_EQ(found->data, "none,name=systemd,xattr");
    for (const auto& one : all_of<step::MountFs>(must_plan(bundle, v1_host()).steps)) {
        EXPECT_NE(one.data, "none,name=systemd,xattr") << "v1 hosts mount it anyway";
    }
}

TEST(Mounts, AnAnnotationNamesTheKindOfLabel) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.linux_->mount_label = "a:b";
    bundle.config.annotations["run.oci.mount_context_type"] = "rootcontext";
    sys::HostFacts host = v1_host();
    host.selinux = true;
    const auto made = all_of<step::MountFs>(must_plan(bundle, host).steps);
    EXPECT_TRUE(std::ranges::any_of(
        made, [](const step::MountFs& one) { return one.data.ends_with(",rootcontext=\"a:b\""); }));
}

TEST(CgroupMount, WithANamespaceEveryV1HierarchyIsMounted) {
    EXPECT_EQ(cgroup_steps(must_plan(without_limits(),
                                     small(hybrid_host(), {"systemd", "cpu,cpuacct", "devices"}))),
              (std::vector<std::string>{
                  "tmpfs /sys/fs/cgroup mode=755",
                  "cgroup /sys/fs/cgroup/systemd none,name=systemd ro",
                  "cgroup /sys/fs/cgroup/cpu,cpuacct cpu,cpuacct ro",
                  "link /sys/fs/cgroup/cpu cpu,cpuacct",
                  "link /sys/fs/cgroup/cpuacct cpu,cpuacct",
                  "cgroup /sys/fs/cgroup/devices devices ro",
                  "remount /sys/fs/cgroup",
              }));
}

TEST(CgroupMount, WithoutANamespaceTheContainersOwnCgroupsAreBound) {
    bundle::Bundle bundle = without_limits();
    std::erase_if(bundle.config.linux_->namespaces, [](const spec::Namespace& one) {
        return one.type == spec::NamespaceType::cgroup;
    });
    bundle.config.mounts[3].options = {"rw"};
    EXPECT_EQ(cgroup_steps(must_plan(bundle, small(v1_host(), {"memory", "devices"}))),
              (std::vector<std::string>{
                  "tmpfs /sys/fs/cgroup mode=755",
                  "bind /sys/fs/cgroup/memory/web /sys/fs/cgroup/memory",
                  "bind /sys/fs/cgroup/devices/web /sys/fs/cgroup/devices",
              }));
}

TEST(CgroupMount, OnV2ItIsOneMountOrOneBind) {
    bundle::Bundle bundle = usual_bundle();
    EXPECT_EQ(cgroup_steps(must_plan(bundle, v2_host())),
              std::vector<std::string>{"cgroup2 /sys/fs/cgroup  ro"});
    bundle.config.linux_->namespaces.pop_back();
    EXPECT_EQ(cgroup_steps(must_plan(bundle, v2_host())),
              std::vector<std::string>{"bind /sys/fs/cgroup/web /sys/fs/cgroup ro"});
}

TEST(CgroupMount, ARootlessContainerWithoutANamespaceNeverGetsItWritable) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.linux_->namespaces.pop_back();
    bundle.config.mounts[3].options = {"rw"};
    sys::HostFacts host = v2_host();
    host.initial_user_namespace = false;
    host.uid_map = host.gid_map = {{.inside = 0, .outside = 100000, .size = 65536}};
    host.cgroups.front().own_delegated = true;
    const LaunchPlan plan = must_plan(bundle, host);
    EXPECT_EQ(
        cgroup_steps(plan),
        std::vector<std::string>{"bind /sys/fs/cgroup/user.slice/knarr-web /sys/fs/cgroup ro"});
    EXPECT_EQ(plan.warnings.size(), 1U);
}

TEST(CgroupMount, WithoutACgroupOfItsOwnARootlessContainerSeesTheCallersReadOnly) {
    bundle::Bundle bundle = without_limits();
    bundle.config.mounts[3].options = {"rw"};
    sys::HostFacts host = v2_host();
    host.uid = 1000;
    const LaunchPlan plan = must_plan(bundle, host);
    EXPECT_EQ(cgroup_steps(plan), std::vector<std::string>{"cgroup2 /sys/fs/cgroup  ro"});
    EXPECT_FALSE(plan.cgroup);
}

TEST(CgroupMount, WithoutAnyHierarchyItIsUnsupported) {
    sys::HostFacts host = v1_host();
    host.cgroups.clear();
    host.cgroup_layout = sys::CgroupLayout::none;
    const Error error = must_fail(without_limits(), host);
    EXPECT_EQ(error.code, Errc::unsupported);
    EXPECT_EQ(error.message,
              "mounts[3]: type: cgroup: no cgroup hierarchy is mounted on this host");
}

}  // namespace
}  // namespace knarr::runtime::native
