#include "runtime/native/plan.h"

#include <linux/sched.h>
#include <sys/mount.h>

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::must_plan;
using testing_config::usual_bundle;
using testing_config::v1_host;

TEST(Plan, AnUsualConfigurationGivesThisText) {
    constexpr const char* kGolden = R"(container web
new namespaces: pid,network,mount,ipc,uts
cgroup /sys/fs/cgroup/systemd/knarr/web
cgroup /sys/fs/cgroup/memory/knarr/web
  memory.limit_in_bytes = 67108864
cgroup /sys/fs/cgroup/cpu,cpuacct/knarr/web
cgroup /sys/fs/cgroup/cpuset/knarr/web
cgroup /sys/fs/cgroup/pids/knarr/web
  pids.max = 100
cgroup /sys/fs/cgroup/devices/knarr/web
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
cgroup /sys/fs/cgroup/blkio/knarr/web
cgroup /sys/fs/cgroup/freezer/knarr/web
cgroup /sys/fs/cgroup/hugetlb/knarr/web
cgroup /sys/fs/cgroup/net_cls,net_prio/knarr/web
steps:
   1 propagate flags=slave,recursive
   2 mount_root path=/bundles/web/rootfs
   3 mount fstype=proc source=proc target=/proc flags=nosuid,nodev,noexec
   4 mount fstype=tmpfs source=tmpfs target=/dev flags=nosuid,strictatime data=mode=755,size=65536k
   5 mount fstype=sysfs source=sysfs target=/sys flags=ro,nosuid,nodev,noexec
   6 mount fstype=devpts source=devpts target=/dev/pts flags=nosuid,noexec data=newinstance,ptmxmode=0666,mode=0620
   7 bind source=/srv/data target=/data recursive=true set=nosuid recursive_set=ro propagation=private,recursive
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
  19 await_cgroup unshare_namespace=true
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
  35 remount target=/sys/fs/cgroup flags=ro,nosuid,nodev,noexec bind=true
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
capabilities bounding=401 effective=400 permitted=400 inheritable=400 ambient=400
no_new_privs true
cwd /srv
exec /bin/server --port=80
)";
    EXPECT_EQ(plan_text(must_plan(usual_bundle(), v1_host())), kGolden);
}

}  // namespace
}  // namespace knarr::runtime::native
