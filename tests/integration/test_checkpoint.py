"""checkpoint and restore: how criu is driven, and what its failures leave behind.

A script called criu stands in for the program where its arguments matter; the real one is asked, too:
whether it can dump a process is up to this kernel, but not what is left when it cannot."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import zlib

import pytest
from oci import alive, wait_until

FAKE = """#!/bin/bash
if [ "$1" = --version ]; then echo "Version: $FAKE_VERSION"; exit 0; fi
verb=$1
for word; do echo "$word"; done > "$FAKE_DIR/$verb.args"
while [ $# -gt 0 ]; do
    case "$1" in
    -D) images=$2;; -W) work=$2;; -o) log=$2;; -t) pid=$2;; --pidfile) pidfile=$2;;
    --leave-running) stay=1;; --root) root=$2;; --cgroup-root) cgroups="$cgroups $2";;
    esac
    shift
done
case "$verb" in
dump|pre-dump) echo core > "$images/core-7.img"; echo memory > "$images/pages-1.img";;
esac
if [ -n "$FAKE_FAILS" ]; then
    printf '(00.01) pie: all is well\\n(00.02) Error (criu/x.c:7): no luck\\n(00.03) the end\\n' \\
        > "${work:-$images}/$log"
    exit 1
fi
case "$verb" in
dump|pre-dump)
    echo whole > "$images/inventory.img"
    [ "$verb" = pre-dump ] || [ -n "$stay" ] || kill -KILL "$pid";;
restore)
    grep -q " $root " /proc/self/mountinfo || exit 2
    (
        for fd in /proc/self/fd/*; do  # as criu does: what it brings back has its own files alone
            fd=${fd##*/}
            if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
        done
        exec "$root/witness" wait-signal > /dev/null 2>&1 < /dev/null
    ) &
    if [ -n "$FAKE_KILLS" ]; then
        for one in $cgroups; do
            case "$one" in *:*) place="${one%%:*}${one#*:}";; *) place="$one";; esac
            [ ! -d "/sys/fs/cgroup/$place" ] || echo $! > "/sys/fs/cgroup/$place/cgroup.procs"
        done
        echo $! > "$FAKE_DIR/restored"
        kill -KILL $PPID
        sleep 0.5
    fi
    echo $! > "$pidfile";;
esac
exit 0
"""


@pytest.fixture
def criu(host, monkeypatch):
    """The directory of a fake criu, which is first in PATH."""
    directory = host.directory / "fake"
    directory.mkdir()
    (directory / "criu").write_text(FAKE)
    (directory / "criu").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_DIR", str(directory))
    monkeypatch.setenv("FAKE_VERSION", "3.17.1")
    monkeypatch.setenv("FAKE_FAILS", "")
    monkeypatch.setenv("FAKE_KILLS", "")
    return directory


def bundle_with_volume(host):
    bundle = host.bundle("wait-signal")
    volume = host.directory / "volume"
    volume.mkdir(exist_ok=True)
    bundle.config["mounts"].append({"destination": "/tmp/volume", "type": "bind",
                                    "source": str(volume), "options": ["bind"]})
    bundle.config["linux"]["maskedPaths"] = ["/proc/keys", "/proc/acpi", "/proc/not-there"]
    bundle.save()
    return bundle


def start(host, bundle=None):
    container = host.new_id()
    host.ok("run", "-d", "-b", (bundle or bundle_with_volume(host)).directory, container)
    return container


def arguments(criu, verb):
    return (criu / f"{verb}.args").read_text().splitlines()


def after(words, name):
    """The values of a repeatable option."""
    return [words[i + 1] for i, word in enumerate(words) if word == name]


def test_a_checkpoint_drives_criu_and_removes_the_container(host, criu):
    container = start(host)
    state = host.state(container)
    images = host.directory / "images"
    host.ok("checkpoint", "--image-path", images, "--tcp-established", "--ext-unix-sk",
            "--shell-job", "--file-locks", "--manage-cgroups-mode", "full", "--empty-ns", "network",
            "--auto-dedup", "--page-server", "127.0.0.1:99", "--link-remap", "--tcp-skip-in-flight",
            "--network-lock", "nftables", container)
    words = arguments(criu, "dump")
    assert words[0] == "dump"
    assert after(words, "-t") == [str(state["pid"])]
    assert after(words, "-D") == [str(images)]
    assert after(words, "--root") == [state["rootfs"]]
    assert after(words, "--empty-ns") == ["net"]
    assert after(words, "--address") == ["127.0.0.1"] and after(words, "--port") == ["99"]
    for flag in ("--tcp-established", "--ext-unix-sk", "--shell-job", "--file-locks",
                 "--auto-dedup", "--manage-cgroups=full", "--page-server", "--evasive-devices",
                 "--link-remap", "--skip-in-flight"):
        assert flag in words
    assert "--leave-running" not in words
    assert after(words, "--network-lock") == ["nftables"]
    externals = after(words, "--external")
    assert "mnt[/tmp/volume]:/tmp/volume" in externals
    assert "mnt[/proc/keys]:/proc/keys" in externals
    assert not any("acpi" in one or "not-there" in one for one in externals)
    assert images.stat().st_mode & 0o777 == 0o700
    assert len(json.loads((images / "descriptors.json").read_text())) == 3
    assert "does not exist" in host.refused("state", container)


def test_a_container_may_run_on(host, criu):
    container = start(host)
    images = host.directory / "images"
    host.ok("checkpoint", "--image-path", images, "--leave-running", container)
    assert "--leave-running" in arguments(criu, "dump")
    assert host.status(container) == "running"
    host.ok("checkpoint", "--image-path", images, "--pre-dump", "--parent-path", "../older",
            container)
    words = arguments(criu, "pre-dump")
    assert "--track-mem" in words and after(words, "--prev-images-dir") == ["../older"]
    assert host.status(container) == "running"


def test_a_failure_has_crius_reason_and_the_container_runs_on(host, criu, monkeypatch):
    container = start(host)
    monkeypatch.setenv("FAKE_FAILS", "yes")
    before = host.state(container)
    work = host.directory / "work"
    message = host.refused("checkpoint", "--image-path", host.directory / "images", "--work-path",
                           work, container)
    assert "Error (criu/x.c:7): no luck" in message
    assert str(work / "dump.log") in message
    assert host.state(container) == before
    assert os.listdir(host.directory / "images") == ["descriptors.json"]
    host.ok("exec", container, "/witness", "exit", "0")


def test_a_restore_takes_the_mounts_of_the_callers_bundle(host, criu):
    bundle = bundle_with_volume(host)
    images = host.directory / "images"
    host.ok("checkpoint", "--image-path", images, start(host, bundle))
    other = host.directory / "other"
    other.mkdir()
    bundle.config["mounts"][-1]["source"] = str(other)
    bundle.config["annotations"] = {"org.criu.config": "/etc/criu/mine.conf"}
    bundle.save()
    container, pid_file = host.new_id(), host.directory / "pid"
    host.ok("restore", "--bundle", bundle.directory, "--image-path", images, "--detach",
            "--pid-file", pid_file, "--tcp-established", "--lsm-profile", "apparmor:x", "--tcp-close",
            "--network-lock", "skip", container)
    words = arguments(criu, "restore")
    externals = after(words, "--external")
    assert f"mnt[/tmp/volume]:{other}" in externals
    assert "mnt[/proc/keys]:/dev/null" in externals
    assert after(words, "--config") == ["/etc/criu/mine.conf"]
    assert after(words, "--lsm-profile") == ["apparmor:x"]
    assert after(words, "--network-lock") == ["skip"]
    for flag in ("--restore-detached", "--restore-sibling", "--tcp-established", "--tcp-close"):
        assert flag in words
    assert any(one.endswith(f"/{container}") for one in after(words, "--cgroup-root"))
    state = host.state(container)
    assert state["status"] == "running" and alive(state["pid"])
    assert int(pid_file.read_text()) == state["pid"]
    assert "exists" in host.refused("restore", "--bundle", bundle.directory, "--image-path", images,
                                    "-d", container)
    host.ok("kill", container, "KILL")
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    host.ok("delete", container)


def test_pipes_are_handed_over_and_nothing_else_of_the_file_is_believed(host, criu):
    bundle, images = bundle_with_volume(host), host.directory / "images"
    images.mkdir(mode=0o700)
    (images / "descriptors.json").write_text(
        json.dumps(["pipe:[123]", "--lsm-profile=none", "pipe:[1] --root /", "pipe:[4]"]))
    container = host.new_id()
    host.ok("restore", "-b", bundle.directory, "--image-path", images, "-d", container)
    assert after(arguments(criu, "restore"), "--inherit-fd") == ["fd[0]:pipe:[123]"]


def test_a_restore_that_fails_leaves_nothing(host, criu, monkeypatch):
    bundle, images = bundle_with_volume(host), host.directory / "images"
    images.mkdir()
    monkeypatch.setenv("FAKE_FAILS", "yes")
    pid_file = host.directory / "pid"
    message = host.refused("restore", "-b", bundle.directory, "--image-path", images, "-d",
                           "--pid-file", pid_file, host.new_id())
    assert "no luck" in message and "restore.log" in message
    assert not pid_file.exists()
    host.assert_clean()


def test_an_image_that_is_not_as_it_was_written_is_refused_and_nothing_is_left(host, criu):
    bundle, images = bundle_with_volume(host), host.directory / "images"
    host.ok("checkpoint", "--image-path", images, start(host, bundle))
    label = json.loads((images / "knarr.json").read_text())
    assert label["architecture"] == os.uname().machine
    assert {one["name"]: (one["bytes"], one["crc32"]) for one in label["files"]} == {
        path.name: (path.stat().st_size, zlib.crc32(path.read_bytes()))
        for path in images.glob("*.img")}
    words = ("restore", "-b", bundle.directory, "--image-path", images, "-d")
    pages = images / "pages-1.img"
    for bad, why in ((b"nemory\n", "is not as it was written"), (b"mem", "has 3 bytes of 7"),
                     (None, "is not there")):
        pages.unlink(missing_ok=True)
        if bad is not None:
            pages.write_bytes(bad)
        assert f"is damaged: pages-1.img {why}" in host.refused(*words, host.new_id())
    host.assert_clean()
    pages.write_bytes(b"memory\n")
    label["architecture"] = "vax"
    (images / "knarr.json").write_text(json.dumps(label))
    message = host.refused(*words, host.new_id())
    assert f"was made on vax; this machine is {os.uname().machine}" in message
    (images / "knarr.json").write_text("rubbish")
    assert "knarr.json" in host.refused(*words, host.new_id())
    host.assert_clean()
    (images / "knarr.json").unlink()  # as runc's images are
    container = host.new_id()
    host.ok(*words, container)
    assert host.status(container) == "running"


def test_a_pre_dump_alone_is_not_restored(host, criu):
    bundle, images = bundle_with_volume(host), host.directory / "images"
    host.ok("checkpoint", "--image-path", images, "--pre-dump", start(host, bundle))
    assert "is a pre-dump" in host.refused("restore", "-b", bundle.directory, "--image-path", images,
                                           "-d", host.new_id())


def test_a_memory_limit_that_is_too_small_is_told(host, criu, monkeypatch):
    bundle, images = bundle_with_volume(host), host.directory / "images"
    host.ok("checkpoint", "--image-path", images, start(host, bundle))
    (images / "pages-2.img").write_bytes(b"x" * (9 << 20))
    bundle.config["linux"].setdefault("resources", {})["memory"] = {"limit": 8 << 20}
    bundle.save()
    monkeypatch.setenv("FAKE_FAILS", "yes")
    message = host.refused("restore", "-b", bundle.directory, "--image-path", images, "-d", host.new_id())
    assert "no luck" in message
    assert f"{(9 << 20) + 7} bytes of memory, and linux.resources.memory.limit of the bundle is {8 << 20}" \
        in message


def test_a_killed_restore_is_removed_with_all_that_criu_brought_back(host, criu, monkeypatch):
    bundle, images = bundle_with_volume(host), host.directory / "images"
    host.ok("checkpoint", "--image-path", images, start(host, bundle))
    monkeypatch.setenv("FAKE_KILLS", "yes")
    container = host.new_id()
    assert host.knarr("restore", "-b", bundle.directory, "--image-path", images, "-d",
                      container).returncode == -signal.SIGKILL
    pid = int((criu / "restored").read_text())
    assert alive(pid)
    host.ok("delete", "--force", container)  # which waits until that criu has ended
    wait_until(lambda: not alive(pid), "what criu brought back is left")
    host.assert_clean()


def test_without_criu_the_error_says_what_to_install(host, monkeypatch):
    container = start(host)
    empty = host.directory / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    for words in (("checkpoint", "--image-path", empty / "x", container),
                  ("restore", "-b", host.state(container)["bundle"], "-d", host.new_id())):
        message = host.refused(*words)
        assert "no program criu in PATH" in message and "Debian: criu" in message
    assert host.status(container) == "running"
    assert not (empty / "x").exists()
    assert host.entries() == [container]


def test_a_criu_that_is_too_old_is_refused(host, criu, monkeypatch):
    monkeypatch.setenv("FAKE_VERSION", "2.12")
    container = start(host)
    message = host.refused("checkpoint", container, cwd=host.directory)
    assert "2.12" in message and "newer CRIU" in message
    assert host.status(container) == "running"


@pytest.mark.parametrize("words", [
    ("--manage-cgroups-mode", "none"), ("--empty-ns", "pid"), ("--page-server", "9"),
    ("--parent-path", "/x"), ("--image-path", ""), ("--network-lock", "none")])
def test_wrong_options_are_usage_errors(host, criu, words):
    container = start(host)
    assert host.knarr("checkpoint", *words, container, cwd=host.directory).returncode == 2
    assert host.status(container) == "running"


def test_the_state_must_be_right(host, criu):
    container = host.new_id()
    host.ok("create", "-b", host.bundle("wait-signal").directory, container)
    assert "is created" in host.refused("checkpoint", container, cwd=host.directory)
    assert "does not exist" in host.refused("checkpoint", host.new_id(), cwd=host.directory)
    host.ok("start", container)
    host.ok("pause", container)
    host.ok("checkpoint", "--leave-running", container, cwd=host.directory)
    assert host.status(container) == "paused"


def test_the_real_criu_leaves_a_container_alone_that_it_cannot_dump(host):
    real = shutil.which("criu", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not real:
        pytest.skip("no criu (Debian package) on this machine")
    bundle = host.bundle("wait-signal")
    container = start(host, bundle)
    images = host.directory / "images"
    pid = host.state(container)["pid"]
    done = host.knarr("checkpoint", "--image-path", images, container, timeout=120)
    if done.returncode == 0:
        restored = host.new_id()
        host.ok("restore", "-b", bundle.directory, "--image-path", images, "-d", restored,
                timeout=120)
        assert host.status(restored) == "running"
        return
    assert "criu dump failed: " in done.stderr and "Error (" in done.stderr, done.stderr
    assert (images / "dump.log").exists() and str(images / "dump.log") in done.stderr
    assert host.status(container) == "running" and host.state(container)["pid"] == pid
    host.ok("exec", container, "/witness", "exit", "0")
    assert subprocess.run([real, "--version"], check=True, capture_output=True).stdout
    assert pathlib.Path(f"/proc/{pid}/status").read_text().count("TracerPid:\t0") == 1
