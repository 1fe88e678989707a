"""Root's containers with a user namespace, and knarr inside a user namespace."""

import subprocess

import pytest


FIRST = 1_500_000_000


def with_users(bundle, *maps):
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        bundle.config["linux"][kind] = [
            {"containerID": inside, "hostID": outside, "size": size} for inside, outside, size in maps]
    bundle.save()
    return bundle


def seen(done):
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def test_many_ranges_are_mapped(host):
    bundle = with_users(host.bundle("ids", "cat", "/proc/self/uid_map"),
                        *[(i, FIRST + 2 * i, 1) for i in range(150)])
    bundle.config["process"]["user"] = {"uid": 149, "gid": 149}
    bundle.save()
    bundle.rootfs.chmod(0o755)

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert seen(done)["uid"] == "149"


@pytest.mark.parametrize("maps, message", [
    ([(0, FIRST, 0)], "linux.uidMappings[0].size"),
    ([(0, FIRST, 10), (5, FIRST + 100, 10)], "linux.uidMappings[1]: overlaps linux.uidMappings[0]"),
    ([(0, FIRST, 10), (10, FIRST + 5, 10)], "linux.uidMappings[1]: overlaps linux.uidMappings[0]"),
    ([(0, 4294967290, 10)], "10 IDs from hostID 4294967290 end beyond 4294967295"),
    ([(4294967290, FIRST, 10)], "10 IDs from containerID 4294967290 end beyond 4294967295"),
    ([(i, FIRST + 2 * i, 1) for i in range(341)], "341 ranges, the kernel takes at most 340"),
    ([(10_000_000 + i, FIRST + 2 * i, 1) for i in range(300)], "bytes, the kernel takes at most 4095"),
])
def test_a_mapping_that_the_kernel_would_refuse_is_named(host, maps, message):
    bundle = with_users(host.bundle("ids"), *maps)

    assert message in host.refused("run", "--bundle", bundle.directory, host.new_id())


def test_on_a_host_with_shared_mounts_nothing_of_it_is_seen_there(host):
    """As systemd makes them. The root and the sources of binds are opened by the host's root."""
    bundle = with_users(host.bundle("sleep", "60"), (0, FIRST, 65536))
    place = host.directory / "data"
    (place / "inner").mkdir(parents=True)
    (bundle.rootfs / "data").mkdir()
    bundle.config["mounts"] += [
        {"destination": "/data", "type": "bind", "source": str(place), "options": ["rbind"]},
        {"destination": "/data/inner", "type": "tmpfs", "source": "tmpfs"}]
    bundle.save()
    container = host.new_id()
    script = 'mount --make-rshared / && "$@" > /dev/null && cat /proc/self/mountinfo'

    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh",
                           *host.command("run", "--detach", "--bundle", bundle.directory, container)],
                          stdout=subprocess.PIPE, text=True, check=True)

    mounted = [line.split()[4] for line in done.stdout.splitlines()]
    assert "/" in mounted and not [path for path in mounted if path.startswith(str(host.directory))]
    inside = open(f"/proc/{host.state(container)['pid']}/mountinfo", encoding="utf-8").read()
    assert " /data/inner " in inside and " /proc " in inside


CLOSED = """mount -t tmpfs tmpfs "$0"; mkdir "$0/sub"; echo good > "$0/file"; mount -t tmpfs tmpfs "$0/sub"
mount -o remount,bind,ro,nosuid,nodev "$0"; "$@"; cat "$0/file\""""
OPENS = """/busybox mount -o remount,bind,rw /closed && echo writable
/busybox mount -o remount,bind,suid,dev /closed && echo suid
(echo evil > /closed/file) && echo written
/busybox umount /closed/sub && echo uncovered
echo tried"""


@pytest.mark.parametrize("passable", [True, False])
def test_what_the_host_has_closed_stays_closed(host, passable):
    """Read-only, no devices, something covered: the root of the container may mount, but that is not his."""
    place = host.directory / "closed"
    place.mkdir()
    if passable:
        host.directory.chmod(0o755)
    bundle = with_users(host.bundle(), (0, FIRST, 65536))
    bundle.use_shell(OPENS)
    bundle.config["process"]["capabilities"] = {
        kind: ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"] for kind in ("bounding", "effective", "permitted")}
    bundle.config["mounts"].append(
        {"destination": "/closed", "type": "bind", "source": str(place), "options": ["rbind"]})
    (bundle.rootfs / "closed").mkdir()
    bundle.save()

    done = subprocess.run(["unshare", "-m", "sh", "-c", CLOSED, place,
                           *host.command("run", "--bundle", bundle.directory, host.new_id())],
                          env=host.environment(), capture_output=True, text=True, check=False)

    assert done.stdout.split() == ["tried", "good"], done.stderr


def test_the_user_namespace_of_another_container_is_joined(host):
    first = with_users(host.bundle("sleep", "60"), (0, FIRST, 65536))
    first_id = host.new_id()
    host.ok("run", "--detach", "--bundle", first.directory, first_id)
    pid = host.state(first_id)["pid"]
    second = host.bundle("ids", "cat", "/proc/self/uid_map")
    second.config["linux"]["namespaces"].append({"type": "user", "path": f"/proc/{pid}/ns/user"})
    second.save()

    done = host.ok("run", "--bundle", second.directory, host.new_id())

    assert seen(done)["uid"] == "0" and str(FIRST) in done.stdout


def test_a_volume_is_shown_with_the_containers_ids(host):
    volume = host.directory / "volume"
    volume.mkdir()
    (volume / "file").write_text("x")
    bundle = with_users(host.bundle("stat", "/volume/file", "write", "/volume/made"),
                        (0, FIRST, 65536))
    (bundle.rootfs / "volume").mkdir()
    bundle.config["mounts"].append({"destination": "/volume", "type": "none", "source": str(volume),
                                    "options": ["rbind", "idmap"]})
    bundle.save()

    done = host.knarr("run", "--bundle", bundle.directory, host.new_id())

    if "cannot be ID-mapped by this kernel" in done.stderr:
        pytest.skip("the file system of /tmp cannot be ID-mapped")
    assert done.returncode == 0, done.stderr
    assert " 0:0 " in seen(done)["stat:/volume/file"]
    assert (volume / "made").stat().st_uid == 0


def test_a_volume_behind_a_closed_directory_is_reached(host):
    volume = host.directory / "volume"  # the scratch directory is 0700 and root's
    volume.mkdir(mode=0o755)
    (volume / "file").write_text("content")
    bundle = with_users(host.bundle("cat", "/volume/file"), (0, FIRST, 65536))
    (bundle.rootfs / "volume").mkdir()
    bundle.config["mounts"].append(
        {"destination": "/volume", "type": "none", "source": str(volume), "options": ["rbind"]})
    bundle.save()

    assert "content" in host.ok("run", "--bundle", bundle.directory, host.new_id()).stdout


def test_a_root_file_system_that_lets_nobody_pass_is_named(host):
    bundle = with_users(host.bundle("ids"), (0, FIRST, 65536))
    bundle.rootfs.chmod(0o700)

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())

    assert f"user 0 may not pass {bundle.rootfs} (mode 0700" in message
    assert f"chmod a+x {bundle.rootfs}" in message


def test_file_systems_of_shared_namespaces_show_no_writable_cgroup(host):
    bundle = with_users(host.bundle("can-write", "/sys/fs/cgroup", "can-write", "/sys/kernel"),
                        (0, 0, 65536))
    (bundle.rootfs / "sys").mkdir()
    bundle.config["mounts"].append({"destination": "/sys", "type": "sysfs", "source": "sysfs"})
    bundle.share("network")

    done = host.ok("run", "--bundle", bundle.directory, host.new_id())

    assert seen(done)["can-write:/sys/fs/cgroup"] == "EROFS"
    assert seen(done)["can-write:/sys/kernel"] == "EROFS"


INSIDE = ["unshare", "--user", "--map-root-user", "--mount"]


def run_inside(host, words, *args):
    return subprocess.run([*words, *host.command(*args)], env=host.environment(), timeout=60,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_knarr_works_in_a_user_namespace(host):
    bundle = host.bundle("ids", "stat", "/dev/null", "stat", "/dev/tty", "cat", "/proc/self/uid_map")
    (bundle.rootfs / "sys").mkdir()
    bundle.config["mounts"] += [
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"},
    ]
    bundle.config["linux"]["maskedPaths"] = ["/proc/kcore", "/sys/firmware"]
    bundle.config["process"]["oomScoreAdj"] = 100
    bundle.save()

    done = run_inside(host, INSIDE, "run", "--bundle", bundle.directory, host.new_id())

    assert done.returncode == 0, done.stderr
    assert seen(done)["uid"] == "0"
    assert "1:3" in seen(done)["stat:/dev/null"]
    assert "gid=5 left out" in done.stderr


def test_ids_that_the_outer_namespace_lacks_are_named(host):
    bundle = with_users(host.bundle("ids"), (0, 100000, 10))

    done = run_inside(host, INSIDE, "run", "--bundle", bundle.directory, host.new_id())

    assert done.returncode == 1
    assert "host IDs 100000 to 100009 do not exist in the user namespace" in done.stderr


def test_a_user_namespace_within_one_works(host):
    bundle = with_users(host.bundle("ids"), (7, 0, 1))
    bundle.config["process"]["user"] = {"uid": 7, "gid": 7}
    bundle.save()

    done = run_inside(host, INSIDE, "run", "--bundle", bundle.directory, host.new_id())

    assert done.returncode == 0, done.stderr
    assert seen(done)["uid"] == "7"
