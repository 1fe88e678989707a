"""Two clients do contrary things to one container at once: neither crashes nor hangs, whatever the one that comes
later is told; the container is in one state that is true, and can be removed, and nothing is left.

KNARR_CONTRARY_SEED and KNARR_CONTRARY_PAIRS choose which pairs, and how many."""

import os
import random
import subprocess
import time

import pytest

from background import host, layout  # fixtures
from oci import alive, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

PAIRS = int(os.environ.get("KNARR_CONTRARY_PAIRS", "150"))
VERBS = {"start": ["start", "box"], "stop": ["stop", "-t", "0", "box"], "restart": ["restart", "-t", "0", "box"],
         "kill": ["kill", "box"], "pause": ["pause", "box"], "unpause": ["unpause", "box"],
         "rename": ["rename", "box", "box2"], "back": ["rename", "box2", "box"], "update": ["update", "--pids-limit", "50", "box"],
         "exec": ["exec", "box", "true"], "rm": ["rm", "-f", "box"], "recover": ["recover"], "cp": ["cp", "box:/etc/group", "-"]}
# What each may end with: a state that forbids it, a name that is gone, a program that is killed.
CODES = {0, 1, 2, 3, 4, 7, 125, 126, 127, 137, 143, 255}


def begin(host, verb, out):
    return subprocess.Popen(host.command(*VERBS[verb]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out)


def state_is_true(host):
    """What is listed is there, or is not."""
    for one in host.containers():
        state = host.state(one["id"])
        assert state["Status"] in ("created", "running", "paused", "exited"), state
        if bool(state["Pid"]) != state["Running"] or (state["Pid"] and not alive(state["Pid"])):
            return False  # it is just about to end
    return True


def test_contrary_verbs_at_once(host, layout, scratch):
    seed = int(os.environ.get("KNARR_CONTRARY_SEED", random.randrange(1 << 30)))
    chance = random.Random(seed)
    host.good("pull", "-q", layout)
    for number in range(PAIRS):
        if host.run("exec", "box", "true").returncode != 0:
            for one in host.containers():
                host.good("rm", "-f", one["id"])
            host.launch("localhost/box", options=["--name", "box"])
        pair = chance.sample(sorted(VERBS), 2)
        about = f"KNARR_CONTRARY_SEED={seed}, pair {number}: {pair}"
        with (scratch / "one").open("w+b") as one, (scratch / "two").open("w+b") as two:
            clients = [begin(host, pair[0], one)]
            time.sleep(chance.random() * 0.02)
            clients.append(begin(host, pair[1], two))
            if set(pair) == {"exec", "pause"}:  # what stands still ends when it goes on
                clients[pair.index("pause")].wait(60)
                host.run("unpause", "box")
            try:
                codes = [client.wait(60) for client in clients]
            except subprocess.TimeoutExpired:
                for client in clients:
                    client.kill()
                    client.wait()
                raise AssertionError(f"{about}: stuck") from None
            said = [(file.seek(0), file.read().decode())[1] for file in (one, two)]
        assert set(codes) <= CODES, (about, codes, said)
        assert all(code == 0 or code > 128 or text for code, text in zip(codes, said)), (about, codes, said)
        assert not any("10 s" in text for text in said), (about, codes, said)  # somebody waited in vain
        wait_until(lambda: state_is_true(host), f"{about}: what is listed is not so")
    for one in host.containers():
        host.good("rm", "-f", one["id"])
    assert host.run("recover").stdout == "", f"KNARR_CONTRARY_SEED={seed}"
