"""`knarr run -d IMAGE`: containers that live on without the knarr that started them."""

import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import background
import images
from background import host, layout  # fixtures
from oci import alive, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


def test_it_prints_the_id_and_leaves_nothing_of_its_starter_in_the_monitor(host, layout):
    secret = dict(os.environ, STARTERS_SECRET="leak")
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    container = host.good("run", "-d", "-q", layout, env=secret, pass_fds=[writer], cwd="/tmp").strip()
    os.close(writer)
    assert os.read(reader, 1) == b"", "somebody keeps a descriptor of the caller's"
    os.close(reader)
    wait_until(lambda: len(host.monitors()) > 0, "there is no monitor")
    for monitor in host.monitors():
        proc = pathlib.Path("/proc", str(monitor))
        wait_until(lambda: b"STARTERS" not in (proc / "environ").read_bytes(), "its environment")
        assert os.readlink(proc / "cwd") == "/"
        assert int((proc / "stat").read_text().rpartition(")")[2].split()[3]) != os.getsid(0)
        for fd in ("1", "2"):
            assert os.readlink(proc / "fd" / fd) == "/dev/null"
    assert host.state(container)["Status"] == "running"
    assert alive(host.state(container)["Pid"])


def test_the_end_is_not_held_up_by_those_who_write_on(host, layout):
    # Without a pid namespace they outlive the first process, and fill its streams as fast as can be.
    line = "echo first; for i in 1 2 3 4; do busybox yes & done; exit 3"
    container = host.launch(layout, "sh", "-c", line, options=["--pid", "host"])
    assert host.good("wait", container) == "3\n"
    assert images.cgroups_of(container) == []
    assert host.good("logs", container).startswith("first\n")


def memory_of(pid):
    """KiB, as smaps_rollup names them."""
    text = pathlib.Path("/proc", str(pid), "smaps_rollup").read_text()
    return {name: int(size) for name, size in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}


def test_the_monitors_are_small_and_at_rest_smaller(host, layout):
    container = host.launch(layout)
    wait_until(lambda: len(host.monitors()) == 2, "there are not two monitors")
    assert all(memory_of(pid)["Private_Dirty"] <= 1024 for pid in host.monitors())
    wait_until(lambda: sum(memory_of(pid)["Rss"] for pid in host.monitors()) <= 2 * 1024,
               "at rest they do not give their code's memory up")
    host.good("exec", container, "true")
    host.good("stop", "-t", "0", container)


def test_what_is_only_mounted_over_is_not_in_the_containers_layer(host, layout):
    container = host.launch(layout, "sh", "-c", "echo x > /own; exit 0")
    host.good("wait", container)
    upper = host.data / "containers" / container / "upper"
    assert sorted(path.name for path in upper.iterdir()) == ["own"]
    assert host.good("start", container) and host.good("wait", container) == "0\n"
    assert sorted(path.name for path in upper.iterdir()) == ["own"]


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_and_times_are_kept(host, layout, code):
    container = host.launch(layout, "sh", "-c", f"exit {code}")
    assert host.good("wait", container) == f"{code}\n"
    assert host.good("wait", container) == f"{code}\n", "also of one that has ended"
    host.wait_ended(container)
    state = host.state(container)
    assert (state["ExitCode"], state["Running"], state["Pid"], state["Error"]) == (code, False, 0, "")
    assert state["StartedAt"] <= state["FinishedAt"]
    assert images.cgroups_of(container) == []
    wait_until(lambda: not host.monitors(), "its monitor is still there")


def test_a_signal_is_128_and_its_number_for_each_who_waits(host, layout):
    container = host.launch(layout)
    waiters = [subprocess.Popen(host.command("wait", container), stdout=subprocess.PIPE, text=True)
               for _ in range(3)]
    host.good("kill", "-s", "KILL", container)
    for waiter in waiters:
        assert waiter.communicate(timeout=60)[0] == "137\n"
        assert waiter.returncode == 0


def test_one_that_ran_out_of_memory_says_so(host, layout):
    container = host.launch(layout, "sh", "-c", "x=x; while :; do x=$x$x; done", options=["-m", "16m"])
    assert host.good("wait", container) == "137\n"
    host.wait_ended(container)
    assert host.state(container)["OOMKilled"] is True


def test_stop_sends_the_containers_signal_and_then_kills(host, layout):
    container = host.launch(layout, "sh", "-c", "trap 'exit 7' USR1; echo up; while :; do sleep 0.1; done",
                            options=["--stop-signal", "USR1"])
    wait_until(lambda: host.good("logs", container) == "up\n", "it did not begin")
    assert host.good("stop", container) == container + "\n"
    assert host.state(container)["ExitCode"] == 7
    host.good("stop", container)  # one that has ended is no error
    deaf = host.launch(layout, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    wait_until(lambda: host.good("logs", deaf) == "up\n", "it did not begin")
    host.good("stop", "-t", "1", deaf)
    assert host.state(deaf)["ExitCode"] == 137


def test_the_images_stop_signal_counts(host, scratch):
    layout = images.write_layout(scratch / "image", [images.base_layer()], {"StopSignal": "SIGINT"})
    container = host.launch(layout, "sh", "-c", "trap 'exit 5' INT; echo up; while :; do sleep 0.1; done")
    wait_until(lambda: host.good("logs", container) == "up\n", "it did not begin")
    host.good("stop", container)
    assert host.state(container)["ExitCode"] == 5
    assert host.inspect(container)["Config"]["StopSignal"] == "SIGINT"


def test_a_paused_one_can_be_stopped(host, layout):
    container = host.launch(layout)
    host.good("pause", container)
    assert host.state(container)["Status"] == "paused"
    host.good("stop", "-t", "1", container)
    assert host.state(container)["Status"] == "exited"


def test_start_and_restart_keep_id_name_files_and_log(host, layout):
    container = host.launch(layout, "sh", "-c", "echo run >> /count; cat /count; sleep 1000",
                            options=["--name", "web"])
    wait_until(lambda: host.good("logs", "web") == "run\n", "it did not begin")
    first = host.state("web")
    host.good("stop", "-t", "0", "web")
    assert host.good("start", "web") == "web\n"
    wait_until(lambda: host.good("logs", "web") == "run\n" * 3, "it did not run again")
    second = host.state("web")
    assert second["Pid"] != first["Pid"] and second["StartedAt"] > first["StartedAt"]
    host.good("start", "web")  # as docker has it: it runs already
    assert host.state("web")["Pid"] == second["Pid"]
    host.good("restart", "-t", "0", "web")
    wait_until(lambda: host.good("logs", "web") == "run\n" * 6, "it did not run a third time")
    assert host.inspect("web")["Id"] == container
    wait_until(lambda: len(host.monitors()) == 2, "monitors pile up")


def test_one_of_the_foreground_starts_again_in_the_background(host, layout):
    assert host.run("run", "-q", "--name", "job", layout, "sh", "-c", "echo x; exit 4").returncode == 4
    host.good("start", "job")
    assert host.good("wait", "job") == "4\n"
    host.wait_ended("job")
    assert host.good("logs", "job") == "x\nx\n"


def test_one_that_cannot_start_again_stays_as_it_was(host, layout):
    container = host.launch(layout, "/bin/busybox", "true", options=["--name", "x"])
    host.wait_ended(container)
    config = host.data / "containers" / container / "config.json"
    text = config.read_text()
    config.write_text(text.replace("/bin/busybox", "/bin/nowhere"))
    failed = host.run("start", "x")
    assert failed.returncode == 127 and "/bin/nowhere" in failed.stderr, failed.stderr
    assert host.state("x")["Status"] == "exited"
    assert images.cgroups_of(container) == []
    config.write_text(text)
    host.good("start", "x")
    assert host.good("wait", "x") == "0\n"


def ending(state):
    return {key: state[key] for key in ("Status", "ExitCode", "StartedAt", "FinishedAt", "OOMKilled")}


def test_a_start_that_fails_keeps_how_the_last_run_ended(host, layout):
    container = host.launch(layout, "/bin/busybox", "sh", "-c", "exit 3", options=["--name", "x"])
    host.wait_ended(container)
    before = ending(host.state("x"))
    assert before["ExitCode"] == 3
    config = host.data / "containers" / container / "config.json"
    config.write_text(config.read_text().replace("/bin/busybox", "/bin/nowhere"))
    for _ in range(2):
        assert host.run("start", "x").returncode == 127
        state = host.state("x")
        assert ending(state) == before and "/bin/nowhere" in state["Error"]
        assert host.good("wait", "x") == "3\n"
    shown = [one for one in host.containers() if one["id"] == container]
    assert shown[0]["exitCode"] == 3


@pytest.mark.parametrize("point", ["create.recorded", "create.child", "create.ready", "run.gate"])
def test_a_start_that_is_killed_or_fails_on_the_way_keeps_it_too(breakable_knarr, scratch, layout, point):
    host = background.Host(breakable_knarr, scratch)
    container = host.launch(layout, "sh", "-c", "exit 3")
    host.wait_ended(container)
    before = ending(host.state(container))
    for how in ("", "=kill"):
        host.run("start", container, fault=point + how)
        wait_until(lambda: not host.monitors(), "its monitors are still there", 60)
        host.run("recover")
        host.wait_ended(container)
        after = ending(host.state(container))
        # Once the gate is open, it is another run that ends.
        assert after == before or (point == "run.gate" and how == "=kill"), (how, after)
    host.end()


def test_what_cannot_be_executed_leaves_nothing(host, layout):
    failed = host.run("run", "-d", "-q", layout, "/no/such/program")
    assert failed.returncode == 127 and "/no/such/program" in failed.stderr
    assert failed.stdout == ""
    assert host.containers() == []
    wait_until(lambda: not host.monitors(), "its monitor is still there")


def test_rm_of_a_running_one_and_of_many(host, layout):
    first, second = host.launch(layout), host.launch(layout)
    refused = host.run("rm", first)
    assert refused.returncode == 1 and "running" in refused.stderr
    host.good("rm", "-f", first, second)
    assert host.containers() == []
    wait_until(lambda: not host.monitors(), "monitors are left")


def waits_for_a_process(pid):
    """Sleeps, and holds a pidfd."""
    proc = pathlib.Path("/proc", str(pid))
    sleeps = (proc / "stat").read_text().rpartition(")")[2].split()[0] == "S"
    return sleeps and any("Pid:" in (proc / "fdinfo" / fd).read_text() for fd in os.listdir(proc / "fdinfo"))


def test_with_rm_it_goes_with_its_end(host, layout):
    container = host.launch(layout, "sleep", "1000", options=["--rm"])
    waiter = subprocess.Popen(host.command("wait", container), stdout=subprocess.PIPE, text=True)
    wait_until(lambda: waits_for_a_process(waiter.pid), "it does not wait")
    host.good("stop", "-t", "0", container)
    code, _ = waiter.communicate(timeout=60)
    assert (waiter.returncode, code) == (0, "137\n")
    wait_until(lambda: host.containers() == [], "it is still there")
    wait_until(lambda: host.traces() == [], "something of it is still there")


def test_names_ids_and_beginnings_of_ids(host, layout):
    container = host.launch(layout, options=["--name", "web"])
    for word in ("web", container, container[:12], container[:-1]):
        assert host.inspect(word)["Id"] == container
    taken = host.run("run", "-d", "-q", "--name", "web", layout)
    assert taken.returncode == 125 and container in taken.stderr
    host.good("rename", "web", "www")
    assert host.inspect("www")["Name"] == "/www"
    assert host.run("inspect", "web").returncode == 1
    other = host.launch(layout, options=["--name", "web"])
    for name in ("www", other, "", "a b"):
        assert host.run("rename", "web", name).returncode != 0, name
    assert host.inspect(other)["Name"] == "/web"


def test_cidfile(host, layout, scratch):
    path = scratch / "cid"
    container = host.launch(layout, options=["--cidfile", str(path)])
    assert path.read_text() == container
    again = host.run("run", "-d", "-q", "--cidfile", str(path), layout)
    assert again.returncode == 125 and "cid" in again.stderr
    assert path.read_text() == container
    missing = scratch / "other"
    assert host.run("run", "-d", "-q", "--cidfile", str(missing), layout, "/nowhere").returncode == 127
    assert not missing.exists()


def test_exec_and_ps_by_name(host, layout):
    container = host.launch(layout, options=["--name", "web"])
    assert host.good("exec", "web", "echo", "inside") == "inside\n"
    ended = host.launch(layout, "true")
    host.wait_ended(ended)
    assert host.good("ps", "-q").split() == [host.good("ps", "-q").strip()]
    assert container.startswith(host.good("ps", "-q").strip())
    assert len(host.good("ps", "-aq").split()) == 2
    assert host.good("ps", "-aq", "--no-trunc").split() == [ended, container]
    heading, line = host.good("ps").splitlines()
    assert heading.split()[:2] == ["CONTAINER", "ID"]
    assert "Up " in line and line.endswith("web") and '"sleep 1000"' in line
    rows = [json.loads(row) for row in host.good("ps", "-a", "--format", "json").splitlines()]
    generated = host.inspect(ended)["Name"][1:]
    assert [(row["State"], row["Names"]) for row in rows] == [("exited", generated), ("running", "web")]
    assert host.good("ps", "--format", "{{.Names}}: {{.State}}") == "web: running\n"
    assert len(json.loads(host.good("ps", "-a", "--json"))) == 2


def test_inspect_has_dockers_shape(host, layout):
    container = host.launch(layout, "sleep", "1000", options=["--name", "web", "-e", "A=b", "-m", "64m"])
    document = host.inspect("web")
    assert (document["Path"], document["Args"]) == ("sleep", ["1000"])
    assert "A=b" in document["Config"]["Env"]
    assert document["HostConfig"]["Memory"] == 64 << 20
    wait_until(lambda: host.inspect("web")["LogPath"].endswith("/logs/0.log"), "there is no log")
    template = "{{.Id}} {{.State.Status}} {{json .State.Running}}"
    assert host.good("inspect", "-f", template, "web") == f"{container} running true\n"
    both = host.run("inspect", "web", "no-such-one")
    assert both.returncode == 1 and "no-such-one" in both.stderr
    assert len(json.loads(both.stdout)) == 1


@pytest.mark.parametrize("options, word", [
    (["--stop-signal", "NOPE"], "NOPE"), (["--stop-signal", "0"], "0"),
    (["--stop-timeout", "x"], "stop-timeout"), (["--log-driver", "syslog"], "syslog"),
    (["--log-opt", "max-size=1"], "max-size"), (["--log-opt", "max-file=0"], "max-file"),
    (["--log-opt", "max-file=3"], "max-size"), (["--log-opt", "colour=red"], "colour"),
    (["--cidfile", ""], "cidfile"),
])
def test_bad_options_are_named(host, layout, options, word):
    failed = host.run("run", "-d", "-q", *options, layout)
    assert failed.returncode == 125 and word in failed.stderr, failed.stderr
    assert host.containers() == []


def test_the_monitor_refuses_to_be_started_by_hand(host):
    program = pathlib.Path(host.knarr).parent / "knarr-monitor"
    failed = subprocess.run([program], capture_output=True, text=True, check=False)
    assert failed.returncode == 2 and "knarr run -d" in failed.stderr


def test_signals_do_not_end_a_monitor(host, layout):
    container = host.launch(layout, "sh", "-c", "sleep 1000")
    wait_until(lambda: len(host.monitors()) > 0, "there is no monitor")
    monitors = host.monitors()
    for monitor in monitors:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            os.kill(monitor, number)
    host.good("kill", "-s", "KILL", container)
    assert host.good("wait", container) == "137\n"
    host.wait_ended(container)


@pytest.mark.parametrize("other_root", [False, True])
def test_who_does_not_see_its_state_does_not_take_its_files(host, layout, other_root):
    """A service with a /run of its own, say, that cleans up the images of the host."""
    host.root = host.scratch / "run" / "knarr"
    container = host.launch(layout, "sleep", "1000")
    script = f'mount -t tmpfs none "$1" && {"mkdir -m 700 $2 &&" if other_root else ""} shift 2 && exec "$@"'
    for words in (["image", "df"], ["image", "gc"], ["image", "prune", "-f"]):
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", host.root.parent, host.root,
                               *host.command(*words)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert (host.data / "containers" / container / "config.json").exists(), words
    host.good("stop", "-t", "0", container)
    host.good("start", container)


@pytest.mark.parametrize("name", ["seccomp", "config.json"])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "rubbish"])
def test_exec_is_never_less_protected_than_the_container(host, layout, name, damage):
    """What exec takes from the state directory is there as it was, or nothing runs."""
    box = host.launch(layout)
    show = ("exec", box, "sh", "-c", "grep -E 'Cap|NoNew|Seccomp:' /proc/self/status")
    before = host.good(*show)
    assert "Seccomp:\t2" in before
    file = host.root / box / name
    whole = file.read_bytes()
    for length in [24, len(whole) - 8] if damage == "cut" else [0]:
        if damage == "gone":
            file.unlink()
        else:
            file.write_bytes(b"\x7f" * len(whole) if damage == "rubbish" else whole[:length])
        refused = host.run(*show)
        assert refused.returncode not in (0, 127) and refused.stdout == "", refused.stderr
        assert ("seccomp filter" if name == "seccomp" else "config.json") in refused.stderr
        assert "create the container again" in refused.stderr
    file.write_bytes(whole)
    assert host.good(*show) == before
