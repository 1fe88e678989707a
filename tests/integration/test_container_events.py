"""knarr events without an ID: what happened to containers of images, in docker's words and shapes."""

import fcntl
import json
import select
import struct
import subprocess
import termios
import time

import pytest

import background
from background import host, layout  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


def told(host, *options):
    """All that was told until now, as objects."""
    text = host.good("events", "--since", "2020-01-01", "--until", "0s", "--format", "json", *options)
    return [json.loads(line) for line in text.splitlines()]


def actions(events):
    return [event["Action"] for event in events]


def test_a_life_is_told_in_order_with_code_and_time(host, layout):
    host.good("run", "-q", "--rm", "--name", "front", layout, "sh", "-c", "true")
    container = host.launch(layout, "sh", "-c", "exit 3", options=["--name", "job"])
    host.wait_ended(container)
    host.good("rm", container)
    events = told(host)
    front = [event for event in events if event["Actor"]["Attributes"].get("name") == "front"]
    job = [event for event in events if event["id"] == container]
    assert actions(front) == actions(job) == ["create", "start", "die", "destroy"]
    die = job[2]
    assert die["Actor"] == {"ID": container, "Attributes": {"exitCode": "3", "image": die["from"], "name": "job"}}
    assert (die["Type"], die["scope"], die["status"]) == ("container", "local", "die")
    assert die["timeNano"] // 10**9 == die["time"]
    times = [event["timeNano"] for event in events]
    assert times == sorted(times)
    # Both bounds include the moment that they name.
    text = host.good("events", "--since", "2020-01-01", "--until", "0s", "--filter", "event=die",
                     "--filter", "container=job")
    moment = text.split()[0]
    assert text == f"{moment} container die {container} (exitCode=3, image={die['from']}, name=job)\n"
    assert host.good("events", "--since", moment, "--until", moment) == text


def test_a_damaged_first_line_hides_nothing_and_is_told(host, layout):
    for _ in range(2):
        host.good("run", "-q", "--rm", layout, "true")
        with open(host.root / ".events" / "log", "r+b") as log:
            log.write(b"rubbish")
    done = host.run("events", "--since", "2020-01-01", "--until", "0s", "--format", "{{.Action}}")
    assert done.returncode == 0 and "damaged" in done.stderr
    assert done.stdout.split() == ["create", "start", "die", "destroy"] * 2


def test_what_is_done_to_a_container_is_told(host, layout):
    container = host.launch(layout, options=["--name", "web"])
    host.good("pause", "web")
    host.good("unpause", "web")
    host.good("rename", "web", "net")
    host.good("update", "--pids-limit", "50", "net")
    host.good("stop", "-t", "0", "net")
    host.good("restart", "-t", "0", "net")
    host.good("kill", "net", "KILL")
    host.wait_ended(container)
    host.good("rm", "net")
    events = told(host)
    assert actions(events) == [
        "create", "start", "pause", "unpause", "rename", "update", "kill", "kill", "die", "stop",
        "start", "restart", "kill", "die", "destroy"]
    assert events[4]["Actor"]["Attributes"]["oldName"] == "web"
    assert [event["Actor"]["Attributes"]["signal"] for event in events if event["Action"] == "kill"] == \
        ["15", "9", "9"]
    assert actions(told(host, "--filter", "event=pause", "--filter", "event=stop")) == ["pause", "stop"]
    assert told(host, "--filter", "type=image") == told(host, "--filter", "container=other") == []
    assert host.good("events", "--since", "2020-01-01", "--until", "0s", "--filter", "event=rename",
                     "--format", "{{.Actor.Attributes.name}} {{.Action}}") == "net rename\n"


def test_events_of_restarts_tell_each_end(host, layout):
    container = host.launch(layout, "sh", "-c", "exit 1", options=["--restart", "on-failure:1"])
    wait_until(lambda: host.inspect(container)["RestartCount"] == 1 and
               host.state(container)["Status"] == "exited", "it does not end", 60)
    assert actions(told(host)) == ["create", "start", "die", "start", "die"]


def test_a_follower_is_told_at_once_and_a_stalled_one_holds_nothing_up(host, layout):
    with subprocess.Popen(host.command("events", "--format", "json"), stdout=subprocess.PIPE, text=True) as live, \
            subprocess.Popen(host.command("events"), stdout=subprocess.PIPE) as stalled:
        try:
            # Nothing tells that a follower listens but that it is told.
            def heard():
                host.good("run", "-q", "--rm", layout, "true")
                return select.select([live.stdout], [], [], 0.2)[0]
            wait_until(heard, "it is not told", 60)
            first = json.loads(live.stdout.readline())
            assert first["Action"] in ("create", "start", "die", "destroy")
            container = host.launch(layout, options=["--name", "seen"])
            while json.loads(live.stdout.readline())["id"] != container:
                pass
        finally:
            live.kill()
            stalled.kill()


def waiting_in(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


def latency(host):
    times = []
    for _ in range(5):
        begin = time.monotonic()
        host.good("run", "-q", "--rm", "localhost/box", "true")
        times.append(time.monotonic() - begin)
    return sorted(times)[2]


def test_a_stalled_reader_gets_a_marker_and_makes_nothing_slower(host, layout):
    host.good("pull", "-q", layout)
    before = latency(host)
    with subprocess.Popen(host.command("events", "--since", "2020-01-01", "--format", "json"), stdout=subprocess.PIPE) as stalled:
        try:
            assert stalled.stdout.readline()
            log = host.root / ".events" / "log"
            for turn in range(3):  # the second rotation takes away what it has not read
                last = log.read_text().splitlines()[-1] + "\n"
                with log.open("a") as full:
                    full.write(last * ((1 << 20) // len(last) + 1))
                if turn == 0:
                    # It is in the middle of this file, and its pipe is full.
                    wait_until(lambda: waiting_in(stalled.stdout) > 60_000, "it is not stalled")
                host.good("run", "-q", "--rm", "localhost/box", "true")
            after = latency(host)
            for line in stalled.stdout:
                event = json.loads(line)
                if event["Action"] == "lost":
                    break
            assert event["Type"] == "knarr" and int(event["Actor"]["Attributes"]["count"]) > 1000
            assert json.loads(stalled.stdout.readline())["Type"] == "container", "it goes on"
        finally:
            stalled.kill()
    assert after < 3 * before + 0.1, (before, after)


def test_bundles_and_bad_words(host, layout):
    for words in (["--filter", "web"], ["--filter", "color=red"], ["--since", "soon"], ["--stats"],
                  ["--filter", "type=container", "web"], ["--format", "{{.Nope"]):
        if words[0] == "--format":
            host.good("run", "-q", "--rm", layout, "true")
            words = ["--since", "2020-01-01", "--until", "0s", *words]
        refused = host.run("events", *words)
        assert refused.returncode == 2 and "hint:" in refused.stderr, (words, refused.stderr)


def test_an_event_that_cannot_be_kept_is_a_warning_and_holds_nothing_up(host, layout):
    host.good("pull", "-q", layout)
    host.root.mkdir(mode=0o700, exist_ok=True)
    (host.root / ".events").write_text("not a directory")
    done = host.run("run", "-q", "--rm", "localhost/box", "true")
    assert done.returncode == 0 and "event start is not noted" in done.stderr
    (host.root / ".events").unlink()


def test_a_rotation_that_is_cut_off_is_finished_by_the_next(breakable_knarr, scratch, layout):
    host = background.Host(breakable_knarr, scratch)
    host.good("run", "-q", "--rm", layout, "true")
    log, = host.root.rglob("log")
    last = log.read_text().splitlines()[-1] + "\n"
    with log.open("a") as full:
        full.write(last * ((1 << 20) // len(last)))
    done = host.run("run", "-q", "--rm", layout, "true", fault="events.rotated=kill")
    assert done.returncode == -9
    host.good("run", "-q", "--rm", "--name", "after", layout, "true")
    after = [event for event in told(host) if event["Actor"]["Attributes"].get("name") == "after"]
    assert actions(after) == ["create", "start", "die", "destroy"]
    host.end()


def test_create_is_told_when_it_is_done(host, layout):
    container = host.good("create", layout, "true").strip()
    assert actions(told(host)) == ["create"]
    host.good("start", container)
    host.wait_ended(container)
    assert actions(told(host)) == ["create", "start", "die"]
    host.good("rm", container)
    never = host.good("create", layout, "true").strip()
    host.good("rm", never)
    assert actions(told(host)) == ["create", "start", "die", "destroy", "create", "destroy"]
