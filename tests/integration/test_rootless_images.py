"""Images of an ordinary user: pulled, run and removed with files of many users in them."""

import io
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tarfile
import time

import pytest

import images
import rootless
from oci import alive, wait_until
from rootless import SUBIDS, UID

WEB = SUBIDS[0] + 1000 - 1  # who user 1000 of a container is on the host
CAPABILITY = "\x01\x00\x00\x02\x00\x04\x00\x00" + "\x00" * 12  # cap_net_bind_service=ep, version 2
LOOK = "for f in $(find {} | sort); do stat -c '%n %u:%g %a %h %F' $f; done"


def many_owners():
    """What makes an image hard for one who is not root."""
    layer = images.Layer()
    layer.directory("srv", 0o700, uid=1000, gid=1001)
    layer.add("srv/closed", b"secret", mode=0o000, uid=1000, gid=1001)
    layer.add("srv/setuid", b"x", mode=0o4755, uid=33, gid=33)
    layer.add("srv/second-name", kind=tarfile.LNKTYPE, link="srv/setuid")
    layer.add("srv/capable", b"x", mode=0o755, pax={"SCHILY.xattr.security.capability": CAPABILITY})
    layer.add("srv/last", b"x", uid=65535, gid=65535)
    layer.directory("opaque").add("opaque/below", b"a")
    layer.directory("white").add("white/gone", b"a").add("white/stays", b"a")
    for name, kind in (("null", tarfile.CHRTYPE), ("disk", tarfile.BLKTYPE)):
        node = tarfile.TarInfo(name)
        node.type, node.devmajor, node.devminor = kind, 1, 3
        layer.tar.addfile(node)
    layer.add("null-again", kind=tarfile.LNKTYPE, link="null")
    upper = images.Layer()
    upper.add("opaque/.wh..wh..opq", b"").add("opaque/above", b"b").add("white/.wh.gone", b"")
    return [images.base_layer(), layer.bytes(), upper.bytes()]


@pytest.fixture
def host(knarr_path, witness_path, scratch):
    yield from rootless.image_host(knarr_path, witness_path, scratch)


@pytest.fixture
def image(host):
    host.ok("pull", "--quiet", host.layout("many", many_owners(), {"Cmd": ["sh"]}))
    return "localhost/many"


def shell(host, image, script, *options):
    return host.out("run", "--rm", *options, image, "sh", "-c", script)


def in_background(host, image, *options, script="echo up; trap 'exit 3' TERM; while :; do sleep 0.1; done"):
    container = host.out("run", "-d", *options, image, "sh", "-c", script)
    wait_until(lambda: "up" in host.out("logs", container), "the program does not run")
    return container


def test_the_files_of_an_image_have_the_owners_and_modes_that_it_says(host, image):
    seen = shell(host, image, LOOK.format("/srv /opaque /white /null /disk /null-again 2>/dev/null"))

    assert seen.splitlines() == [
        "/opaque 0:0 755 2 directory", "/opaque/above 0:0 644 1 regular file",
        "/srv 1000:1001 700 2 directory", "/srv/capable 0:0 755 1 regular file",
        "/srv/closed 1000:1001 0 1 regular file", "/srv/last 65535:65535 644 1 regular file",
        "/srv/second-name 33:33 4755 2 regular file", "/srv/setuid 33:33 4755 2 regular file",
        "/white 0:0 755 1 directory", "/white/stays 0:0 644 1 regular file"]


def test_on_the_host_they_belong_to_subordinate_users_who_cannot_get_to_them(host, image):
    closed = next(host.data.rglob("srv/closed"))

    assert closed.stat().st_uid == WEB and closed.parent.stat().st_uid == WEB
    assert stat.S_IMODE(host.data.stat().st_mode) == 0o700 and host.data.stat().st_uid == UID
    for user in (WEB, SUBIDS[0]):
        with pytest.raises(PermissionError):
            as_user(user, lambda: os.listdir(host.data))
    version, root = capability_of(next(host.data.rglob("srv/capable")))
    assert (version, root) == (3, UID)  # counts in this user's namespaces, not on the host


def as_user(user, work):
    """`work` by a process of that user; its PermissionError is ours."""
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        try:
            work()
        except PermissionError:
            os._exit(13)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 13:
        raise PermissionError


def capability_of(path):
    value = os.getxattr(path, "security.capability")
    return value[3], int.from_bytes(value[20:24], "little")


def test_the_program_is_root_in_there_and_the_user_outside(host, image):
    assert shell(host, image, "id -u; id -g; cat /proc/self/uid_map").split() == \
        ["0", "0", "0", str(UID), "1", "1", str(SUBIDS[0]), str(SUBIDS[1])]
    container = in_background(host, image)
    status = open(f"/proc/{host.state(container)['pid']}/status").read()
    assert f"Uid:\t{UID}\t" in status
    host.ok("rm", "-f", container)


def test_all_groups_of_its_user_namespace_may_ping(host, image):
    shown = host.out("run", "--rm", "-q", image, "cat", "/proc/sys/net/ipv4/ping_group_range")
    assert shown.split() == ["0", "65536"]


def test_user_directory_and_environment_are_as_asked_for(host, image):
    assert shell(host, image, "id -u; id -g; pwd; echo $A$HOME; touch /home/x 2>&1; mknod /tmp/n c 1 3 2>&1; true",
                 "--user", "web", "-w", "/tmp", "-e", "A=b").splitlines()[:4] == \
        ["1000", "1001", "/tmp", "b/home/web"]
    assert shell(host, image, "cat /srv/closed 2>&1; true", "--user", "34").endswith("Permission denied")


def test_the_verbs_of_a_day(host, image):
    container = in_background(host, image, "--name", "day")

    assert host.out("ps", "--format", "{{.Names}}") == "day"
    assert host.out("exec", "day", "id", "-u") == "0"
    assert host.out("exec", "-u", "web", "day", "id", "-u") == "1000"
    assert "while :; do sleep" in host.out("top", "day")
    assert host.out("inspect", "-f", "{{.State.Status}} {{.HostConfig.NetworkMode}}", "day") == "running none"
    assert host.out("stop", "day") == "day"
    assert host.out("wait", "day") == "3"
    assert host.out("restart", "day") == "day"
    brief = in_background(host, image, "--rm", "--name", "brief")
    assert host.out("restart", "-t", "0", "brief") == "brief" and host.out("inspect", "-f", "{{.Id}}", "brief") == brief
    host.ok("rm", "-f", "brief")
    host.ok("rename", "day", "night")
    assert host.out("inspect", "-f", "{{.Id}} {{.State.Running}}", "night") == f"{container} true"
    assert host.out("kill", "--signal", "TERM", "night") == "night"
    assert host.out("wait", "night") == "3"
    assert host.out("logs", "night").split() == ["up", "up"]
    assert host.out("rm", "night") == "night"


def test_what_a_container_wrote_is_told_copied_and_exported(host, image):
    host.ok("run", "--name", "c", image, "sh", "-c",
            "mkdir /new; echo hi > /new/f; chown -R 1000:1001 /new; chmod 700 /new; rm /white/stays;"
            "rm -r /srv; mkdir /srv; chmod 000 /srv")

    changes = host.out("diff", "c").splitlines()
    assert {"A /new", "A /new/f", "D /white/stays", "C /srv", "D /srv/closed"} <= set(changes)
    assert int(host.out("inspect", "--size", "-f", "{{.SizeRw}}", "c")) > 0
    target = host.make_dir("copied")
    host.ok("cp", "c:/new/f", target)
    assert (target / "f").read_text() == "hi\n" and (target / "f").stat().st_uid == UID
    host.ok("cp", target / "f", "c:/new/g")
    host.ok("export", "-o", target / "c.tar", "c")
    with tarfile.open(target / "c.tar") as tar:
        owners = {one.name: (one.uid, one.gid) for one in tar}
        assert owners["new/f"] == (1000, 1001) and owners["new/g"] == (0, 0)
        assert "white/stays" not in owners
        assert not any("overlay" in key for one in tar for key in one.pax_headers)
    host.ok("rm", "c")


def test_strangers_on_the_way_to_the_data_root_are_seen_by_each_verb(host):
    """In the user namespace of the images' owner all strangers have one number, the host's root's among them."""
    strangers = host.make_dir("strangers")
    own = strangers / "own"
    own.mkdir()
    os.chown(own, UID, UID)
    own.chmod(0o700)
    os.chown(strangers, UID + 1, UID + 1)
    strangers.chmod(0o755)
    layout = host.layout("base", [images.base_layer()])
    for words in (["pull", "-q", layout], ["load", "-i", "/dev/null"], ["images"], ["image", "df"], ["image", "gc"],
                  ["image", "prune", "-f"], ["image", "verify"], ["rmi", "x"], ["image", "diff", "x"],
                  ["image", "export", "x", "-o", "/dev/null"], ["image", "rootfs", "x", f"{host.home}/tree"],
                  ["run", "--rm", layout, "true"], ["volume", "ls"]):
        done = host.knarr("--data-root", own, *words)
        assert done.returncode != 0 and f"{strangers} of user {UID + 1}" in done.stderr, (words, done)
    assert list(own.iterdir()) == []


def test_copies_with_a_running_container(host, image):
    container = in_background(host, image)
    target = host.make_dir("copied")
    (target / "in").write_text("in")
    rootless.own(target)

    host.ok("cp", target / "in", f"{container}:/srv/in")
    assert host.out("exec", container, "cat", "/srv/in") == "in"
    host.ok("cp", f"{container}:/srv/closed", target)
    assert (target / "closed").read_text() == "secret"
    host.ok("rm", "-f", container)


def test_volumes(host, image):
    bound = host.make_dir("bound")
    script = ("ls /v; stat -c %u:%a /v; touch /v/n; chown 1000 /v/n; echo b > /b/f; stat -c %u /b;"
              "touch /t/f; stat -f -c %T /t")

    seen = shell(host, image, script, "-v", "vol:/v", "-v", f"{bound}:/b", "--tmpfs", "/t").split()
    assert seen == ["0:755", "0", "tmpfs"]
    seen = shell(host, image, "ls /srv; stat -c %u:%a /srv", "-v", "filled:/srv").split()
    assert seen == ["capable", "closed", "last", "second-name", "setuid", "1000:700"]
    assert (bound / "f").stat().st_uid == UID
    assert shell(host, image, "stat -c %u /v/n", "-v", "vol:/v") == "1000"
    assert host.out("volume", "ls", "-q").split() == ["filled", "vol"]
    host.ok("volume", "rm", "vol", "filled")


def test_anonymous_volumes_go_with_their_container(host):
    layers = many_owners()
    host.ok("pull", "-q", host.layout("vols", layers, {"Cmd": ["true"], "Volumes": {"/srv": {}}}))

    host.ok("run", "--rm", "localhost/vols")

    assert host.out("volume", "ls", "-q") == ""


def test_trees_of_images(host, image):
    target = host.make_dir("trees")

    host.ok("image", "rootfs", image, target / "root")
    assert (target / "root/srv").lstat().st_uid == WEB
    assert (target / "root/srv/setuid").stat().st_nlink == 2
    assert not (target / "root/white/gone").exists()
    assert host.out("image", "diff", image).splitlines() == \
        ["C /opaque", "A /opaque/above", "D /opaque/below", "C /white", "D /white/gone"]
    exported = host.directory / "exported"
    with exported.open("wb") as out:
        subprocess.run(host.command("image", "export", image), stdout=out, check=True,
                       env=host.environment())
    with tarfile.open(exported) as tar:
        assert tar.getmember("srv/closed").uid == 1000
    assert "0 damaged" in host.out("image", "verify")
    assert "Images" in host.out("image", "df")
    rootless_remove(host, target / "root")


def rootless_remove(host, path):
    """What the user has been given, he removes as podman's users do."""
    shutil.rmtree(path)


def test_save_load_and_import(host, image):
    target = host.make_dir("archives")

    host.ok("save", "-o", target / "saved.tar", image)
    host.ok("rmi", image)
    host.ok("load", "-q", "-i", target / "saved.tar")
    assert shell(host, image, "stat -c %u /srv") == "1000"
    buffer = io.BytesIO(many_owners()[1])
    (target / "tree.tar").write_bytes(buffer.getvalue())
    rootless.own(target)
    host.ok("import", target / "tree.tar", "imported:1")
    assert "imported" in host.out("images")


def test_prunes_take_what_subordinate_users_own(host, image):
    assert "untagged: localhost/many:latest" in host.out("image", "prune", "--all", "--force")
    host.ok("pull", "-q", host.layout("again", many_owners()))
    assert "untagged: localhost/again:latest" in host.out("system", "prune", "--all", "--force")

    assert list((host.data / "layers").glob("[!.]*")) == []


def test_the_progress_of_a_pull_is_told(host):
    told = host.ok("pull", "--progress", "json", host.layout("many", many_owners())).stderr

    assert [line for line in told.splitlines() if '"unpacking"' in line], told


def test_a_run_pulls_what_is_not_there(host):
    place = host.layout("fresh", many_owners(), {"Cmd": ["stat", "-c", "%u", "/srv"]})

    assert host.out("run", "--rm", "-q", place) == "1000"


def test_a_user_of_the_image_in_a_file_that_is_closed(host):
    layer = images.Layer().add("etc/passwd", b"hidden:x:7:8::/:/bin/sh\n", mode=0o600, uid=5)
    host.ok("pull", "-q", host.layout("hidden", [images.base_layer(), layer.bytes()]))

    assert shell(host, "localhost/hidden", "id -u; id -g", "--user", "hidden").split() == ["7", "8"]


def test_an_images_root_directory_of_another_user(host):
    layer = images.Layer().directory(".", 0o750, uid=7, gid=8)
    host.ok("pull", "-q", host.layout("other", [images.base_layer(), layer.bytes()]))

    assert shell(host, "localhost/other", "stat -c %u:%g:%a /") == "7:8:750"


def test_restart_policies_run_it_again(host, image):
    container = host.out("run", "-d", "--restart", "on-failure:2", image, "sh", "-c",
                         "echo x >> /srv/count; chown 1000 /srv/count; exit 1")
    def count():
        return host.out("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", container)
    wait_until(lambda: count() == "2 exited", f"it is not run twice again: {count()}")

    target = host.make_dir("out")
    host.ok("cp", f"{container}:/srv/count", target)
    assert (target / "count").read_text() == "x\n" * 3
    host.ok("rm", container)


def test_monitors_that_are_killed_are_replaced(host, image):
    container = in_background(host, image, "--user", "web",
                              script="echo up; while :; do echo x; sleep 0.1; done")

    def monitors():
        return [pid for pid in host_processes(UID, "knarr-monitor")
                if container.encode() in open(f"/proc/{pid}/cmdline", "rb").read()]
    old = monitors()
    assert len(old) == 2
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    lines = len(host.out("logs", container).splitlines())  # the next verb brings new ones
    wait_until(lambda: len(host.out("logs", container).splitlines()) > lines + 3, "its log ends")
    assert monitors() and not set(monitors()) & set(old)
    host.ok("kill", container)
    assert host.out("wait", container) == "137"
    host.ok("rm", container)


def host_processes(user, name):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{entry}").st_uid == user and alive(entry) and \
                    name in open(f"/proc/{entry}/comm").read():
                found.append(int(entry))
        except OSError:
            pass
    return found


@pytest.mark.parametrize("point", ["create.recorded", "run_image.data", "create.data", "run.gate"])
def test_a_launch_that_is_killed_is_cleaned_up(host, image, point, breakable_knarr):
    host.knarr_path = shutil.copy2(breakable_knarr, host.bin / "breakable")

    host.knarr("run", "--name", "dead", image, "sh", "-c", "touch /srv/x; chown 5 /srv/x; sleep 60",
               fault=f"{point}=kill")

    host.ok("cleanup", "--orphaned", "--stopped", "--force")

    # One that was killed behind the gate is its monitor's, which may be removing it just now.
    wait_until(lambda: host.out("ps", "-aq") == "", "it stays")
    wait_until(lambda: not list((host.data / "containers").glob("[!.]*")), "its data stays")


def test_without_subordinate_ids_only_files_of_one_user_can_be(host):
    host.set_subids(None)

    message = host.refused("pull", "-q", host.layout("many", many_owners()))
    assert "its owner is 1000:1001, whom this user namespace does not have" in message
    assert "usermod --add-subuids" in message
    host.ok("pull", "-q", host.layout("plain", [images.base_layer()]))
    assert shell(host, "localhost/plain", "id -u; cat /proc/self/uid_map").split() == \
        ["0", "0", str(UID), "1"]


def test_too_small_a_range_is_told(host):
    host.set_subids((SUBIDS[0], 100))

    message = host.refused("pull", "-q", host.layout("many", many_owners()))

    assert "its owner is 1000:1001" in message and "subordinate IDs" in message
    assert not list((host.data / "layers").glob(".tmp*"))


def test_a_helper_that_is_not_there_is_named_with_its_package(host):
    host.replace("/usr/bin/newuidmap", "")

    message = host.refused("pull", "-q", host.layout("plain", [images.base_layer()]))
    host.files.pop("/usr/bin/newuidmap")

    assert "newuidmap; it is not installed" in message and "apt-get install uidmap" in message


def test_limits_that_nothing_can_hold_are_refused(host, image):
    message = host.refused("run", "--rm", "--memory", "64m", image, "true")

    assert "limits are asked for" in message and "Delegate=yes" in message


def test_an_image_cannot_plant_overlay_marks(host, image):
    marks = {"SCHILY.xattr.user.overlay.opaque": "y", "SCHILY.xattr.user.overlay.redirect": "/etc"}
    layer = images.Layer().add("white", kind=tarfile.DIRTYPE, mode=0o755, pax=marks)
    host.ok("pull", "-q", host.layout("marks", [*many_owners()[:2], layer.bytes()]))

    assert shell(host, "localhost/marks", "ls /white").split() == ["gone", "stays"]


def test_the_driver_erofs_is_refused(host):
    message = host.refused("--snapshot-driver", "erofs", "pull", "-q",
                           host.layout("plain", [images.base_layer()]))

    assert "snapshot driver erofs" in message and "--snapshot-driver dir" in message


def test_the_hosts_network_can_be_shared(host, image):
    own = os.readlink("/proc/self/ns/net")

    assert shell(host, image, "readlink /proc/self/ns/net; mount | grep -c ' on /sys '",
                 "--network", "host").split()[0] == own
    assert shell(host, image, "readlink /proc/self/ns/net") != own


def test_an_image_is_mounted_by_root_only(host, image):
    message = host.refused("image", "mount", image)

    assert "only root can mount images" in message and "knarr image rootfs" in message


def test_doctor_tells_whether_images_run_and_how_to_mend_it(host):
    def found():
        return {one["name"]: one for one in json.loads(host.knarr("doctor", "--json").stdout)}
    good = found()
    assert good["images"]["verdict"] == "ok", good
    assert good["subordinate IDs"]["verdict"] == "ok" and str(SUBIDS[1]) in good["subordinate IDs"]["what"]

    host.set_subids(None)
    alone = found()
    assert alone["images"]["verdict"] == "ok"
    assert alone["subordinate IDs"]["verdict"] == "limited"
    assert "usermod --add-subuids" in alone["subordinate IDs"]["mend"]

    host.set_subids(SUBIDS)
    host.replace("/usr/bin/newgidmap", "")
    closed = found()
    host.files.pop("/usr/bin/newgidmap")
    assert closed["images"]["verdict"] == "broken" and "uidmap" in closed["images"]["mend"]
    assert closed["newuidmap"]["verdict"] == "limited"
    assert not list(host.data.glob(".doctor*"))


def stopped():
    """Processes of the user that a fault point has stopped."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            status = (entry / "status").read_text()
        except OSError:
            continue
        if "State:\tT" in status and f"Uid:\t{UID}\t" in status:
            yield int(entry.name)


def test_cp_shows_a_container_no_way_to_the_host(host, image, breakable_knarr):
    """It works on the container's files in the container's user namespace, where a program of that may have
    CAP_SYS_PTRACE, and with the host's pids sees it."""
    program = host.home / "find-root"
    shutil.copy(host.witness, program)
    program.chmod(0o755)
    root = os.stat("/")
    container = host.out("run", "-d", "--pid", "host", "--cap-add", "SYS_PTRACE", "-v", f"{program}:/find-root:ro",
                         image, "/find-root", "find-root", f"{root.st_dev}:{root.st_ino}")
    wait_until(lambda: "ready" in host.out("logs", container), "the attack does not begin")
    host.knarr_path = shutil.copy2(breakable_knarr, host.bin / "breakable")
    copying = host.start_process("cp", f"{container}:/etc/passwd", host.home / "copy", fault="owner.joined=stop")
    wait_until(lambda: list(stopped()), "cp does not stop in the user namespace")
    time.sleep(0.3)  # for the attack to look there
    for pid in stopped():
        os.kill(pid, signal.SIGCONT)
    assert copying.wait(timeout=30) == 0 and (host.home / "copy").exists()
    assert "found" not in host.out("logs", container)
    assert host.out("inspect", "--format", "{{.State.Status}}", container) == "running"
