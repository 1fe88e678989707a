"""What podman's options make of a container: the same with knarr as with runc, seen from inside."""

import concurrent.futures
import json
import os
import pathlib

import pytest

from clients import without_ids
from podman import IMAGE, open_podman

V1 = os.path.exists("/sys/fs/cgroup/memory")


@pytest.fixture(scope="module")
def podman(knarr_path, tmp_path_factory):
    made = open_podman(knarr_path, tmp_path_factory.mktemp("podman"))
    podman = next(made)
    volume = podman.directory / "volume"
    volume.mkdir()
    (volume / "file").write_text("of the host")
    os.chown(volume / "file", 1000, 1001)
    (podman.directory / "no-mkdir.json").write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}))
    yield podman
    next(made, None)


STATUS = "grep -E 'Cap|NoNew|Seccomp:|Groups|^Uid' /proc/self/status"
CGROUP = "cd /sys/fs/cgroup; cat "

# (podman's options with DIR for a directory of the test, what is run)
CASES = {
    "defaults": ([], f"{STATUS}; id; pwd; env | grep -v HOSTNAME | sort; umask; ulimit -a"),
    "mounts": ([], "sed 's/^[0-9]* [0-9]* [0-9:]* //; s/overlay.*//; s/ master:[0-9]*//' /proc/self/mountinfo"
                   " | grep -v cgroup | while read a b c d; do echo $b ${c%%,*}; done | sort"),
    "devices": ([], "ls -l /dev | while read a b c d e f; do echo $a $c $d; done | sort"),
    "user": (["--user=1000:1001"], STATUS),
    "user by name": (["--user=web", "--group-add=44"], "id"),
    "capabilities": (["--cap-add=NET_ADMIN,SYS_TIME", "--cap-drop=CHOWN"], STATUS),
    "no capabilities": (["--cap-drop=all"], STATUS),
    "capabilities of a user": (["--user=web", "--cap-add=NET_BIND_SERVICE"], STATUS),
    "privileged": (["--privileged"], STATUS + "; ls /proc/acpi > /dev/null && echo open"),
    "no seccomp": (["--security-opt=seccomp=unconfined"], STATUS),
    "seccomp": (["--security-opt=seccomp=DIR/no-mkdir.json"], "mkdir /x; echo $?"),
    "no new privileges": (["--security-opt=no-new-privileges"], STATUS),
    "masks": (["--security-opt=mask=/proc/meminfo:/etc", "--security-opt=unmask=/proc/kcore"],
              "wc -c /proc/meminfo; ls /etc"),
    "hidepid": (["--security-opt=proc-opts=hidepid=2", "--user=web"], "ls /proc | grep -c '^1$'"),
    "read-only": (["--read-only"], "touch /x; touch /tmp/y && echo y"),
    "volume": (["--volume=DIR/volume:/v"], "cat /v/file; touch /v/new && rm -f /v/new; ls -ln /v/file"),
    "volume read-only": (["--volume=DIR/volume:/v:ro"], "cat /v/file; touch /v/new"),
    "volume options": (["--volume=DIR/volume:/v:nosuid,nodev,noexec,rslave"], "grep ' /v ' /proc/mounts | cut -d' ' -f2,4 | sed 's/,.*relatime/,relatime/'; grep ' /v ' /proc/self/mountinfo | grep -c master"),
    "volume of a file": (["--volume=DIR/volume/file:/etc/deep/file:ro"], "cat /etc/deep/file"),
    "volume labelled": (["--volume=DIR/volume:/v:z"], "cat /v/file"),
    "tmpfs": (["--tmpfs=/x:size=1m,mode=1770"], "grep ' /x ' /proc/mounts; stat -c %a /x"),
    "tmpfs with the image's files": (["--mount=type=tmpfs,destination=/home,tmpcopyup"], "ls /home"),
    "device": (["--device=/dev/null:/dev/mine:rw"], "ls -l /dev/mine | cut -d' ' -f1,3-6; echo x > /dev/mine"),
    # runc 1.1 lets everybody make network interfaces (10:200), which 1.2 has given up.
    "device rules": (["--device-cgroup-rule=c 42:* rmw"],
                     CGROUP + "devices/devices.list | grep -v 'c 10:200' | sort" if V1 else "echo v2"),
    "memory": (["--memory=64m", "--memory-reservation=32m", "--memory-swap=96m"],
               CGROUP + ("memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes"
                         if V1 else "memory.max memory.low")),
    "cpu": (["--cpus=0.5", "--cpu-shares=512", "--cpuset-cpus=0"],
            CGROUP + ("cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.shares cpuset/cpuset.cpus"
                      if V1 else "cpu.max cpu.weight cpuset.cpus")),
    "pids": (["--pids-limit=33"], CGROUP + ("pids/pids.max" if V1 else "pids.max")),
    "block io": (["--device-read-bps=/dev/vda:1mb"],
                 CGROUP + ("blkio/blkio.throttle.read_bps_device" if V1 else "io.max")),
    "sysctl": (["--sysctl=net.ipv4.ip_forward=1", "--sysctl=kernel.shm_rmid_forced=1"],
               "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced"),
    "ulimits": (["--ulimit=nofile=100:200", "--ulimit=nproc=77:99", "--ulimit=core=0:0"], "ulimit -Sn; ulimit -Hn; ulimit -c"),
    "names": (["--hostname=named", "--env=A=1", "--workdir=/tmp", "--umask=0077"],
              "hostname; echo $A; pwd; umask"),
    "shared memory": (["--shm-size=1m"], "df -k /dev/shm | tail -n 1"),
    "init": (["--init"], "cat /proc/1/comm"),
    "namespaces of the host": (["--pid=host", "--ipc=host", "--uts=host"],
                               "for one in pid ipc uts; do readlink /proc/self/ns/$one; done"),
    "cgroup namespace of the host": (["--cgroupns=host"], "cut -d: -f2- /proc/self/cgroup"),
    "cgroup namespace": (["--cgroupns=private"], "cut -d: -f2- /proc/self/cgroup | grep -v ^hugetlb"),
    "network of the host": (["--network=host"], "readlink /proc/self/ns/net; ip addr show lo | grep -c inet"),
    "user namespace": (["--uidmap=0:100000:2000", "--gidmap=0:200000:2000"],
                       "cat /proc/self/uid_map /proc/self/gid_map; id; touch /x && stat -c %u /x; "
                       "ls -ln /dev/null | cut -c1; mkdir /proc/sys/x"),
    "out of memory score": (["--oom-score-adj=500"], "cat /proc/self/oom_score_adj"),
    "systemd": (["--systemd=always"], "echo $container; grep -E ' (/run|/tmp|/var/log/journal) ' "
                "/proc/mounts | cut -d' ' -f2,3 | sort; grep -c cgroup/systemd /proc/mounts"),
    "propagation": (["--mount=type=bind,source=DIR/volume,destination=/v,bind-propagation=rshared"],
                    "grep ' /v ' /proc/self/mountinfo | grep -c shared:"),
    "entrypoint": (["--entrypoint=/bin/echo"], "words"),
    "groups kept": (["--annotation=run.oci.keep_original_groups=1"], "id -u"),
    "preserved descriptors": (["--preserve-fds=0"], "ls /proc/self/fd | wc -l"),
}

def words_of(podman, name):
    options, script = CASES[name]
    options = [option.replace("DIR", str(podman.directory)) for option in options]
    return [*(["--network=none"] if not any("--network" in o for o in options) else []), *options,
            IMAGE, *([script] if name == "entrypoint" else ["sh", "-c", script])]


@pytest.mark.parametrize("name", CASES, ids=lambda name: name.replace(" ", "-"))
def test_an_option_has_the_effect_that_it_has_with_runc(podman, name):
    words = ["run", "--rm", *words_of(podman, name)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(lambda runtime: podman.run(*words, runtime=runtime),
                                (None, "runc"))
    assert theirs.returncode in (0, 1), f"runc itself cannot: {theirs.stderr}"
    assert ours.returncode == theirs.returncode, ours.stderr
    assert without_ids(ours.stdout) == without_ids(theirs.stdout)
    assert ours.stdout + ours.stderr, "a test that sees nothing shows nothing"


def test_a_volume_is_shown_with_other_ids(podman):
    """`idmap` of a volume: crun has it too, runc 1.1 does not."""
    done = podman.run("run", "--rm", "--network=none", "--uidmap=0:100000:2000",
                      f"--volume={podman.directory}/volume:/v:idmap", IMAGE,
                      "stat", "-c", "%u:%g", "/v/file")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1000:1001"


def test_ids_are_chosen_automatically(podman):
    ranges = podman.directory / "subids"
    ranges.write_text("containers:1700000000:65536\n")
    for file in ("/etc/subuid", "/etc/subgid"):
        if not pathlib.Path(file).exists():
            pytest.skip(f"no {file} on this machine to put another over")
        done = podman.place.run("mount", "--bind", ranges, file)
        assert done.returncode == 0, done.stderr
    out = podman.ok("run", "--rm", "--network=none", "--userns=auto:size=1000", IMAGE,
                    "cat", "/proc/self/uid_map")
    assert out.split() == ["0", "1700000000", "1000"]
