"""Root file systems and volumes that try to lead the runtime to the host (paths, races, devices).

Each test names the attack that it repeats. tests/attack/mutate takes the defences out one by one
and shows that these tests then fail.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

RACES = 25  # containers started while somebody exchanges names under them


@pytest.fixture
def victim(scratch):
    """A directory of the host that nothing may ever touch."""
    directory = scratch / "victim"
    directory.mkdir()
    (directory / "file").write_text("untouched")
    yield directory
    assert sorted(entry.name for entry in directory.iterdir()) == ["file"]
    assert (directory / "file").read_text() == "untouched"


@pytest.fixture
def swap(witness_path):
    """Exchanges two names of the host without end, as a container that shares the volume would."""
    running = []

    def start(first, second):
        running.append(subprocess.Popen([witness_path, "swap", f"{first}:{second}"]))

    yield start
    for one in running:
        assert one.poll() is None, "the exchange ended early"
        one.kill()
        one.wait()


def volume(bundle, source, target, *options):
    bundle.config["mounts"].append({"destination": target, "type": "bind", "source": str(source),
                                    "options": ["rbind", *options]})
    bundle.save()


def without_mount(bundle, target):
    bundle.config["mounts"] = [one for one in bundle.config["mounts"]
                               if one["destination"] != target]
    bundle.save()


def link(path, target):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.symlink_to(target)


@pytest.mark.parametrize("target", ["/volume", "volume", "../../volume"])
def test_dev_as_a_link_without_a_mount_on_it(host, victim, target):
    # CVE-2026-41579, CVE-2026-47766: device nodes were made where the link points, on the host.
    bundle = host.bundle("list", "/volume")
    without_mount(bundle, "/dev")
    volume(bundle, victim, "/volume")
    link(bundle.rootfs / "dev", target)
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert "symbolic link" in message and "/dev" in message, message
    host.assert_clean()


def test_no_device_is_made_through_a_link(host):
    """Also where nothing is mounted that a device could land in."""
    bundle = host.bundle("list", "/")
    without_mount(bundle, "/dev")
    link(bundle.rootfs / "dev", "tmp")
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert "devices are never made through one" in message, message
    host.assert_clean()


@pytest.mark.parametrize("place, fstype", [("proc", "proc"), ("sys", "sysfs")])
@pytest.mark.parametrize("target", ["/volume", "tmp", "../../../../.."])
def test_procfs_and_sysfs_are_not_mounted_through_a_link(host, victim, place, fstype, target):
    # CVE-2019-19921, CVE-2023-27561: labels and limits then went to files of the image.
    bundle = host.bundle("list", "/volume")
    without_mount(bundle, f"/{place}")
    volume(bundle, victim, "/volume")
    bundle.config["mounts"].append({"destination": f"/{place}", "type": fstype, "source": fstype})
    bundle.save()
    link(bundle.rootfs / place, target)
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert "symbolic link" in message and f"/{place}" in message, message
    host.assert_clean()


@pytest.mark.parametrize("depth", ["", "a/b"])
def test_a_mount_point_is_made_inside_the_root_only(host, victim, depth):
    # CVE-2024-45310: the runtime made directories on the host through a link in the image.
    for target in (victim, f"../../../../../../../..{victim}"):
        bundle = host.bundle("write", "/data/x", "list", "/data")
        source = bundle.directory / "source"
        source.mkdir()
        link(bundle.rootfs / "data", f"{target}/{depth}".rstrip("/"))
        volume(bundle, source, "/data")
        done = host.ok("run", "-b", bundle.directory, host.new_id())
        assert "list:/data=x" in done.stdout
        assert (bundle.rootfs / str(victim).lstrip("/") / depth).is_dir(), "made somewhere else"
    host.assert_clean()


def test_a_mount_target_that_is_exchanged_for_a_link(host, victim, swap):
    # CVE-2021-30465: the second mount's target is in a volume that another container changes.
    bundle = host.bundle("can-write", "/volume/place/file", "mounts")
    shared = bundle.directory / "shared"
    (shared / "place").mkdir(parents=True)
    (shared / "other").symlink_to(f"../../../../../../../../..{victim}")
    source = bundle.directory / "source"
    source.mkdir()
    volume(bundle, shared, "/volume")
    volume(bundle, source, "/volume/place/deep/er")
    swap(shared / "place", shared / "other")
    good = 0
    for _ in range(RACES):
        done = host.knarr("run", "-b", bundle.directory, host.new_id())
        assert done.returncode >= 0
        good += done.returncode == 0
        for line in done.stdout.splitlines():
            if line.startswith("mount.") and str(source) in line:
                # Exchanged later, the place has the other name.
                inside = (" /volume/place/deep/er ", " /volume/other/deep/er ", str(victim))
                assert any(place in line for place in inside), line
    assert good > 0
    host.assert_clean()


def test_dev_that_is_exchanged_for_a_link(host, victim, swap):
    # CVE-2026-88264: no fresh /dev, and its name is a link at the wrong moment.
    bundle = host.bundle("ids")
    without_mount(bundle, "/dev")
    volume(bundle, victim, "/volume")
    (bundle.rootfs / "other").symlink_to("/volume")
    swap(bundle.rootfs / "dev", bundle.rootfs / "other")
    outcomes = [host.knarr("run", "-b", bundle.directory, host.new_id()).returncode
                for _ in range(RACES)]
    assert all(outcome >= 0 for outcome in outcomes)
    host.assert_clean()


def test_proc_that_is_exchanged_for_a_link(host, victim, swap):
    # CVE-2023-28642: procfs landed elsewhere, and /proc was the image's own directory.
    bundle = host.bundle("mounts", "stat", "/proc/self/status")
    volume(bundle, victim, "/volume")
    (bundle.rootfs / "other").symlink_to("/volume")
    swap(bundle.rootfs / "proc", bundle.rootfs / "other")
    for _ in range(RACES):
        done = host.knarr("run", "-b", bundle.directory, host.new_id())
        assert done.returncode >= 0
        procs = [line for line in done.stdout.splitlines()
                 if line.startswith("mount.") and " - proc " in line]
        assert all(" /volume" not in line for line in procs), procs
    host.assert_clean()


def test_a_masked_path_that_is_exchanged_for_a_link(host, victim, swap):
    # CVE-2025-31133: the mask lands elsewhere, or what covers the path is the image's own file.
    bundle = host.bundle("can-read", "/volume/file", "stat", "/place/secret")
    volume(bundle, victim, "/volume")
    (bundle.rootfs / "place").mkdir()
    (bundle.rootfs / "place/secret").write_text("secret")
    (bundle.rootfs / "other").symlink_to(f"../../../../../..{victim}")
    bundle.config["linux"]["maskedPaths"] = ["/place/secret", "/place/file"]
    bundle.save()
    swap(bundle.rootfs / "place", bundle.rootfs / "other")
    for _ in range(RACES):
        done = host.knarr("run", "-b", bundle.directory, host.new_id())
        assert done.returncode >= 0
        assert done.returncode != 0 or "can-read:/volume/file=ok" in done.stdout, done.stdout
    host.assert_clean()


@pytest.mark.parametrize("fake", ["link", "file"])
def test_what_covers_a_masked_file_is_the_hosts_null_device(host, scratch, fake):
    # CVE-2025-31133: runc took the container's /dev/null, which the image had made a link.
    bundle = host.bundle("cat", "/masked", "stat", "/masked")
    devices = scratch / "devices"
    devices.mkdir()
    (devices / "secret").write_text("shown")
    for name in ("zero", "full", "random", "urandom", "tty"):
        number = os.stat(f"/dev/{name}").st_rdev
        os.mknod(devices / name, 0o20666, number)
        (devices / name).chmod(0o666)
    os.mknod(devices / "null", 0o20666, os.makedev(1, 3))
    (devices / "null").chmod(0o666)
    without_mount(bundle, "/dev")
    volume(bundle, devices, "/dev")
    (bundle.rootfs / "masked").write_text("hidden")
    bundle.config["linux"]["maskedPaths"] = ["/masked"]
    bundle.save()
    # After the devices are there, before the masks: what a racing container does.
    hook = scratch / "hook"
    replace = "ln -s secret" if fake == "link" else "cp secret"
    hook.write_text(f"#!/bin/sh\ncd {devices} && rm null && {replace} null\n")
    hook.chmod(0o755)
    bundle.hook("createRuntime", str(hook))
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert "shown" not in done.stdout, "the image's file covers the masked path"
    if done.returncode == 0:
        assert "cat:/masked=\n" in done.stdout + "\n" and " 1:3" in done.stdout, done.stdout
    host.assert_clean()


def test_a_device_of_the_host_keeps_its_owner_and_mode(host, scratch):
    # A volume over a device's path: the node is the host's own, not ours to chown.
    node = scratch / "node"
    os.mknod(node, 0o20640, os.makedev(1, 3))
    node.chmod(0o640)
    os.chown(node, 7, 8)
    bundle = host.bundle("stat", "/dev/null")
    volume(bundle, node, "/dev/null")
    host.knarr("run", "-b", bundle.directory, host.new_id())
    link(bundle.rootfs / "data", "/dev/null")
    without_mount(bundle, "/dev/null")
    volume(bundle, node, "/data")
    host.knarr("run", "-b", bundle.directory, host.new_id())
    found = node.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (7, 8, 0o640)
    host.assert_clean()


@pytest.mark.parametrize("target", ["/proc/sys/kernel/core_pattern", "/sys/kernel", "/dev/null"])
def test_a_file_is_not_bound_through_a_link_into_kernel_file_systems(host, scratch, target):
    bundle = host.bundle("ids")
    (scratch / "text").write_text("x")
    bundle.config["mounts"].append({"destination": "/sys", "type": "sysfs", "source": "sysfs",
                                    "options": ["ro"]})
    (bundle.rootfs / "sys").mkdir()
    link(bundle.rootfs / "data", target)
    volume(bundle, scratch / "text", "/data")
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert "/data" in message
    host.assert_clean()


def test_a_sysctl_is_written_to_the_kernel_not_to_a_file_on_proc(host, scratch):
    # CVE-2019-16884, CVE-2025-52881: writes to procfs redirected into files, or files' mounts.
    fake = scratch / "fake"
    (fake / "sys/net/ipv4").mkdir(parents=True)
    (fake / "sys/net/ipv4/ip_forward").write_text("fake")
    bundle = host.bundle("cat", "/real/sys/net/ipv4/ip_forward")
    without_mount(bundle, "/proc")
    (bundle.rootfs / "real").mkdir()
    bundle.config["mounts"].append({"destination": "/real", "type": "proc", "source": "proc"})
    volume(bundle, fake, "/proc")
    bundle.config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert (fake / "sys/net/ipv4/ip_forward").read_text() == "fake", "the write was redirected"
    assert done.returncode != 0 or "ip_forward=1" in done.stdout
    host.assert_clean()


def test_oom_score_is_written_to_the_kernel_too(host, scratch):
    fake = scratch / "fake"
    (fake / "self").mkdir(parents=True)
    (fake / "self/oom_score_adj").write_text("fake")
    bundle = host.bundle("cat", "/real/self/oom_score_adj")
    without_mount(bundle, "/proc")
    (bundle.rootfs / "real").mkdir()
    bundle.config["mounts"].append({"destination": "/real", "type": "proc", "source": "proc"})
    volume(bundle, fake, "/proc")
    bundle.config["process"]["oomScoreAdj"] = 123
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert (fake / "self/oom_score_adj").read_text() == "fake"
    assert done.returncode != 0 or "oom_score_adj=123" in done.stdout
    host.assert_clean()


def test_a_console_that_the_image_made_a_link(host, victim, scratch):
    # CVE-2025-52565: the terminal was bound on what /dev/console pointed to.
    import socket
    bundle = host.bundle("stat", "/volume/file", "cat", "/volume/file")
    without_mount(bundle, "/dev")
    volume(bundle, victim, "/volume")
    (bundle.rootfs / "dev/console").symlink_to("/volume/file")
    (bundle.rootfs / "dev/pts").mkdir()
    bundle.config["mounts"].append({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                                    "options": ["newinstance", "ptmxmode=0666", "mode=0620"]})
    bundle.config["process"]["terminal"] = True
    bundle.save()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(scratch / "console"))
    listener.listen()
    container = host.new_id()
    done = host.knarr("create", "--console-socket", scratch / "console", "-b", bundle.directory,
                      container)
    assert done.returncode >= 0
    listener.close()
    if done.returncode == 0:
        pid = host.state(container)["pid"]
        mounts = pathlib.Path(f"/proc/{pid}/mountinfo").read_text()
        assert " /volume/file " not in mounts
    host.destroy()
    host.assert_clean()
