"""knarr's own log: KNARR_LOG and its kin, for the command line and the monitors that it starts."""

import json
import os
import pathlib
import stat
import subprocess

import pytest

from background import Host, host, layout  # noqa: F401
from oci import wait_until


def with_log(log, **more):
    names = {"KNARR_LOG": str(log), "KNARR_LOG_FORMAT": "json"}
    return {**os.environ, **names, **{f"KNARR_{key.upper()}": str(value) for key, value in more.items()}}


def records(log):
    return [json.loads(line) for line in pathlib.Path(log).read_text().splitlines()]


def test_variables_name_the_log_and_each_record_its_container_and_operation(host, layout, scratch):
    log = scratch / "log"
    container = host.good("create", "-q", "--name", "box", layout).strip()
    for words, op in ((("kill", "box"), "kill"), (("container", "exec", "box", "true"), "container exec"),
                      (("pause", container[:12]), "pause"), (("rename", "box", "b x"), "rename")):
        failed = host.run(*words, env=with_log(log))
        assert failed.returncode != 0
        record = records(log)[-1]
        assert (record["level"], record["id"], record["op"]) == ("error", container, op), record
        assert record["msg"] in failed.stderr or record["msg"].split(" (")[0] in failed.stderr
    host.run("rm", "nobody", env=with_log(log))
    assert records(log)[-1]["id"] == "nobody" and records(log)[-1]["op"] == "delete"
    several = host.run("pause", "nobody", "box", env=with_log(log))
    assert several.returncode != 0
    assert [record["id"] for record in records(log)[-2:]] == ["nobody", container], "each error has its own"
    host.run("image", "history", "nobody", env=with_log(log))
    assert "id" not in records(log)[-1] and records(log)[-1]["op"] == "image history"
    assert len(records(log)) == 8, "one record an error"


def test_levels_say_how_much_is_told(host, layout, scratch):
    container = host.good("create", "-q", layout, "true").strip()
    told = {}
    for level in ("error", "warning", "info", "debug"):
        log = scratch / level
        done = host.run("run", "--rm", "-q", layout, "true", env=with_log(log, log_level=level))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        told[level] = [(record["level"], record["op"]) for record in records(log)]
        assert all(len(record["id"]) == 64 and record["id"] != container for record in records(log))
    assert told["error"] == told["warning"] == [] and told["info"] == [("info", "run")]
    assert told["debug"][-1] == ("info", "run") and {level for level, _ in told["debug"][:-1]} == {"debug"}


def test_options_win_over_variables(host, scratch):
    mine, other = scratch / "mine", scratch / "other"
    host.run("--log", mine, "--log-format", "text", "--log-level", "error", "kill", "nobody",
             env=with_log(other, log_level="nonsense", log_format="nonsense"))
    assert not other.exists()
    assert mine.read_text().startswith('time="') and mine.read_text().endswith(' id="nobody" op="kill"\n')


@pytest.mark.parametrize("variable, value", [
    ("KNARR_LOG", "/nobody/here"), ("KNARR_LOG", "journald:x"), ("KNARR_MONITOR_LOG", "/nobody/here"),
    ("KNARR_LOG_FORMAT", "xml"), ("KNARR_LOG_LEVEL", "loud")])
def test_a_wrong_variable_is_a_warning_and_stops_nothing(host, layout, variable, value):
    container = host.launch(layout, "sleep", "1000")
    done = host.run("kill", "-s", "KILL", container, env={**os.environ, variable: value})
    assert done.returncode == 0, done.stderr
    assert "warning: " + variable in done.stderr and value.removeprefix("journald:") in done.stderr
    assert done.stderr.count("\n") == 1
    host.wait_ended(container)


@pytest.mark.parametrize("option, value", [
    ("--log", "/nobody/here"), ("--log", "journald:x"), ("--log-format", "xml"), ("--log-level", "loud")])
def test_a_wrong_option_is_named_before_anything_is_done(host, option, value):
    refused = host.run(option, value, "create", "x")
    assert refused.returncode != 0 and refused.stdout == ""
    assert option in refused.stderr and value.removeprefix("journald:") in refused.stderr
    assert "hint: " in refused.stderr
    assert not host.root.exists()


@pytest.mark.parametrize("log", ["/dev/stderr", "/proc/self/fd/2", "/dev/fd/2", "/dev/stdout", "/proc/self/fd/1"])
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_descriptors_of_the_caller_are_logs(host, scratch, log, kind):
    command = host.command("--log", log, "--log-format", "json", "kill", "nobody")
    if kind == "pipe":
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        told = done.stderr if log[-1] in "2r" else done.stdout
    else:
        with (scratch / "out").open("a") as out, (scratch / "err").open("a") as err:
            done = subprocess.run(command, stdout=out, stderr=err, timeout=20)
        told = (scratch / ("err" if log[-1] in "2r" else "out")).read_text()
    assert done.returncode != 0
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert [line["id"] for line in lines] == ["nobody"], told


def test_a_link_or_a_strangers_directory_makes_root_write_nowhere(host, layout, scratch):
    target = scratch / "target"
    theirs = scratch / "theirs"
    theirs.mkdir()
    (theirs / "log").symlink_to(target)
    (scratch / "link").symlink_to(target)
    if os.geteuid() == 0:
        os.chown(theirs, 4321, 4321)
    for log in (theirs / "log", scratch / "link"):
        warned = host.run("ps", env=with_log(log))
        assert warned.returncode == 0 and "warning: KNARR_LOG: the log " in warned.stderr
        assert host.run("--log", log, "ps").returncode != 0
    # A monitor that was told before the link was there.
    log = scratch / "log"
    container = host.run("run", "-d", "-q", layout, "sleep", "1000", env=with_log(log, log_level="info")).stdout.strip()
    wait_until(lambda: log.exists() and any(one["op"] == "monitor" for one in records(log)), "the monitor says nothing")
    log.unlink()
    log.symlink_to(target)
    host.good("kill", "-s", "KILL", container)
    host.wait_ended(container)
    wait_until(lambda: not host.monitors(), "a monitor is left")
    assert not target.exists()


def test_an_empty_variable_is_none(host):
    names = ("KNARR_LOG", "KNARR_MONITOR_LOG", "KNARR_LOG_FORMAT", "KNARR_LOG_LEVEL")
    assert host.run("ps", env={**os.environ, **dict.fromkeys(names, "")}).returncode == 0


def test_a_fifo_that_nobody_reads_is_no_error_and_no_wait(host, scratch):
    os.mkfifo(scratch / "fifo")
    done = host.run("ps", env=with_log(scratch / "fifo"), timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


def test_monitors_write_into_it_wherever_they_came_from(host, layout, scratch):
    env = with_log("log", log_level="info")  # relative to the caller's directory, which is not theirs
    container = host.run("run", "-d", "-q", "--restart", "on-failure:1", layout, "sh", "-c", "sleep 0.2; exit 3",
                         env=env, cwd=scratch).stdout.strip()
    host.wait_ended(container)
    wait_until(lambda: not host.monitors(), "a monitor is left")
    told = [record for record in records(scratch / "log") if record["op"] != "run"]
    assert {record["id"] for record in told} == {container}
    assert [record["msg"].split(" process")[0] for record in told if record["op"] == "monitor"] == [
        "watches", "has ended with exit code 3, and is to run again", "watches", "has ended with exit code 3"]


def test_monitors_have_their_own_file_where_it_is_named(host, layout, scratch):
    own, theirs = scratch / "own", scratch / "theirs"
    container = host.run("run", "-d", "-q", layout, "sleep", "1000",
                         env=with_log(own, monitor_log=theirs, log_level="info")).stdout.strip()
    wait_until(lambda: theirs.exists() and records(theirs), "the monitor says nothing")
    assert {record["op"] for record in records(own)} == {"run"}
    host.good("rm", "-f", container)
    wait_until(lambda: not host.monitors(), "a monitor is left")
    assert {(record["op"], record["id"]) for record in records(theirs)} == {("monitor", container)}


def test_a_monitor_that_takes_over_and_the_option_have_the_log_too(host, layout, scratch):
    log = scratch / "log"
    container = host.run("--log", log, "--log-format", "json", "--log-level", "info",
                         "run", "-d", "-q", layout, "sleep", "1000").stdout.strip()
    wait_until(lambda: len(host.monitors()) == 2, "nobody stands by")
    watching = max(host.monitors(), key=lambda pid: pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                   .split(b"\0")[4] == b"0")
    os.kill(watching, 9)
    wait_until(lambda: any("taken over" in record["msg"] for record in records(log)), "nobody took over")
    assert records(log)[-1]["id"] == container


def test_what_a_monitor_cannot_do_is_a_record_of_it(host, layout, scratch):
    log = scratch / "log"
    health = host.run("run", "-d", "-q", "--health-cmd", "true", "--health-interval", "100ms", layout, "sleep", "1000",
                      env=with_log(log)).stdout.strip()
    # Its health file is a directory: what the probe found cannot be written.
    wait_until(lambda: (host.root / health / "health.json").is_file(), "no probe was made")
    (host.root / health / "health.json").rename(scratch / "health")
    (host.root / health / "health.json").mkdir()
    wait_until(lambda: log.exists() and any(record["op"] == "health" for record in records(log)), "nothing is told")
    last = [record for record in records(log) if record["op"] == "health"][-1]
    assert last["level"] == "warning" and last["id"] == health
    (host.root / health / "health.json").rmdir()


def test_no_container_sees_the_variables(host, layout, scratch):
    env = with_log(scratch / "log", monitor_log=scratch / "log2", log_level="debug")
    seen = host.run("run", "--rm", "-q", layout, "env", env=env).stdout
    container = host.run("run", "-d", "-q", layout, "sh", "-c", "env; sleep 1000", env=env).stdout.strip()
    wait_until(lambda: "PATH" in host.good("logs", container), "it says nothing")
    seen += host.good("logs", container)
    seen += host.run("exec", container, "env", env=env).stdout
    seen += host.run("exec", container, "cat", "/proc/1/environ", env=env).stdout
    assert "PATH=" in seen and "KNARR" not in seen
    for monitor in host.monitors():
        variables = pathlib.Path(f"/proc/{monitor}/environ").read_bytes().split(b"\0")
        assert {one.split(b"=")[0] for one in variables if one} == {
            b"KNARR_LOG", b"KNARR_LOG_FORMAT", b"KNARR_LOG_LEVEL"}


def test_who_starts_containers_has_the_log_closed(host, layout, scratch):
    log = scratch / "log"
    done = host.run("run", "--rm", "-q", layout, "ls", "-l", "/proc/self/fd", env=with_log(log, log_level="debug"))
    assert done.returncode == 0 and str(log) not in done.stdout
    assert stat.S_IMODE(log.stat().st_mode) & 0o022 == 0


def test_standard_output_has_what_is_documented_and_nothing_else(host, layout, scratch):
    """The same words with and without a log that is told everything, and without a terminal."""
    host.good("create", "-q", "--name", "made", layout, "true")
    container = host.launch(layout, "sleep", "1000", options=["--name", "box"])
    verbs = (["list", "--json"], ["state", container], ["inspect", "box"], ["image", "ls", "--format", "json"],
                  ["version", "--json"], ["features"], ["recover", "--json"], ["cleanup", "--stopped", "--dry-run", "--json"],
                  ["volume", "ls", "--format", "json"], ["container", "ls", "--format", "json"], ["network", "ls"],
                  ["diff", "box"], ["port", "box"], ["ps", "-a", "-q", "--no-trunc"], ["image", "inspect", layout],
                  ["exec", "box", "echo", "hello"], ["run", "--rm", "-q", layout, "echo", "hello"],
                  ["logs", "box"], ["history", layout], ["completion", "bash"], ["--help"], ["run", "--help"],
                  ["resume", "box"], ["kill", "-s", "0", "box"], ["top", "box"],
                  ["container", "inspect", "nobody"], ["stop", "nobody"], ["nonsense"], ["image", "rm", "nobody"])
    unset = {name: value for name, value in os.environ.items() if not name.startswith("KNARR_LOG")}
    log = scratch / "log"
    for words in verbs:
        silent = host.run(*words, env=unset)
        told = host.run(*words, env=with_log(log, log_level="debug"))
        assert (silent.returncode, silent.stdout) == (told.returncode, told.stdout), words
        assert silent.stderr == told.stderr, words
        assert "level=" not in silent.stdout and '"level"' not in silent.stdout, words
        if words[0] in ("list", "state", "inspect"):
            json.loads(silent.stdout)
    assert {"debug", "error", "info"} <= {record["level"] for record in records(log)}
    missing = [record for record in records(log) if "op" not in record]
    assert all("nonsense" in record["msg"] or record["level"] == "debug" for record in missing), missing
