#include "runtime/native/namespaces.h"

#include <linux/sched.h>

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::all_of;
using testing_config::first_of;
using testing_config::must_fail;
using testing_config::must_plan;
using testing_config::new_namespace;
using testing_config::usual_bundle;
using testing_config::v1_host;
using Type = spec::NamespaceType;

struct Row {
    Type type;
    int flag;
};
constexpr Row kTypes[] = {{Type::pid, CLONE_NEWPID},
                          {Type::network, CLONE_NEWNET},
                          {Type::mount, CLONE_NEWNS},
                          {Type::ipc, CLONE_NEWIPC},
                          {Type::uts, CLONE_NEWUTS},
                          {Type::user, CLONE_NEWUSER},
                          {Type::cgroup, CLONE_NEWCGROUP},
                          {Type::time, CLONE_NEWTIME}};

/// A bundle that needs no particular namespace but that for mounts.
bundle::Bundle plain_bundle() {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.hostname.clear();
    bundle.config.linux_->sysctl.clear();
    bundle.config.linux_->namespaces = {new_namespace(Type::mount)};
    return bundle;
}

void map_ids(bundle::Bundle& bundle) {
    bundle.config.linux_->uid_mappings = bundle.config.linux_->gid_mappings = {
        {.container_id = 0, .host_id = 100'000, .size = 65'536}};
}

TEST(Namespaces, EveryCombinationOfNewAndJoinedIsPlanned) {
    // Each of the eight is absent, new or joined; the mount namespace is new or joined.
    for (int code = 0; code < 6561; ++code) {
        bundle::Bundle bundle = plain_bundle();
        bundle.config.linux_->namespaces.clear();
        int created = 0;
        int joined = 0;
        int rest = code;
        for (const Row& row : kTypes) {
            int what = rest % 3;
            rest /= 3;
            if (row.type == Type::mount && what == 0) {
                what = 1;
            }
            if (what == 1) {
                bundle.config.linux_->namespaces.push_back(new_namespace(row.type));
                created |= row.flag;
            } else if (what == 2) {
                bundle.config.linux_->namespaces.push_back(
                    {.type = row.type, .path = fmt::format("/ns/{}", name_of(row.type))});
                joined |= row.flag;
            }
        }
        if ((created & CLONE_NEWUSER) != 0) {
            map_ids(bundle);
        }
        const LaunchPlan plan = must_plan(bundle, v1_host());

        EXPECT_EQ(plan.new_namespaces, created & ~(CLONE_NEWCGROUP | CLONE_NEWTIME));
        int joins = 0;
        for (const JoinNamespace& one : plan.joins) {
            joins |= one.type;
        }
        EXPECT_EQ(joins, joined);
        EXPECT_EQ(plan.id_maps.has_value(), (created & CLONE_NEWUSER) != 0);
        EXPECT_EQ(first_of<step::LoopbackUp>(plan) >= 0, (created & CLONE_NEWNET) != 0);
        EXPECT_EQ(first_of<step::TimeOffsets>(plan) >= 0, (created & CLONE_NEWTIME) != 0);
        EXPECT_EQ(all_of<step::AwaitCgroup>(plan.steps).at(0).unshare_namespace,
                  (created & CLONE_NEWCGROUP) != 0);
        if (HasFailure()) {
            FAIL() << "combination " << code;
        }
    }
}

TEST(Namespaces, AUserNamespaceHasItsMaps) {
    bundle::Bundle bundle = plain_bundle();
    bundle.config.linux_->namespaces.push_back(new_namespace(Type::user));
    EXPECT_TRUE(
        must_fail(bundle).message.starts_with("linux.uidMappings: a new user namespace needs it"));
    map_ids(bundle);
    EXPECT_FALSE(must_plan(bundle, v1_host()).id_maps->deny_setgroups);
    sys::HostFacts host = v1_host();
    host.effective_caps = 0;
    host.uid = 1000;
    bundle.config.linux_->resources.reset();
    const LaunchPlan by_helper = must_plan(bundle, host);
    EXPECT_TRUE(by_helper.id_maps->uids_by_helper && by_helper.id_maps->gids_by_helper);
    EXPECT_TRUE(by_helper.identity.set_groups);

    bundle.config.linux_->uid_mappings =
        bundle.config.linux_->gid_mappings = {{.container_id = 1000, .host_id = 1000, .size = 1}};
    bundle.config.process->user.additional_gids.clear();
    host.gid = 1000;
    const LaunchPlan alone = must_plan(bundle, host);
    EXPECT_TRUE(alone.id_maps->deny_setgroups);
    EXPECT_FALSE(alone.identity.set_groups);
}

TEST(Namespaces, ContradictionsAreRefusedByName) {
    struct Case {
        void (*spoil)(bundle::Bundle&);
        const char* says;
    };
    const Case cases[] = {
        {[](auto& b) { map_ids(b); }, "linux.uidMappings, linux.gidMappings: given without"},
        {[](auto& b) {
             b.config.linux_->namespaces.push_back(new_namespace(Type::user));
             map_ids(b);
             b.config.linux_->gid_mappings[0].size = 0;
         },
         "linux.gidMappings[0]: size 0"},
        {[](auto& b) {
             b.config.linux_->namespaces.push_back(new_namespace(Type::user));
             map_ids(b);
             b.config.linux_->uid_mappings.push_back(
                 {.container_id = 65'535, .host_id = 1, .size = 2});
         },
         "linux.uidMappings[1]: overlaps linux.uidMappings[0]"},
        {[](auto& b) {
             b.config.linux_->namespaces.push_back(new_namespace(Type::user));
             map_ids(b);
             b.config.linux_->uid_mappings[0].host_id = 0xfffffff0;
         },
         "linux.uidMappings[0]: size 65536 is 0 or leaves"},
        {[](auto& b) { b.config.linux_->namespaces.push_back(new_namespace(Type::mount)); },
         "linux.namespaces[1]: mount is there twice"},
        {[](auto& b) { b.config.linux_->namespaces.push_back({.type = Type::ipc, .path = "ipc"}); },
         "linux.namespaces[1].path: \"ipc\" is not absolute"},
        {[](auto& b) { b.config.hostname = "x"; }, "hostname: given without a UTS namespace"},
        {[](auto& b) { b.config.domainname = "x"; }, "domainname: given without a UTS namespace"},
        {[](auto& b) { b.config.linux_->time_offsets["boottime"] = {}; },
         "linux.timeOffsets: given without a new time namespace"},
        {[](auto& b) {
             b.config.linux_->namespaces.push_back(new_namespace(Type::time));
             b.config.linux_->time_offsets["realtime"] = {};
         },
         "linux.timeOffsets: \"realtime\""},
        {[](auto& b) {
             b.config.linux_->namespaces.push_back(new_namespace(Type::time));
             b.config.linux_->time_offsets["boottime"] = {.secs = 0, .nanosecs = 1'000'000'000};
         },
         "linux.timeOffsets.boottime.nanosecs: 1000000000"},
    };
    for (const Case& one : cases) {
        bundle::Bundle bundle = plain_bundle();
        one.spoil(bundle);
        const Error error = must_fail(bundle);
        EXPECT_EQ(error.code, Errc::invalid_config);
        EXPECT_TRUE(error.message.starts_with(one.says)) << error.message;
    }
}

TEST(Namespaces, AnOldKernelIsSaidToBeOld) {
    bundle::Bundle bundle = plain_bundle();
    bundle.config.linux_->namespaces.push_back(new_namespace(Type::time));
    sys::HostFacts host = v1_host();
    host.kernel_major = 5;
    host.kernel_minor = 4;
    host.kernel_release = "5.4.0";
    const Error error = must_fail(bundle, host);
    EXPECT_EQ(error.code, Errc::unsupported);
    EXPECT_EQ(error.message, "linux.namespaces[1]: time namespaces need kernel 5.6, this is 5.4.0");
}

TEST(Namespaces, TimeOffsetsAreLinesOfTheKernelsFile) {
    bundle::Bundle bundle = plain_bundle();
    bundle.config.linux_->namespaces.push_back(new_namespace(Type::time));
    bundle.config.linux_->time_offsets = {{"monotonic", {.secs = -5, .nanosecs = 7}},
                                          {"boottime", {.secs = 100, .nanosecs = 0}}};
    EXPECT_EQ(all_of<step::TimeOffsets>(must_plan(bundle, v1_host()).steps).at(0).text,
              "boottime 100 0\nmonotonic -5 7\n");
}

TEST(Sysctls, NamespacedOnesArePaths) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.linux_->sysctl = {{"net.ipv4.conf.eth0/1.forwarding", "1"},
                                    {"net/core/somaxconn", "256"},
                                    {"kernel.shmmax", "5"},
                                    {"fs.mqueue.msg_max", "6"},
                                    {"kernel.domainname", "d"}};
    std::vector<std::string> paths;
    for (const auto& one : all_of<step::Sysctl>(must_plan(bundle, v1_host()).steps)) {
        paths.push_back(one.path + "=" + one.value);
    }
    EXPECT_EQ(paths,
              (std::vector<std::string>{"fs/mqueue/msg_max=6",
                                        "kernel/domainname=d",
                                        "kernel/shmmax=5",
                                        "net/ipv4/conf/eth0.1/forwarding=1",
                                        "net/core/somaxconn=256"}));
}

TEST(Sysctls, ThoseOfTheHostAreRefused) {
    const std::pair<const char*, const char*> rows[] = {
        {"vm.swappiness", "linux.sysctl: vm.swappiness belongs to no namespace"},
        {"kernel.core_pattern", "linux.sysctl: kernel.core_pattern belongs to no namespace"},
        {"net.../../kernel.core_pattern", "linux.sysctl: \"net.../../kernel.core_pattern\" is not"},
        {"net/../kernel/core_pattern", "linux.sysctl: \"net/../kernel/core_pattern\" is not"},
        {"net..x", "linux.sysctl: \"net..x\" is not a sysctl's name"},
        {"kernel.hostname", "linux.sysctl: kernel.hostname is set by the property hostname"},
        {"", "linux.sysctl: \"\" is not a sysctl's name"},
    };
    for (const auto& [key, says] : rows) {
        bundle::Bundle bundle = usual_bundle();
        bundle.config.linux_->sysctl = {{key, "1"}};
        EXPECT_TRUE(must_fail(bundle).message.starts_with(says)) << must_fail(bundle).message;
    }
}

TEST(Sysctls, TheirNamespaceMustBeTheContainersOwn) {
    bundle::Bundle bundle = plain_bundle();
    for (const char* key : {"net.core.somaxconn", "kernel.sem", "kernel.domainname"}) {
        bundle.config.linux_->sysctl = {{key, "1"}};
        EXPECT_NE(must_fail(bundle).message.find("namespace of the container's own; add {\"type\""),
                  std::string::npos);
    }
}

}  // namespace
}  // namespace knarr::runtime::native
