"""Each option that `--help` shows, with a value that means nothing: refused in words that name it, by the exit status
of its verb's refusals, without a crash, and with nothing left behind."""

import re

import pytest

from background import host, layout  # fixtures

pytestmark = pytest.mark.usefixtures("needs_root")

JUNK, NOWHERE = "%junk\x01!", "/nowhere/%junk!"
# A verb, what else it needs, and how it ends where it refuses.
VERBS = {
    "run": (["--rm", "-q", "localhost/box", "true"], {2, 125}), "create": (["-q", "localhost/box"], {2, 125}),
    # As runc, and as docker when it is the program's affair.
    "exec": (["box", "true"], {126, 255}), "logs": (["box"], {2}), "stop": (["box"], {2}), "kill": (["box"], {2}),
    "restart": (["box"], {2}), "wait": (["box"], {2}), "attach": (["box"], {2}), "ps": ([], {2}), "update": (["box"], {1, 2, 5, 6}),
    "events": (["--until", "0s"], {2}), "stats": (["--no-stream"], {2}), "images": ([], {2}), "volume create": ([], {2, 5}),
    "volume ls": ([], {2}), "volume prune": (["-f"], {2}), "network ls": ([], {2}), "network prune": (["-f"], {2}), "shutdown": ([], {2}),
}
# Any text is right, nobody looks at it here (a registry's, with a stored image; keys without a terminal), or it is ignored aloud.
FREE = {"--env", "--entrypoint", "--health-cmd", "--label", "--dns-search", "--dns-option", "--dns-opt", "--unsetenv", "--cgroup-parent",
        "--kernel-memory", "--format", "--tls-ca", "--authfile", "--cert-dir", "--hosts-dir"}
FREE_OF_VERB = {("run", "--detach-keys"), ("exec", "--cap"), ("network prune", "--filter"), ("volume create", "--name"),
                ("events", "--until"), ("update", "--l3-cache-schema"), ("update", "--mem-bw-schema"), ("events", "--interval")}
# What is meant for a bundle's container alone is not said of an image's: these are asked for a place that is not there.
PLACES = {"FILE", "DIR", "SOCKET"}
OF_THE_CONTAINER = {"--workdir", "--cwd"}


def options_of(host, verb):
    """Those with a value: [(short, long, kind)]."""
    text = host.good(*verb.split(), "--help")
    return re.findall(r"^ +(?:(-\w), )?(--[\w-]+) ([A-Z0-9|\[][^ ]*)  ", text, re.MULTILINE)


@pytest.fixture
def running(host, layout):
    host.good("pull", "-q", layout)
    host.launch("localhost/box", "sleep", "1000", options=["--name", "box"])
    return host


@pytest.mark.parametrize("verb", VERBS)
def test_a_value_that_means_nothing_is_refused(running, verb):
    host, (more, codes), wrong, tried = running, VERBS[verb], [], 0
    before, volumes = host.containers(), host.good("volume", "ls", "-q")
    for short, option, kind in options_of(host, verb):
        if option in FREE or (verb, option) in FREE_OF_VERB:
            continue
        tried += 1
        done = host.run(*verb.split(), f"{option}={NOWHERE if kind in PLACES and option not in OF_THE_CONTAINER else JUNK}", *more)
        names = [word for word in (option, short, option[2:].replace("-", " "), "%junk") if word]
        if done.returncode not in codes or not any(name in done.stderr for name in names) or "internal" in done.stderr:
            wrong.append((option, kind, done.returncode, done.stderr))
    assert not wrong, "\n".join(map(str, wrong))
    assert tried or verb in ("wait", "stats", "network ls", "network prune", "images")
    assert [(one["id"], one["status"]) for one in host.containers()] == [(one["id"], one["status"]) for one in before]
    assert host.good("volume", "ls", "-q") == volumes
