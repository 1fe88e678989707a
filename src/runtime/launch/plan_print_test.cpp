#include <set>

#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "runtime/launch/plan.h"

namespace knarr::runtime {
namespace {

/// A plan with one step of every kind.
LaunchPlan every_step() {
    LaunchPlan plan;
    plan.id = "web";
    plan.new_namespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS;
    plan.joins = {{.type = CLONE_NEWNET, .path = "/run/netns/a b"}};
    plan.id_maps = IdMaps{.uids = {{.container_id = 0, .host_id = 1000, .size = 1}},
                          .gids = {{.container_id = 0, .host_id = 1000, .size = 1}},
                          .deny_setgroups = true,
                          .uids_by_helper = true};
    plan.warnings = {"something is left out"};
    plan.hooks.prestart = {{.path = "/hook", .args = {}, .env = {}, .timeout = {}}};
    plan.cgroup = sys::CgroupPlan{
        .dirs = {{.controllers = "",
                  .mount_point = "/sys/fs/cgroup",
                  .path = "/knarr/web",
                  .writes = {{.file = "pids.max", .text = "5", .optional = true}}}},
        .v2 = true,
        .enable = {"pids"},
        .device_rules = {{.allow = true, .type = 'c', .major = 1, .minor = -1, .access = "r"}}};
    const auto add = [&](Operation operation) {
        plan.steps.push_back({.name = "a step", .operation = std::move(operation)});
    };
    add(step::TimeOffsets{.text = "boottime 1 0\n"});
    add(step::Propagate{.flags = MS_SLAVE | MS_REC});
    add(step::MountRoot{
        .rootfs = bundle::OverlayRoot{
            .lowers = {"/l2", "/l1"}, .upper = "/u", .work = "/w", .merged = "/m"}});
    add(step::MountFs{.fstype = "tmpfs",
                      .source = "tmpfs",
                      .target = "/tmp",
                      .flags = MS_NOSUID,
                      .data = "size=1k",
                      .propagation = MS_PRIVATE,
                      .copy_up = true});
    add(step::Bind{.source = "/a b",
                   .target = "/b",
                   .recursive = true,
                   .set = MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME,
                   .clear = MOUNT_ATTR__ATIME,
                   .rec_set = MOUNT_ATTR_RDONLY,
                   .uid_mappings = {{.container_id = 0, .host_id = 5, .size = 1}},
                   .gid_mappings = {}});
    add(step::Remount{.target = "/b", .flags = MS_RDONLY, .data = {}, .bind = true});
    add(step::MakeDevice{.path = "/dev/x", .type = S_IFBLK, .major = 8, .minor = 1, .mode = 0640});
    add(step::MakeSymlink{.path = "/dev/fd", .target = "/proc/self/fd"});
    add(step::MaskPath{.path = "/proc/kcore"});
    add(step::ReadonlyPath{.path = "/proc/sys"});
    add(step::ReadonlyRoot{});
    add(step::PropagateRoot{.flags = MS_SHARED});
    add(step::AwaitRuntimeHooks{});
    add(step::CreateContainerHooks{});
    add(step::AwaitCgroup{.unshare_namespace = true});
    add(step::PivotRoot{.way = step::PivotRoot::Way::move});
    add(step::SetHostname{.name = "h"});
    add(step::SetDomainname{.name = "d"});
    add(step::Sysctl{.path = "net/x", .value = "1 2"});
    add(step::ProcSelf{.file = "oom_score_adj", .text = "7"});
    add(step::LoopbackUp{});
    add(step::SessionKeyring{.name = "_ses.web"});
    add(step::Rlimits{.all = {{.resource = 7, .soft = 1, .hard = 2}}});
    add(step::Personality{.persona = 8});
    add(step::SchedulerPolicy{.policy = 3, .nice = 5});
    add(step::IoPriority{.value = 3 << 13});
    add(step::MemoryPolicy{.mode = 2, .node_mask = {3}});
    add(step::Console{.size = spec::ConsoleSize{.height = 25, .width = 80}});
    add(step::AwaitNetDevices{});
    plan.resctrl = sys::ResctrlGroup{.mount_point = "/r",
                                     .name = "gold",
                                     .make = true,
                                     .monitor = "web",
                                     .expected = {"MB:0=10"},
                                     .schemata = {"L3:0=f"}};
    plan.net_devices = {{.host_name = "eth1", .name = "eth0"}};
    plan.identity.uid = 5;
    plan.identity.groups = {6, 7};
    plan.identity.umask = 022;
    plan.program = {.args = {"sh", "-c", "echo \x1b[31m"}, .env = {"A=b"}, .cwd = "/"};
    return plan;
}

TEST(PlanText, ShowsEveryKindOfStepOnOneLine) {
    const LaunchPlan plan = every_step();
    std::set<std::size_t> kinds;
    for (const Step& one : plan.steps) {
        kinds.insert(one.operation.index());
    }
    ASSERT_EQ(kinds.size(), std::variant_size_v<Operation>) << "a kind of step is missing here";

    EXPECT_EQ(plan_text(plan), R"(container web
warning: something is left out
new namespaces: user,pid,mount
join network namespace /run/netns/a b
uid map 0:1000:1 (by newuidmap)
gid map 0:1000:1 (setgroups denied)
cgroup /sys/fs/cgroup/knarr/web
  pids.max = 5 (where it can be)
  device rule: allow c 1:* r
resctrl /r/gold (new) monitored as web
  has MB:0=10
  schemata = L3:0=f
network interface eth1 as eth0
steps:
   1 time_offsets offsets="boottime 1 0\x0a"
   2 propagate flags=slave,recursive
   3 mount_root lowers=/l2:/l1 upper=/u work=/w merged=/m
   4 mount fstype=tmpfs source=tmpfs target=/tmp flags=nosuid data=size=1k propagation=private copy_up
   5 bind source="/a b" target=/b recursive set=noexec,noatime clear=atime recursive_set=ro uid_mappings=0:5:1
   6 remount target=/b flags=ro bind
   7 device path=/dev/x device="b 8:1" mode=0640 owner=0:0
   8 symlink path=/dev/fd target=/proc/self/fd
   9 mask path=/proc/kcore
  10 readonly_path path=/proc/sys
  11 readonly_root
  12 propagate_root flags=shared
  13 await_runtime_hooks
  14 create_container_hooks
  15 await_cgroup unshare_namespace
  16 pivot_root way=move
  17 hostname name=h
  18 domainname name=d
  19 sysctl path=net/x value="1 2"
  20 proc_self file=oom_score_adj text=7
  21 loopback_up
  22 session_keyring name=_ses.web
  23 rlimits limits=7:1:2
  24 personality persona=8
  25 scheduler policy=3 flags=0 nice=5 priority=0 runtime=0 deadline=0 period=0
  26 io_priority value=24576
  27 memory_policy mode=2 nodes=0x3
  28 console size=80x25 on_dev_console owner=0
  29 await_net_devices
hook prestart /hook
user 5:0,6,7 umask 0022
capabilities bounding=0 effective=0 permitted=0 inheritable=0 ambient=0
no_new_privs false
cwd /
exec sh -c echo \x1b[31m
)");
}

/// The value of `key` where it first stands behind `after`.
std::string member(const std::string& json, const std::string& after, const std::string& key) {
    const std::size_t from = json.find("\"" + key + "\": ", json.find(after));
    if (from == std::string::npos) {
        return "(none)";
    }
    const std::size_t start = from + key.size() + 4;
    return json.substr(start, json.find_first_of(",\n", start) - start);
}

TEST(PlanJson, HoldsWhatTheTextHolds) {
    const std::string json = plan_json(every_step());
    EXPECT_EQ(member(json, "", "id"), "\"web\"");
    EXPECT_EQ(member(json, "joined_namespaces", "type"), "\"network\"");
    EXPECT_EQ(member(json, "uid_map", "host_id"), "1000");
    EXPECT_EQ(member(json, "\"cgroup\"", "text"), "\"5\"");
    EXPECT_EQ(member(json, "\"kind\": \"mount\"", "fstype"), "\"tmpfs\"");
    EXPECT_EQ(member(json, "\"kind\": \"mount\"", "copy_up"), "true");
    EXPECT_EQ(member(json, "\"kind\": \"scheduler\"", "nice"), "5");
    EXPECT_EQ(member(json, "identity", "umask"), "18");
    EXPECT_EQ(member(json, "\"resctrl\"", "path"), "\"/r/gold\"");
    EXPECT_EQ(member(json, "\"net_devices\"", "eth1"), "\"eth0\"");
    EXPECT_NE(json.find("\"allow c 1:* r\""), std::string::npos);
    EXPECT_NE(json.find("echo \\u001b[31m"), std::string::npos) << "no raw control characters";
}

TEST(PlanJson, NamesTheNewNamespaces) {
    const std::string text = plan_json(every_step());
    const std::size_t at = text.find("\"new_namespaces\"");
    ASSERT_NE(at, std::string::npos);
    const std::string list = text.substr(at, text.find(']', at) - at);
    for (const char* name : {"\"pid\"", "\"mount\"", "\"user\""}) {
        EXPECT_NE(list.find(name), std::string::npos) << list;
    }
}

}  // namespace
}  // namespace knarr::runtime
