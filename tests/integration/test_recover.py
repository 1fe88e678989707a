"""recover, cleanup and shutdown: after kill -9 of everything, after a reboot, with damaged records."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

import background
import images
from background import host, layout  # fixtures
from oci import alive, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

STUBBORN = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]


def steps(host, *words, status=0):
    done = host.run(*words, "--json")
    assert done.returncode == status, done.stderr
    return {(step["action"], step["id"]) for step in json.loads(done.stdout)}


def kill_monitors(host):
    for monitor in host.monitors():
        os.kill(monitor, signal.SIGSTOP)
    for monitor in host.monitors():
        os.kill(monitor, signal.SIGKILL)
    wait_until(lambda: not host.monitors(), "monitors live")


def record_of(host, container):
    return host.root / container / "state.json"


def reboot(host, keep_state):
    """What a reboot leaves: no process; the state directory only where it was on a disk."""
    kill_monitors(host)
    # No verb until it is over: each one brings monitors back.
    for path in host.root.glob("*/state.json"):
        pid = json.loads(path.read_text())["pid"]
        if pid:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: not alive(pid), "it lives")
        for cgroup in images.cgroups_of(path.parent.name):
            wait_until(lambda path=cgroup: not pathlib.Path(path, "cgroup.procs").read_text(), "a process is left")
            os.rmdir(cgroup)
    for path in [*host.root.glob("*/state.json"), *host.data.glob("containers/*/record"),
                 *host.data.glob("containers/*/image")]:
        record = json.loads(path.read_text())
        record["boot"] = "11111111-2222-3333-4444-555555555555"
        path.write_text(json.dumps(record))
    if not keep_state:
        shutil.rmtree(host.root)


def test_all_in_order_says_nothing(host, layout):
    host.launch(layout)
    assert steps(host, "recover") == set()
    assert host.good("recover") == ""


def test_what_was_to_go_with_its_end_goes_and_what_has_not_run_stays(host, layout):
    made = host.good("create", "-q", "--rm", layout, "true").strip()
    assert steps(host, "recover") == set(), "it has not run yet"
    # As one that could not be removed then.
    ended = host.launch(layout, "sh", "-c", "exit 3")
    host.wait_ended(ended)
    path = record_of(host, ended)
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "autoRemove": True}))
    assert steps(host, "recover") == {("removed", ended)}
    assert [one["id"] for one in host.containers()] == [made]
    host.good("start", made)
    wait_until(lambda: host.containers() == [], "it is still there", 60)


def test_five_orphans_are_adopted_or_ended(host, layout):
    five = [host.launch(layout) for _ in range(5)]
    kill_monitors(host)
    assert steps(host, "recover") == {("adopted", container) for container in five}
    wait_until(lambda: len(host.monitors()) == 10, "they have no monitors", 60)
    kill_monitors(host)
    assert steps(host, "cleanup", "--orphaned", "--force", "--dry-run") == {("would remove", one) for one in five}
    assert steps(host, "cleanup", "--orphaned") == set(), "a container that runs goes only by force"
    assert {one for _, one in steps(host, "recover", "--force")} == set(five)
    assert all(host.state(one)["Status"] == "exited" for one in five)


@pytest.mark.parametrize("keep_state", [True, False], ids=["state on disk", "state in memory"])
def test_after_a_reboot_the_policies_decide(host, layout, keep_state):
    names = {}
    for name, policy in [("always", "always"), ("stopped-always", "always"), ("unless", "unless-stopped"),
                         ("stopped-unless", "unless-stopped"), ("failure", "on-failure"), ("no", "no")]:
        names[name] = host.launch(layout, "sh", "-c", "echo up; sleep 1000",
                                  options=["--name", name, "--restart", policy])
    gone = host.launch(layout, "sleep", "1000", options=["--rm"])
    for name in ("stopped-always", "stopped-unless"):
        host.good("stop", "-t", "0", name)
    reboot(host, keep_state)
    if not keep_state:
        assert host.run("rmi", "localhost/box").returncode == 3, "its image is still in use"
    done = steps(host, "recover")
    started = {names[name] for name in ("always", "stopped-always", "unless", "failure")}
    assert {one for action, one in done if action == "started"} == started
    for name, container in names.items():
        status = "running" if container in started else "exited"
        assert host.state(name)["Status"] == status, name
    assert gone not in [container["id"] for container in host.containers()]
    assert not (host.data / "containers" / gone).exists()
    assert steps(host, "recover") == set(), "the second one has nothing to do"
    wait_until(lambda: host.good("logs", "always") == "up\nup\n", "its log does not go on", 60)


@pytest.mark.parametrize("rubbish", [b"", b"{\"version\":1,\"id\":", b"\x00\xff" * 500, b"[]"],
                         ids=["empty", "cut", "rubbish", "array"])
def test_a_damaged_record_comes_back_from_its_copy_and_others_are_unaffected(host, layout, rubbish):
    broken, sound = host.launch(layout, options=["--name", "broken"]), host.launch(layout)
    pid = host.state(broken)["Pid"]
    record_of(host, broken).write_bytes(rubbish)
    assert host.state(sound)["Running"]
    assert host.run("ps", "-a").returncode == 0
    assert ("repaired", broken) in steps(host, "recover")
    assert host.state("broken")["Pid"] == pid and alive(pid)
    assert steps(host, "recover") == set()


def test_an_empty_record_is_no_reason_to_forget_a_container_that_runs(host, layout):
    container = host.launch(layout)
    pid = host.state(container)["Pid"]
    record_of(host, container).write_bytes(b"")
    for monitor in host.monitors():  # whoever takes over finds nothing that it could go on from
        os.kill(monitor, signal.SIGKILL)
    assert steps(host, "cleanup", "--orphaned") == set() and alive(pid)
    wait_until(lambda: not host.monitors(), "monitors stay", 60)
    assert steps(host, "recover") == {("repaired", container), ("adopted", container)}
    assert host.state(container)["Pid"] == pid


@pytest.mark.parametrize("damage", ["empty", "rubbish", "gone"])
def test_rm_of_a_container_with_a_damaged_record_removes_all_of_it(host, layout, damage):
    container = host.launch(layout)
    pid = host.state(container)["Pid"]
    if damage == "gone":
        record_of(host, container).unlink()
    else:
        record_of(host, container).write_bytes(b"" if damage == "empty" else b"rubbish")
    refused = host.run("rm", container)
    assert refused.returncode != 0 and "running" in refused.stderr and alive(pid)
    removed = host.run("rm", "-f", container)
    assert removed.returncode == 0 and "copy" in removed.stderr, removed.stderr
    assert not alive(pid) and not (host.data / "containers" / container).exists()
    assert images.cgroups_of(container) == []
    assert steps(host, "recover") == set() and host.containers() == []


def test_a_lost_record_of_a_container_that_runs_comes_back_at_once(host, layout):
    container = host.launch(layout)
    pid = host.state(container)["Pid"]
    record_of(host, container).unlink()
    assert ("repaired", container) in steps(host, "recover")
    assert host.state(container)["Pid"] == pid and alive(pid)
    assert steps(host, "recover") == set()


def test_recover_by_force_leaves_a_container_alone_that_a_knarr_in_the_foreground_watches(host, layout):
    with subprocess.Popen(host.command("run", "--rm", "-i", "-q", layout, "sh", "-c", "echo up; read line; exit 7"),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as front:
        assert front.stdout.readline() == b"up\n"
        wait_until(lambda: [one["status"] for one in host.containers()] == ["running"], "it is not recorded", 60)
        assert steps(host, "recover", "--force") == set()
        front.communicate(b"on\n", timeout=60)
    assert front.returncode == 7


def test_a_damaged_record_without_a_copy_is_named_and_by_force_put_aside(host, layout):
    broken = host.launch(layout)
    os.kill(host.state(broken)["Pid"], signal.SIGKILL)
    wait_until(lambda: not host.monitors(), "its monitors are left", 60)  # one writes the copy last
    (host.data / "containers" / broken / "record").unlink()
    record_of(host, broken).write_bytes(b"rubbish")
    done = host.run("recover")
    assert done.returncode == 1 and broken in done.stdout and "state.json" in done.stdout
    assert ("put aside", broken) in steps(host, "recover", "--force")
    aside, = (host.root / ".quarantine").iterdir()
    assert (aside / "state.json").read_bytes() == b"rubbish"
    assert host.containers() == []


def test_what_killed_launches_left_goes(breakable_knarr, scratch, layout):
    host = background.Host(breakable_knarr, scratch)
    host.good("pull", "-q", layout)
    for point in ("create.recorded", "run_image.data", "create.child"):
        host.run("run", "-q", "--log-driver", "none", "localhost/box", fault=f"{point}=kill")  # without a monitor
    left = {container["id"] for container in host.containers()}
    assert len(left) == 3
    dry = steps(host, "cleanup", "--orphaned", "--dry-run")
    assert {one for _, one in dry} == left and {container["id"] for container in host.containers()} == left
    assert {one for action, one in steps(host, "recover") if action == "cleared"} == left
    host.end()


def test_cleanup_removes_what_its_dry_run_says(host, layout):
    ended = host.launch(layout, "true")
    host.wait_ended(ended)
    runs = host.launch(layout)
    nobodys = host.data / "containers" / ("0" * 64)
    nobodys.mkdir()
    for options in (["--stopped"], ["--orphaned"]):
        dry = host.good("cleanup", *options, "--dry-run")
        assert dry.count("\n") == 1
        done = host.good("cleanup", *options)
        assert done.startswith("removed ")
        assert dry == done.replace("removed ", "would remove ", 1)
        assert host.good("cleanup", *options) == ""
    assert [container["id"] for container in host.containers()] == [runs] and not nobodys.exists()
    refused = host.run("cleanup")
    assert refused.returncode == 2 and "--dry-run" in refused.stderr


def test_shutdown_ends_all_at_once_and_recover_starts_them_again(host, layout):
    stubborn = [host.launch(layout, *STUBBORN, options=["--restart", "unless-stopped"]) for _ in range(3)]
    good = host.launch(layout, "sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done")
    wait_until(lambda: all(host.good("logs", one) for one in [*stubborn, good]), "the traps are not set", 60)
    begin = time.monotonic()
    assert steps(host, "shutdown", "--timeout", "2") == {("killed", one) for one in stubborn} | {("stopped", good)}
    assert time.monotonic() - begin < 30, "not side by side"
    assert host.state(good)["ExitCode"] == 5
    assert all(host.state(one)["Status"] == "exited" for one in stubborn)
    assert {one for action, one in steps(host, "recover") if action == "started"} == set(stubborn)
    wait_until(lambda: all(host.good("logs", one).count("ready") == 2 for one in stubborn), "they do not run", 60)


@pytest.mark.parametrize("first, second", [("TERM", "TERM"), ("INT", "INT"), ("INT", "TERM")])
def test_the_second_signal_to_shutdown_kills_at_once(host, layout, first, second):
    stubborn = [host.launch(layout, *STUBBORN, options=["--restart", "always"]) for _ in range(3)]
    wait_until(lambda: all(host.good("logs", one) for one in stubborn), "the traps are not set", 60)
    with subprocess.Popen(host.command("shutdown", "--timeout", "1000"), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as down:
        wait_until(lambda: all("shutdown" in record_of(host, one).read_text() for one in stubborn), "it does not begin")
        down.send_signal(signal.Signals[f"SIG{first}"])
        assert "a second signal kills them at once" in down.stderr.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            down.wait(timeout=1)
        assert all(host.state(one)["Running"] for one in stubborn), "the first one does not hurry"
        begin = time.monotonic()
        down.send_signal(signal.Signals[f"SIG{second}"])
        assert down.communicate(timeout=60)[0].count("killed") == 3
        assert down.returncode == 0 and time.monotonic() - begin < 15
    assert {host.state(one)["ExitCode"] for one in stubborn} == {137}
    assert {one for action, one in steps(host, "recover") if action == "started"} == set(stubborn), "as after any shutdown"


def test_the_first_signal_to_shutdown_leaves_containers_their_time(host, layout):
    slow = host.launch(layout, "sh", "-c", "trap 'sleep 2; exit 5' TERM; echo ready; while :; do sleep 0.1; done")
    wait_until(lambda: host.good("logs", slow), "the trap is not set", 60)
    with subprocess.Popen(host.command("shutdown", "--timeout", "1000"), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as down:
        time.sleep(0.5)
        down.send_signal(signal.SIGTERM)
        assert down.communicate(timeout=60)[0] == f"stopped {slow}\n"
    assert host.state(slow)["ExitCode"] == 5


def test_shutdown_of_five_that_do_not_listen_takes_its_time_and_a_second_more(host, layout):
    spent = []
    for _ in range(4):  # the machine may be busy
        for one in host.containers():
            host.good("rm", "-f", one["id"])
        five = [host.launch(layout) for _ in range(5)]  # sleep as process 1 hears no TERM
        begin = time.monotonic()
        assert steps(host, "shutdown", "--timeout", "2") == {("killed", one) for one in five}
        spent.append(time.monotonic() - begin)
        if spent[-1] < 3:
            break
    assert min(spent) >= 2 and spent[-1] < 3, spent


def test_a_recovery_that_is_cut_off_can_be_repeated(breakable_knarr, scratch, layout):
    host = background.Host(breakable_knarr, scratch)
    container = host.launch(layout)
    kill_monitors(host)
    done = host.run("recover", fault="recover.one")
    assert done.returncode != 0 and "recover.one" in done.stderr
    host.good("recover")
    assert host.state(container)["Status"] == "running" and len(host.monitors()) == 2
    host.end()
