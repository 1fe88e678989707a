"""Flags of run that only a look from inside the container proves; every verb by name, ID and prefix; the shipped unit."""

import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from background import host, layout  # fixtures
from conftest import ROOT
from oci import alive, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture
def shared(scratch):
    """A directory on a shared mount of its own."""
    place = scratch / "shared"
    place.mkdir()
    subprocess.run(["mount", "--bind", place, place], check=True)
    subprocess.run(["mount", "--make-shared", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("option, kind", [("rslave", "master:"), ("rshared", "shared:"), ("rprivate", None)])
def test_how_mounts_spread_is_seen_from_inside(host, layout, shared, option, kind):
    line = host.good("run", "--rm", "-q", "-v", f"{shared}:/v:{option}", layout, "grep", " /v ", "/proc/self/mountinfo")
    fields = line.split(" - ")[0].split()[6:]
    assert (fields == []) if kind is None else any(one.startswith(kind) for one in fields), line


def test_options_of_a_volume_hold_inside(host, layout, scratch):
    (scratch / "dir").mkdir()
    options = host.good("run", "--rm", "-q", "-v", f"{scratch}/dir:/v:nosuid,nodev,noexec,ro", layout, "grep", " /v ", "/proc/mounts").split()[3]
    assert {"nosuid", "nodev", "noexec", "ro"} <= set(options.split(","))


def test_the_log_driver_file_keeps_a_log(host, layout):
    container = host.launch(layout, "echo", "words", options=["--log-driver", "file"])
    host.wait_ended(container)
    assert host.good("logs", container) == "words\n"
    assert list((host.data / "containers" / container / "logs").glob("*.log"))
    assert host.run("run", "--rm", "-q", "--log-driver", "paper", layout, "true").returncode == 125


@pytest.mark.parametrize("how", ["name", "ID", "prefix"])
def test_every_later_verb_takes_name_id_and_prefix(host, layout, scratch, how):
    container = host.good("create", "-q", "--name", "ship", layout, "sleep", "1000").strip()
    word = {"name": "ship", "ID": container, "prefix": container[:16]}[how]
    for words in (["start", word], ["exec", word, "true"], ["inspect", word], ["logs", word], ["top", word], ["port", word], ["diff", word],
                  ["stats", "--no-stream", word], ["pause", word], ["unpause", word], ["update", "--pids-limit", "50", word],
                  ["cp", f"{word}:/etc/group", scratch / "group"], ["explain", word], ["state", word], ["kill", word], ["wait", word],
                  ["start", word], ["restart", "-t", "0", word], ["stop", "-t", "0", word], ["export", "-o", scratch / "tar", word],
                  ["rename", word, "boat"], ["rm", "boat" if how == "name" else word]):
        host.good(*words)
    assert host.containers() == []
    host.good("create", "-q", "--name", "ship", layout)
    taken = host.run("create", "-q", "--name", "ship", layout)
    assert taken.returncode == 125 and "already in use" in taken.stderr


def test_monitors_that_crash_harm_their_own_container_at_most(host, layout):
    hurt, other = host.launch(layout), host.launch(layout, "sh", "-c", "while :; do echo on; sleep 0.05; done")
    wait_until(lambda: len(host.monitors()) == 4, "there are not four monitors", 60)
    pids = {one: host.state(one)["Pid"] for one in (hurt, other)}
    its = [pid for pid in host.monitors() if hurt in pathlib.Path(f"/proc/{pid}/cmdline").read_text()]
    assert len(its) == 2
    for pid in its:
        os.kill(pid, signal.SIGSTOP)
    for number in (signal.SIGSEGV, signal.SIGCONT):  # at once, so that neither replaces the other
        for pid in its:
            os.kill(pid, number)
    wait_until(lambda: not any(alive(pid) for pid in its), "they live")
    seen = len(host.good("logs", other))
    wait_until(lambda: len(host.good("logs", other)) > seen, "the other one's log stands still")
    assert all(alive(pid) and host.state(one)["Pid"] == pid for one, pid in pids.items())
    host.good("run", "--rm", "-q", layout, "true")
    wait_until(lambda: len(host.monitors()) == 4, "its monitors do not come back", 60)


def test_the_unit_is_what_systemd_takes(knarr_path, scratch):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    text = (ROOT / "systemd/knarr.service").read_text().replace("/usr/bin/knarr", str(knarr_path))
    (scratch / "knarr.service").write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", scratch / "knarr.service"], capture_output=True, text=True, check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines()
            if "knarr.service" in line and "Command 'man" not in line and "KillMode=none" not in line]
    assert told == []
