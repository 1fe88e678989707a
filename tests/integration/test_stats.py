"""stats and metrics, doctor and explain: what a person and Prometheus see of real containers."""

import json
import os
import signal
import subprocess

import pytest

from background import host, layout  # fixtures
from oci import wait_until
from terminals import Screen

pytestmark = pytest.mark.usefixtures("needs_root")


def test_stats_shows_what_a_container_uses(host, layout):
    container = host.launch(layout, "sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000 & wait",
                            options=["--name", "web", "--memory", "64m"])
    wait_until(lambda: json.loads(host.good("stats", "--no-stream", "--format", "json"))["PIDs"] == "4",
               "its processes are not counted", 60)
    found = json.loads(host.good("stats", "--no-stream", "--no-trunc", "--format", "json", "web"))
    assert (found["ID"], found["Name"]) == (container, "web")
    assert found["MemUsage"].endswith(" / 64MiB") and found["CPUPerc"].endswith("%")
    assert set(found) == {"BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name", "NetIO", "PIDs"}
    head, row = host.good("stats", "--no-stream").splitlines()
    assert head.split()[:3] == ["CONTAINER", "ID", "NAME"] and container[:12] in row
    assert host.good("stats", "--no-stream", "--format", "{{.Name}}") == "web\n"
    host.good("stop", "-t", "0", "web")
    assert host.good("stats", "--no-stream", "--format", "json") == ""
    ended = json.loads(host.good("stats", "--no-stream", "--all", "--format", "json"))
    assert ended["PIDs"] is None and ended["MemUsage"] is None and ended["CPUPerc"] is None
    assert host.run("stats", "--no-stream", "nobody").returncode == 1


def test_stats_shows_half_a_cpu_of_a_busy_loop_that_may_have_half(host, layout):
    host.launch(layout, "sh", "-c", "while :; do :; done", options=["--name", "busy", "--cpus", "0.5"])
    shown = []
    for _ in range(3):  # the machine may be busy, too
        shown.append(float(host.good("stats", "--no-stream", "--format", "{{.CPUPerc}}", "busy").strip().rstrip("%")))
        if 35 <= shown[-1] <= 65:
            break
    assert 35 <= shown[-1] <= 65, shown


@pytest.mark.parametrize("words", [["ps"], ["ps", "-a"], ["images"], ["doctor"], ["stats", "--no-stream"]], ids=" ".join)
def test_what_is_shown_on_a_terminal_has_no_colours(host, layout, words):
    host.launch(layout, options=["--name", "web"])
    screen = Screen()
    try:
        screen.start(host.command(*words), {**os.environ, "TERM": "xterm-256color"})
        screen.wait(60)
        assert len(screen.seen.splitlines()) > 1 and b"\x1b" not in screen.seen, screen.seen
    finally:
        screen.close()


def test_stats_goes_on_until_it_is_interrupted(host, layout):
    host.launch(layout, options=["--name", "web"])
    with subprocess.Popen(host.command("stats", "--format", "{{.Name}}"), stdout=subprocess.PIPE, text=True) as live:
        assert [live.stdout.readline() for _ in range(2)] == ["web\n", "web\n"]
        live.send_signal(signal.SIGINT)
        assert live.wait(60) == 0


def test_metrics_are_what_prometheus_reads(host, layout):
    assert host.good("metrics") == ""
    container = host.launch(layout, "sh", "-c", "exit 4", options=["--name", "job"])
    host.wait_ended(container)
    host.launch(layout, options=["--name", "web", "--memory", "64m"])
    text = host.good("metrics")
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines[f'knarr_container_exit_code{{id="{container}",name="job"}}'] == "4"
    limits = [value for name, value in lines.items() if name.startswith("knarr_container_memory_limit_bytes")]
    assert limits == [str(64 * 1024 * 1024)]
    for name in lines:
        family = name.partition("{")[0]
        assert text.count(f"# TYPE {family} ") == text.count(f"# HELP {family} ") == 1


def test_explain_says_what_became_of_it(host, layout):
    container = host.launch(layout, options=["--name", "web"])
    assert "it runs, as process" in host.good("explain", "web")
    os.kill(host.state("web")["Pid"], signal.SIGKILL)
    host.wait_ended(container)
    told = host.good("explain", "web")
    assert "exit code 137" in told and "KILL" in told and f"next: knarr logs --tail 20 {container}" in told
    assert json.loads(host.good("explain", "--json", "web"))["id"] == container
    assert host.run("explain", "nobody").returncode == 1


def test_explain_remembers_launches_that_failed(host, layout):
    failed = host.run("run", "-d", "-q", "--name", "ship", layout, "no-such-program")
    assert failed.returncode == 127 and host.containers() == []
    told = host.good("explain", "ship")
    assert 'step: program "no-such-program"' in told and "executable file not found" in told
    assert "undone: all that there was" in told and "next: is it in the image?" in told
    container = json.loads(host.good("explain", "--json", "ship"))["id"]
    assert host.good("explain", container) == told

    host.good("create", "-q", "--name", "shop", "-w", "/bin/sh", layout)
    assert "waits for knarr start" in host.good("explain", "shop")
    assert host.run("start", "shop").returncode == 1
    told = host.good("explain", "shop")
    assert "step: working directory" in told and "Not a directory" in told and "log stay" in told
    assert "Not a directory" in host.state("shop")["Error"] and host.state("shop")["Status"] == "created"

    # One that runs again has nothing of it any more, and another one that has its name neither.
    host.launch(layout, options=["--name", "ship"])
    assert "it runs" in host.good("explain", "ship") and "undone" not in host.good("explain", "ship")


def test_doctor_tries_this_machine_and_finds_what_was_broken(host, layout):
    found = {one["name"]: one for one in json.loads(host.good("doctor", "--json"))}
    assert found["namespaces"]["verdict"] == found["state directory"]["verdict"] == "ok"
    assert all(one["mend"] for one in found.values() if one["verdict"] != "ok")
    container = host.launch(layout)
    wait_until(lambda: len(host.monitors()) == 2, "there are not two monitors", 60)
    record = host.root / container / "state.json"
    sound = record.read_bytes()
    record.write_bytes(b"rubbish")
    assert "knarr recover" in host.good("doctor")
    assert "recover --force" in host.good("explain", container)
    record.write_bytes(sound)
    host.root.chmod(0o777)
    broken = host.run("doctor")
    host.root.chmod(0o700)
    assert broken.returncode == 1 and "broken   state directory" in broken.stdout and "chmod" in broken.stdout
    assert not list(host.root.glob(".doctor*")) and not list(host.data.glob(".doctor*"))
