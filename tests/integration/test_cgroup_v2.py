"""cgroup v2 alone, as most machines have it: limits, controllers, devices, the freezer, mounts."""

import os
import pathlib
import signal
import subprocess

import pytest

from oci import Host, wait_until

TOP = pathlib.Path("/sys/fs/cgroup")


def needs_v2():
    if not (TOP / "cgroup.controllers").exists():
        pytest.skip("needs cgroup v2 alone (tools/test --lane v2)")


@pytest.fixture
def host(knarr_path, witness_path, scratch, needs_root):
    needs_v2()
    own = Host(knarr_path, witness_path, scratch)
    yield own
    own.destroy()
    for path in sorted(own.cgroups(), reverse=True):  # parents stay when a container goes
        os.rmdir(path)
    own.assert_clean()


def start(host, bundle):
    container = host.new_id()
    bundle.save()
    host.ok("create", "--bundle", bundle.directory, container)
    host.ok("start", container)
    return container


def place_of(host, container):
    """The cgroup in which the container's first process is."""
    own = pathlib.Path(f"/proc/{host.state(container)['pid']}/cgroup").read_text()
    assert own.startswith("0::/") and own.count("\n") == 1
    return TOP / own.strip().removeprefix("0::/")


def limited(host, resources, *args, path=None):
    bundle = host.bundle(*(args or ("wait-signal",)))
    bundle.config["linux"]["resources"] = resources
    if path:
        bundle.config["linux"]["cgroupsPath"] = path
    bundle.save()
    return bundle


def texts(place, *names):
    return [(place / name).read_text().strip() for name in names]


def test_limits_are_in_the_files_of_v2(host):
    bundle = limited(host, {
        "memory": {"limit": 64 << 20, "swap": 96 << 20, "reservation": 32 << 20},
        "cpu": {"shares": 1024, "quota": 50_000, "period": 100_000, "burst": 10_000,
                "cpus": "0", "mems": "0"},
        "pids": {"limit": 20},
        "unified": {"memory.high": str(48 << 20)},
    })
    place = place_of(host, start(host, bundle))

    assert texts(place, "memory.max", "memory.low", "memory.high") == [
        str(64 << 20), str(32 << 20), str(48 << 20)]
    assert texts(place, "cpu.weight", "cpu.max", "cpu.max.burst") == ["100", "50000 100000", "10000"]
    assert texts(place, "cpuset.cpus", "cpuset.mems", "pids.max") == ["0", "0", "20"]
    if (place / "memory.swap.max").exists():
        assert texts(place, "memory.swap.max") == [str(32 << 20)]


def test_every_container_has_the_usual_statistics(host):
    place = place_of(host, start(host, host.bundle("wait-signal")))

    assert {"cpu", "memory", "pids"} <= set(texts(place, "cgroup.controllers")[0].split())
    assert int(texts(place, "memory.current")[0]) > 0


def test_controllers_are_handed_down_through_parents_that_lack_them(host):
    top = TOP / f"{host.token}-a"
    top.mkdir()
    assert texts(top, "cgroup.subtree_control") == [""]
    bundle = limited(host, {"pids": {"limit": 9}, "cpu": {"cpus": "0"}},
                     path=f"/{top.name}/{host.token}-b/{host.token}-c")
    container = start(host, bundle)
    place = place_of(host, container)

    assert place == top / f"{host.token}-b/{host.token}-c"
    assert texts(place, "pids.max", "cpuset.cpus") == ["9", "0"]
    for parent in (top, place.parent):
        assert {"pids", "cpuset"} <= set(texts(parent, "cgroup.subtree_control")[0].split())
    host.ok("delete", "--force", container)
    assert not place.exists()


@pytest.fixture
def occupied(host):
    """A cgroup with a process in it."""
    place = TOP / f"{host.token}-full"
    place.mkdir()
    with subprocess.Popen(["sleep", "1000"]) as process:
        (place / "cgroup.procs").write_text(str(process.pid))
        yield place
        process.kill()


def test_a_parent_that_holds_processes_is_named_with_the_way_out(host, occupied):
    inner = f"/{occupied.name}/{host.token}-inner"
    bundle = limited(host, {"memory": {"limit": 64 << 20}}, path=inner)

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    assert "linux.resources.memory.limit" in message
    assert str(occupied) in message and "holds processes itself" in message
    assert "a cgroup of their own" in message
    assert not (occupied / f"{host.token}-inner").exists()


def test_below_a_parent_that_holds_processes_runs_what_asks_for_no_limit(host, occupied):
    bundle = limited(host, {}, "cgroup", path=f"/{occupied.name}/{host.token}-inner")

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert f"0::/{occupied.name}/{host.token}-inner" in done.stdout
    assert not (occupied / f"{host.token}-inner").exists()


def test_a_cgroup_that_is_in_use_is_refused(host, occupied):
    bundle = limited(host, {}, path=f"/{occupied.name}")

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    assert f"{occupied} is in use by 1 process" in message
    assert occupied.is_dir()


def with_devices(bundle, script):
    """A shell as root that may make nodes, with what it needs."""
    capabilities = ["CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYSLOG"]
    bundle.config["process"]["capabilities"] = {
        name: capabilities for name in ("bounding", "effective", "permitted")}
    bundle.use_shell(script)
    bundle.save()
    return bundle


def test_devices_that_are_not_allowed_cannot_be_opened(host):
    bundle = with_devices(host.bundle(), """
        /busybox cat /dev/null && echo null-opened
        /busybox mknod /tmp/kmsg c 1 11 && echo made
        for one in /tmp/kmsg /dev/kmsg; do
            /busybox dd if=$one of=/dev/null bs=8k count=1 && echo read; done""")
    bundle.config["linux"]["devices"] = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]
    # The rules say nothing of it: it is a node that may be made, as every one may, and no more.
    bundle.config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    bundle.save()

    done = host.knarr("run", "--bundle", bundle.directory, host.new_id())

    assert done.stdout.split() == ["null-opened", "made"]
    assert done.stderr.count("Operation not permitted") == 2, done.stderr


def test_devices_are_allowed_by_kind_number_and_access(host):
    bundle = with_devices(host.bundle(), """
        /busybox mknod /tmp/kmsg c 1 11 && echo made
        /busybox dd if=/tmp/kmsg of=/dev/null count=1 bs=8k 2>/dev/null && echo read
        echo x > /tmp/kmsg && echo written""")
    bundle.config["linux"]["resources"] = {"devices": [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "rwm"},
        {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "w"}]}
    bundle.save()

    done = host.knarr("run", "--bundle", bundle.directory, host.new_id())

    assert done.stdout.split() == ["made", "read"], done.stderr


def test_programs_of_the_cgroups_above_keep_their_say(host):
    """Two programs, the parent's and the container's: what one of them forbids stays forbidden."""
    outer = limited(host, {"devices": [{"allow": False, "access": "rwm"}]}, path=f"/{host.token}-outer")
    first = start(host, outer)
    bundle = with_devices(host.bundle(), "/busybox mknod /tmp/kmsg c 1 11; echo x > /tmp/kmsg || echo refused")
    bundle.config["linux"]["cgroupsPath"] = f"/{host.token}-outer/{host.token}-inner"
    bundle.config["linux"]["resources"] = {"devices": [{"allow": True, "access": "rwm"}]}
    bundle.save()

    done = host.knarr("run", "--bundle", bundle.directory, host.new_id())

    assert "refused" in done.stdout, done.stderr
    host.ok("delete", "--force", first)


def test_a_frozen_container_is_paused_and_thaws(host):
    container = start(host, host.bundle("wait-signal"))
    place = place_of(host, container)
    (place / "cgroup.freeze").write_text("1")
    wait_until(lambda: host.status(container) == "paused", "it is not paused")

    (place / "cgroup.freeze").write_text("0")

    wait_until(lambda: host.status(container) == "running", "it is not running again")


def test_a_container_that_needs_too_much_memory_is_killed_and_counted(host):
    bundle = limited(host, {"memory": {"limit": 16 << 20, "swap": 16 << 20}}, "memory", "64")
    container = host.new_id()
    host.ok("create", "--bundle", bundle.directory, container)
    place = place_of(host, container)
    host.ok("start", container)
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")

    events = dict(line.split() for line in texts(place, "memory.events")[0].splitlines())

    assert events["oom_kill"] == "1" and int(events["max"]) > 0


def with_cgroup_mount(bundle, options, namespace=True):
    (bundle.rootfs / "sys/fs/cgroup").mkdir(parents=True)
    bundle.config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                                    "options": options})
    if namespace:
        bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
    bundle.save()
    return bundle


@pytest.mark.parametrize("namespace", [True, False])
def test_a_read_only_cgroup_mount_shows_the_own_cgroup_and_takes_nothing(host, namespace):
    bundle = with_cgroup_mount(host.bundle(), ["ro", "nosuid", "noexec", "nodev"], namespace)
    bundle.use_shell("cd /sys/fs/cgroup; /busybox cat cgroup.procs; /busybox mkdir in || echo refused")
    bundle.save()

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert "1" in done.stdout.split() and "refused" in done.stdout
    assert "Read-only file system" in done.stderr


def test_a_writable_cgroup_mount_lets_the_container_make_its_own(host):
    bundle = with_cgroup_mount(host.bundle(), ["rw", "nosuid", "noexec", "nodev"])
    bundle.use_shell("cd /sys/fs/cgroup && /busybox mkdir main && echo 1 > main/cgroup.procs &&"
                     " echo +pids > cgroup.subtree_control && /busybox cat main/pids.max"
                     " /proc/self/cgroup")
    bundle.save()

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert done.stdout.split() == ["max", "0::/main"]


@pytest.mark.parametrize("name,value,said", [
    ("nosuch.max", "1", "linux.resources.unified"), ("../cgroup.procs", "1", "unified"),
    ("memory.max", "never", "memory.max"),
])
def test_bad_files_of_unified_are_refused_by_name(host, name, value, said):
    bundle = limited(host, {"unified": {name: value}})

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    assert said in message
    host.assert_clean()


def test_a_further_process_enters_the_cgroup_and_its_limits(host):
    container = start(host, limited(host, {"pids": {"limit": 12}}))
    own = f"0::/{place_of(host, container).relative_to(TOP)}"

    assert own in host.ok("exec", container, "/witness", "cgroup").stdout


def test_everything_below_the_containers_cgroup_goes_with_it(host):
    bundle = with_cgroup_mount(host.bundle(), ["rw"])
    bundle.use_shell("cd /sys/fs/cgroup && /busybox mkdir -p a/b && (echo 0 > a/b/cgroup.procs;"
                     " exec /busybox sleep 1000) & /busybox sleep 1000")
    container = start(host, bundle)
    place = place_of(host, container)
    wait_until(lambda: (place / "a/b/cgroup.procs").exists() and texts(place / "a/b", "cgroup.procs")[0],
               "nothing is in the inner cgroup")

    host.ok("kill", "--all", container, "KILL")
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    host.ok("delete", container)

    assert not place.exists()


def test_a_killed_delete_leaves_a_cgroup_that_the_next_removes(host):
    container = start(host, host.bundle("wait-signal"))
    place = place_of(host, container)
    os.kill(host.state(container)["pid"], signal.SIGKILL)
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    (place / "left").mkdir()

    host.ok("delete", container)

    assert not place.exists()
