"""Containers of an ordinary user, without systemd: user namespaces, their mappings and refusals."""

import json
import os

import pytest

import rootless
from rootless import SUBIDS, UID, UserHost, map_range


@pytest.fixture
def host(knarr_path, witness_path, scratch):
    rootless.needs_user_namespaces()
    own = UserHost(knarr_path, witness_path, scratch)
    yield own
    own.destroy()
    own.assert_clean()


def seen(done):
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def test_a_user_runs_a_container_as_its_own_root(host):
    bundle = host.bundle("ids", "cat", "/proc/self/uid_map", "write", "/tmp/made")

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert seen(done)["uid"] == "0"
    assert str(UID) in done.stdout
    assert (bundle.rootfs / "tmp/made").stat().st_uid == UID


def test_the_verbs_of_a_user_work_one_after_the_other(host):
    bundle = host.bundle("sleep", "60")
    container = host.new_id()

    host.ok("create", "--bundle", bundle.directory, container)
    assert host.status(container) == "created"
    host.ok("start", container)
    assert host.status(container) == "running"
    assert [one["id"] for one in json.loads(host.ok("list", "--format", "json").stdout)] == [container]
    pid = host.state(container)["pid"]
    assert os.stat(f"/proc/{pid}/ns/user").st_ino != os.stat("/proc/self/ns/user").st_ino
    host.ok("kill", container, "KILL")
    rootless_wait(host, container)
    host.ok("delete", container)


def rootless_wait(host, container):
    from oci import wait_until
    wait_until(lambda: host.status(container) == "stopped", "the container goes on")


def test_the_program_keeps_no_privilege_on_the_host(host):
    bundle = host.bundle("caps", "cat", "/proc/self/setgroups", "try", "mount")

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert "deny" in done.stdout
    assert not any(int(value, 16) for key, value in seen(done).items()
                   if key.startswith("cap") and key != "cap_last")


def test_subordinate_ids_are_mapped_by_the_helpers(host):
    rootless.needs_helpers()
    bundle = host.bundle("ids", "write", "/tmp/made")
    map_range(bundle)
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5]}
    bundle.save()
    (bundle.rootfs / "tmp").chmod(0o777)

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert seen(done)["uid"] == "1000" and seen(done)["groups"] == "5"
    assert (bundle.rootfs / "tmp/made").stat().st_uid == SUBIDS[0] + 999


def test_ids_that_are_not_given_are_refused_with_file_range_and_fix(host):
    rootless.needs_helpers()
    bundle = host.bundle("ids")
    map_range(bundle, (SUBIDS[0] + 10, SUBIDS[1]))

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    first, last = SUBIDS[0] + 10, SUBIDS[0] + 10 + SUBIDS[1] - 1
    assert f"linux.gidMappings[1]: newgidmap refuses the host IDs {first} to {last}" in message
    assert f"/etc/subgid gives the user {rootless.NAME} {SUBIDS[0]} to" in message
    assert f"usermod --add-subgids {first}-{last} {rootless.NAME}" in message


def test_a_user_without_ids_is_told_so(host):
    rootless.needs_helpers()
    host.set_subids(None)
    bundle = host.bundle("ids")
    map_range(bundle)

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    assert f"/etc/subgid gives the user {rootless.NAME} none" in message


def test_a_user_of_the_program_that_is_not_mapped_is_named(host):
    bundle = host.bundle("ids")
    bundle.config["process"]["user"] = {"uid": 33, "gid": 0}
    bundle.save()

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    assert "process.user.uid: 33 does not exist in the container's user namespace" in message
    assert "which has 0" in message


def test_a_user_namespace_without_a_root_works(host):
    bundle = host.bundle("ids")
    for kind in ("uidMappings", "gidMappings"):
        bundle.config["linux"][kind] = [{"containerID": 1000, "hostID": UID, "size": 1}]
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    bundle.save()

    assert seen(host.ok("run", "--bundle", bundle.directory, host.new_id()))["uid"] == "1000"


def test_states_live_in_the_users_runtime_directory(host):
    runtime = host.make_dir("runtime")

    done = host.knarr_at({"XDG_RUNTIME_DIR": str(runtime)}, "list")

    assert done.returncode == 0, done.stderr
    assert (runtime / "knarr").stat().st_mode & 0o777 == 0o700
    assert (runtime / "knarr").stat().st_uid == UID


def test_a_state_directory_in_tmp_that_somebody_else_made_is_refused(host):
    place = f"/tmp/knarr-run-{UID}"
    for make in (os.mkdir, lambda path: os.symlink(host.home, path)):
        make(place)
        os.chown(place, UID + 1, UID + 1, follow_symlinks=False)
        try:
            done = host.knarr_at({}, "list")
        finally:
            os.unlink(place) if os.path.islink(place) else os.rmdir(place)
        assert done.returncode == 5
        assert place in done.stderr and "hint: " in done.stderr


def test_limits_without_a_delegated_cgroup_are_an_error_and_never_lost(host):
    bundle = host.bundle("ids")
    bundle.config["linux"]["resources"] = {"pids": {"limit": 10}}
    bundle.save()

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    assert "linux.resources: limits are asked for" in message
    assert "Delegate=yes" in message


def test_a_cgroup_that_is_not_delegated_is_a_warning(host):
    bundle = host.bundle("ids")
    bundle.config["linux"]["cgroupsPath"] = "/" + host.token
    bundle.config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    bundle.save()

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert "no cgroup is delegated to the caller" in done.stderr


def test_what_runc_spec_rootless_writes_runs(host):
    bundle = host.bundle("can-write", "/sys/fs/cgroup", "mounts")
    (bundle.rootfs / "sys").mkdir()
    bundle.config["mounts"] += [
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
         "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "none", "source": "/sys",
         "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
         "options": ["nosuid", "noexec", "nodev", "relatime"]},
    ]
    bundle.config["linux"]["maskedPaths"] = ["/proc/kcore", "/proc/keys", "/sys/firmware"]
    bundle.config["linux"]["readonlyPaths"] = ["/proc/bus", "/proc/sys"]
    bundle.share("network")

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert seen(done)["can-write:/sys/fs/cgroup"] == "EROFS"
    mounts = [value for key, value in seen(done).items() if key.startswith("mount.")]
    top = max(i for i, line in enumerate(mounts) if " /sys/fs/cgroup " in line)
    assert all(" ro," in line for line in mounts[top:] if " /sys/fs/cgroup" in line)


def test_file_systems_of_shared_namespaces_are_the_hosts(host):
    bundle = host.bundle("can-write", "/sys/kernel", "stat", "/sys/kernel", "list", "/dev/pts",
                         "can-write", "/sys/fs/cgroup")
    (bundle.rootfs / "sys").mkdir()
    bundle.config["mounts"] += [
        {"destination": "/sys", "type": "sysfs", "source": "sysfs"},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
    ]
    bundle.share("network")

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert seen(done)["can-write:/sys/kernel"] == "EROFS"
    assert seen(done)["can-write:/sys/fs/cgroup"] == "EROFS"
    assert "gid=5 left out" in done.stderr
    assert "the host's /sys, read-only" in done.stderr


def test_a_volume_is_bound(host):
    volume = host.make_dir("volume")
    bundle = host.bundle("write", "/volume/made")
    bundle.config["mounts"].append(
        {"destination": "/volume", "type": "none", "source": str(volume), "options": ["rbind", "rw"]})
    bundle.save()

    host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert (volume / "made").stat().st_uid == UID


def test_a_closed_directory_on_the_way_is_named(host):
    closed = host.directory / "closed"
    (closed / "volume").mkdir(parents=True)
    closed.chmod(0o700)
    bundle = host.bundle("ids")
    bundle.config["mounts"].append(
        {"destination": "/volume", "type": "none", "source": str(closed / "volume"),
         "options": ["rbind"]})
    bundle.save()

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    assert f"may not pass {closed} (mode 0700" in message
    assert f"chmod a+x {closed}" in message
    assert f"may not pass {closed} (mode 0700" in host.refused(
        "run", "--bundle", closed / "volume", host.new_id())


def test_a_closed_working_directory_is_named(host):
    bundle = host.bundle("ids")
    (bundle.rootfs / "closed/inner").mkdir(parents=True)
    os.chown(bundle.rootfs / "closed", 0, 0)
    (bundle.rootfs / "closed").chmod(0o700)
    bundle.config["process"]["cwd"] = "/closed/inner"
    bundle.save()

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    assert "may not pass /closed (mode 0700" in message


def test_a_missing_helper_is_named_with_its_package(host):
    rootless.needs_helpers()
    host.replace("/usr/bin/newgidmap", "")
    bundle = host.bundle("ids")
    map_range(bundle)

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    assert "newgidmap; it is not installed" in message
    assert "apt-get install uidmap" in message


def test_a_further_program_runs_in_a_users_container(host):
    bundle = host.bundle("sleep", "60")
    container = host.new_id()
    host.ok("run", "--detach", "--bundle", bundle.directory, container)

    done = host.ok("exec", container, "/witness", "ids", "cat", "/proc/self/uid_map")

    assert seen(done)["uid"] == "0" and str(UID) in done.stdout
    host.ok("delete", "--force", container)


def test_doctor_tells_a_user_what_is_given_to_him(knarr_path, witness_path, scratch):
    rootless.needs_user_namespaces()
    for subids, verdict in ((None, "limited"), (SUBIDS, "ok")):
        place = scratch / verdict
        place.mkdir()
        scratch.chmod(0o755)
        host = UserHost(knarr_path, witness_path, place, subids=subids)
        told = host.knarr_at({"KNARR_ROOT": str(host.root)}, "doctor", "--json")
        found = {one["name"]: one for one in json.loads(told.stdout)}
        assert found["subordinate IDs"]["verdict"] == verdict
        assert ("usermod --add-subuids" in found["subordinate IDs"]["mend"]) == (verdict == "limited")
        # No cgroup was delegated to a user who is in none of systemd's.
        assert found["cgroups"]["verdict"] == "limited" and "systemd-run" in found["cgroups"]["mend"]
        assert str(UID) in found["cgroups"]["what"]
