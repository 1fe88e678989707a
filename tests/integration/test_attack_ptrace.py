"""A container whose root has CAP_SYS_PTRACE in the host's user namespace may look into every process
of its pid namespace. Ours, while they are there, must not lead it to the host: no directory among
their descriptors, no file of ours that could be overwritten (CVE-2019-5736)."""

import hashlib
import os
import pathlib

import pytest

from oci import wait_until

CAPABILITIES = ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"]
# Prints what is a directory among the descriptors of process $1, but for the container's own root.
# Asked twice: one that has been closed meanwhile is no longer the root either.
DIRECTORIES = ('for f in /proc/$1/fd/*; do [ -d "$f/." ] && ! [ "$f/.." -ef / ] && [ -d "$f/." ] && echo "directory $f"; '
               'done')
# Keeps the program of process $1 open and tries to write it when nobody runs it any more.
OVERWRITE = ('exec 3</proc/$1/exe || exit 0; i=0; while [ $i -lt 30 ]; do /busybox sleep 0.05; '
             '(echo evil >> /proc/self/fd/3) 2>/dev/null && echo overwritten; i=$((i+1)); done')


def hostile(host, script):
    bundle = host.bundle()
    bundle.use_shell(script)
    bundle.config["process"]["env"] = ["PATH=/"]
    bundle.config["process"]["capabilities"] = {
        kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")}
    bundle.config["root"]["readonly"] = False
    bundle.save()
    return bundle


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_start_hook_finds_no_way_to_the_host(host):
    before = digest(host.knarr_path)
    bundle = hostile(host, "exec /busybox sleep 1000")  # its end would end the attack
    script = f"set -- 1; {{ {DIRECTORIES}; echo seen; }} > /out; ({OVERWRITE}; echo tried) >> /out 2>&1 &"
    bundle.hook("startContainer", "/busybox", "sh", "-c", script)
    host.ok("run", "--detach", "-b", bundle.directory, host.new_id())
    out = bundle.rootfs / "out"
    wait_until(lambda: "tried" in out.read_text(), "the attack does not end")
    assert out.read_text().split() == ["seen", "tried"]
    assert digest(host.knarr_path) == before


def test_exec_shows_no_way_to_the_host(host):
    before = digest(host.knarr_path)
    # Every process that is neither the shell nor started by it: its directories, its program.
    script = ('echo up > /out; while :; do for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p = 1 ] && continue; '
              'read _ _ _ parent _ < /proc/$p/stat || continue; [ "$parent" = 0 ] || continue; '
              f'set -- $p; {DIRECTORIES}; case $(/busybox readlink /proc/$p/exe) in *knarr*) echo ours;; esac; '
              'done; done >> /out 2>/dev/null')
    bundle, container = hostile(host, script), host.new_id()
    host.ok("run", "--detach", "-b", bundle.directory, container)
    out = bundle.rootfs / "out"
    wait_until(out.exists, "the attack does not begin")
    for _ in range(60):
        host.ok("exec", container, "/busybox", "true")
    seen = set(out.read_text().split("\n")) - {"up", ""}
    assert seen <= {"ours"}
    assert digest(host.knarr_path) == before


def test_one_that_waits_in_a_shared_pid_namespace_shows_no_way_to_the_host(host, monkeypatch):
    monkeypatch.setenv("CALLERS_TOKEN", "callers-secret")
    watcher, first, second = hostile(host, "exec /busybox sleep 1000"), host.new_id(), host.new_id()
    host.ok("run", "--detach", "-b", watcher.directory, first)
    pid = host.state(first)["pid"]
    waiting = host.bundle("wait-signal")
    for namespace in waiting.config["linux"]["namespaces"]:
        if namespace["type"] == "pid":
            namespace["path"] = f"/proc/{pid}/ns/pid"
    waiting.save()
    host.ok("create", "-b", waiting.directory, second)
    # What the caller has in its environment is none of the container's business either.
    words = host.ok("exec", first, "/busybox", "sh", "-c", "cat /proc/[0-9]*/environ").stdout
    assert "PATH=/" in words and "callers-secret" not in words
    look = f'for p in /proc/[0-9]*; do p=${{p#/proc/}}; [ $p = 1 ] || [ $p = $$ ] && continue; set -- $p; {DIRECTORIES}; done'
    assert host.ok("exec", first, "/busybox", "sh", "-c", look).stdout == ""
    host.ok("delete", "--force", second)
    host.ok("delete", "--force", first)


FIRST = 1_600_000_000
HOST_ROOT = os.stat("/")


@pytest.mark.parametrize("through", ["run", "create"])
def test_a_launch_into_a_joined_user_namespace_shows_no_way_to_the_host(host, through):
    """A capability there is none on the host: until it has pivoted, a process of a launch that has
    joined the namespace must be closed to those who are in it."""
    watcher, first = host.bundle("find-root", f"{HOST_ROOT.st_dev}:{HOST_ROOT.st_ino}"), host.new_id()
    watcher.config["linux"]["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        watcher.config["linux"][kind] = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
    watcher.config["process"]["capabilities"] = {
        kind: ["CAP_SYS_PTRACE"] for kind in ("bounding", "effective", "permitted")}
    watcher.save()
    out = host.ok("run", "--detach", "-b", watcher.directory, first).out_path
    pid = host.state(first)["pid"]
    wait_until(lambda: "ready=1" in out.read_text(), "the attack does not begin")
    joining = host.bundle("ids")
    joining.config["linux"]["namespaces"] = [
        *[one for one in joining.config["linux"]["namespaces"] if one["type"] != "pid"],
        *[{"type": kind, "path": f"/proc/{pid}/ns/{kind}"} for kind in ("user", "pid")]]
    joining.config["process"]["oomScoreAdj"] = 500
    joining.save()
    for _ in range(15):
        second = host.new_id()
        host.ok(through, "-b", joining.directory, second)
        if through == "create":
            assert pathlib.Path(f"/proc/{host.state(second)['pid']}/oom_score_adj").read_text() == "500\n"
            host.ok("delete", "--force", second)
    assert "found" not in out.read_text()
    assert host.state(first)["status"] == "running", "the attack goes on until the end"
