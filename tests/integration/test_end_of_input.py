"""A terminal's program whose caller has none: the end of what is piped reaches it, whatever it does to its terminal."""

import subprocess
import time

import pytest

import images
from background import host  # a fixture

pytestmark = pytest.mark.usefixtures("needs_root")

# Shells edit their lines themselves: they go from lines to bytes once they run.
LATE_SHELL = ["sh", "-c", "sleep 0.3; exec sh"]


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layer = images.Layer()
    layer.symlink("bin/stty", "busybox")
    return images.write_layout(tmp_path_factory.mktemp("image") / "box", [images.base_layer(), layer.bytes()],
                               {"Cmd": ["sleep", "1000"]})


def front(host, words, data=b"", timeout=30):
    """Runs it with this for its stdin; what it showed."""
    done = subprocess.run(host.command(*words), input=data, capture_output=True, timeout=timeout, check=False)
    return done.returncode, done.stdout


@pytest.fixture(params=["run", "exec"])
def in_front(request, host, layout):
    """How a command is put in front of a terminal."""
    if request.param == "run":
        return ["run", "-it", "-q", "--rm", layout]
    container = host.launch(layout)
    return ["exec", "-it", container]


def test_a_shell_that_starts_late_is_told_the_end(host, in_front):
    for _ in range(5):
        began = time.monotonic()
        assert front(host, [*in_front, *LATE_SHELL])[0] == 0
        assert time.monotonic() - began < 20


def test_many_shells_are_told_the_end(host, in_front):
    for number in range(25):
        code, shown = front(host, [*in_front, "sh"], b"exit 7\n" if number % 2 else b"")
        assert code == (7 if number % 2 else 0), shown


def test_a_line_that_has_no_end_is_run_all_the_same(host, in_front):
    code, shown = front(host, [*in_front, "sh", "-c", "stty -echo; sleep 0.3; exec sh"], b"exit 5")
    assert code == 5, shown


def test_who_reads_lines_is_told_the_end_each_time(host, in_front):
    code, shown = front(host, [*in_front, "sh", "-c", "cat; cat; sleep 0.2; cat; echo all"], b"word\n")
    assert code == 0 and shown.replace(b"\r", b"").endswith(b"word\nall\n"), shown


def test_who_reads_bytes_gets_none_that_nobody_sent(host, in_front):
    line = "stty raw -echo; echo ready; for i in 1 2 3; do dd bs=1 count=1 of=/dev/null 2>/dev/null; echo got; done"
    program = subprocess.Popen(host.command(*in_front, "sh", "-c", line), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        assert program.stdout.readline().strip() == b"ready"
        program.stdin.write(b"ab")
        program.stdin.close()
        assert [program.stdout.readline().strip() for _ in range(2)] == [b"got", b"got"]
        with pytest.raises(subprocess.TimeoutExpired):
            program.wait(3)  # three times as long as the longest pause
    finally:
        program.kill()
        program.wait()
        program.stdout.close()
