"""`knarr logs`: what a container in the background wrote, to the byte."""

import hashlib
import os
import pathlib
import signal
import subprocess
import time

import pytest

import background
import images
from background import host  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layer = images.Layer().add("odd", bytes(range(256)) * 300 + b"\n\n\0\n" + b"x" * 70_000).bytes()
    return images.write_layout(tmp_path_factory.mktemp("image") / "box",
                               [images.base_layer(), layer])


def ended(host, layout, script, options=()):
    container = host.launch(layout, "sh", "-c", script, options=options)
    host.wait_ended(container)
    return container


def logs(host, *words):
    done = host.run("logs", *words, text=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def log_dir(host, container):
    return host.data / "containers" / container / "logs"


def test_driver_local_has_dockers_limits(host, layout):
    for options, wanted in (((), {"max-size": "20971520", "max-file": "5"}),
                            (("--log-opt", "max-size=10m", "--log-opt", "max-file=2"),
                             {"max-size": "10485760", "max-file": "2"})):
        container = host.launch(layout, "echo", "kept", options=["--log-driver", "local", *options])
        host.good("wait", container)
        assert host.good("logs", container) == "kept\n"
        assert host.inspect(container)["HostConfig"]["LogConfig"]["Config"] == wanted


def test_streams_stay_apart_and_every_byte_comes_back(host, layout):
    container = ended(host, layout, "cat /odd; echo oh >&2; printf end")
    odd = bytes(range(256)) * 300 + b"\n\n\0\n" + b"x" * 70_000
    assert logs(host, container) == (odd + b"end", b"oh\n")
    assert background.put_together(log_dir(host, container)) == {"stdout": odd + b"end", "stderr": b"oh\n"}


def test_a_part_of_a_line_is_there_before_the_line_ends(host, layout):
    container = host.launch(layout, "sh", "-c", "printf 'name: '; sleep 1000")
    wait_until(lambda: logs(host, container)[0] == b"name: ", "the prompt does not come")


def test_the_container_may_open_its_streams_by_name(host, layout):
    container = ended(host, layout, "echo a > /dev/stdout; echo b > /proc/self/fd/2",
                      options=["-u", "1000"])
    assert logs(host, container) == (b"a\n", b"b\n")


def test_tail_since_until_and_timestamps(host, layout):
    container = ended(host, layout, "for i in 1 2 3 4 5; do echo $i; sleep 0.05; done; echo e >&2")
    assert logs(host, "--tail", "2", container) == (b"5\n", b"e\n")
    assert logs(host, "-n", "0", container) == (b"", b"")
    assert logs(host, "--tail", "all", container)[0] == b"1\n2\n3\n4\n5\n"
    assert logs(host, "--tail", "100", container)[0] == b"1\n2\n3\n4\n5\n"
    stamped = logs(host, "-t", container)[0].decode().splitlines()
    moments = [line.split(" ")[0] for line in stamped]
    assert [line.split(" ", 1)[1] for line in stamped] == list("12345")
    assert moments == sorted(moments)
    # Both bounds include the moment that they name.
    assert logs(host, "--since", moments[1], "--until", moments[3], container)[0] == b"2\n3\n4\n"
    assert logs(host, "--since", "1h", container)[0] == b"1\n2\n3\n4\n5\n"
    assert logs(host, "--until", "1h", container)[0] == b""


def bytes_read(host, *words):
    """What knarr printed, and how many bytes it read for that."""
    with subprocess.Popen(host.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as client:
        out = client.stdout.read()
        os.waitid(os.P_PID, client.pid, os.WEXITED | os.WNOWAIT)
        text = pathlib.Path("/proc", str(client.pid), "io").read_text()
    assert client.returncode == 0
    return out, int(text.split("rchar:")[1].split()[0])


def test_the_tail_of_a_million_lines_costs_what_the_tail_is(host, layout):
    container = ended(host, layout, "busybox seq 1000000")
    out, cost = bytes_read(host, "logs", "--tail", "100", container)
    assert out == b"".join(b"%d\n" % i for i in range(999_901, 1_000_001))
    whole, all_of_it = bytes_read(host, "logs", container)
    assert whole.count(b"\n") == 1_000_000 and all_of_it > 40_000_000, "it is not counted"
    assert cost < 300_000


@pytest.mark.parametrize("words", [["--tail", "-3"], ["--tail", "x"], ["--since", "soon"], ["--until", ""]])
def test_bad_options_are_refused(host, layout, words):
    container = ended(host, layout, "true")
    failed = host.run("logs", *words, container)
    assert failed.returncode == 2 and words[0] in failed.stderr


def test_follow_ends_with_the_container_and_misses_nothing(host, layout):
    container = host.launch(layout, "sh", "-c",
                            "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; sleep 0.3; echo last")
    followers = [subprocess.Popen(host.command("logs", "-f", container), stdout=subprocess.PIPE)
                 for _ in range(2)]
    expected = b"".join(b"%d\n" % i for i in range(3000)) + b"last\n"
    for follower in followers:
        assert follower.communicate(timeout=60)[0] == expected
        assert follower.returncode == 0


def test_neither_a_slow_nor_a_dead_reader_holds_the_container_up(host, layout):
    size = 3 << 20
    container = host.launch(layout, "sh", "-c", f"sleep 0.2; head -c {size} /dev/zero; echo; echo done")
    slow = subprocess.Popen(host.command("logs", "-f", container), stdout=subprocess.PIPE)
    dead = subprocess.Popen(host.command("logs", "-f", container), stdout=subprocess.PIPE)
    dead.send_signal(signal.SIGKILL)
    dead.communicate()
    assert host.good("wait", container) == "0\n"  # while `slow` has read nothing yet
    out = slow.communicate(timeout=60)[0]
    assert len(out) == size + len("\ndone\n") and out.endswith(b"\ndone\n")


def test_a_fast_writer_loses_nothing(host, layout):
    container = ended(host, layout, "dd if=/dev/urandom of=/copy bs=1M count=30; cat /copy")
    out, _ = logs(host, container)
    copy = (host.data / "containers" / container / "upper" / "copy").read_bytes()
    assert hashlib.sha256(out).digest() == hashlib.sha256(copy).digest()
    left = sum(path.stat().st_blocks * 512 for path in (host.root / container).iterdir())
    assert left < 1 << 20, "what is in the log is still in the spool"


def test_rotation_by_size_and_count(host, layout):
    container = ended(host, layout, "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done",
                      options=["--log-opt", "max-size=16k", "--log-opt", "max-file=3"])
    files = sorted(log_dir(host, container).iterdir(), key=lambda path: int(path.stem))
    assert len(files) == 3
    assert all(path.stat().st_size <= 16384 for path in files)
    assert [int(path.stem) for path in files] == list(range(int(files[0].stem), int(files[0].stem) + 3))
    kept = logs(host, container)[0].decode().splitlines()
    assert kept == [f"line {i}" for i in range(2000 - len(kept), 2000)]
    assert len(kept) > 300
    assert logs(host, "--tail", "600", container)[0].decode().splitlines() == kept[-600:]


def test_without_a_log_the_error_says_why(host, layout):
    container = ended(host, layout, "echo x", options=["--log-driver", "none"])
    failed = host.run("logs", container)
    assert failed.returncode == 5 and "make it without --log-driver none" in failed.stderr
    assert not log_dir(host, container).exists()
    host.run("run", "-q", "--name", "fore", "--log-driver", "none", layout, "true")
    failed = host.run("logs", "fore")
    assert failed.returncode == 5 and "the streams of who started it" in failed.stderr
    assert host.run("logs", "nobody").returncode == 1


def looks_for_changes(pid):
    def link(entry):
        try:
            return os.readlink(entry)
        except FileNotFoundError:  # closed meanwhile
            return ""
    return any("inotify" in link(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir())


def test_one_that_has_not_run_yet_has_said_nothing(host, layout):
    container = host.good("create", "-q", layout, "echo", "first").strip()
    removed = host.good("create", "-q", layout, "true").strip()
    assert logs(host, container) == (b"", b"")
    following = [subprocess.Popen(host.command("logs", "-f", one), stdout=subprocess.PIPE)
                 for one in (container, removed)]
    for one in following:
        wait_until(lambda pid=one.pid: looks_for_changes(pid), "it follows")
        assert one.poll() is None
    host.good("start", container)
    host.good("rm", removed)
    assert [one.communicate(timeout=60)[0] for one in following] == [b"first\n", b""]
    assert [one.returncode for one in following] == [0, 0]


@pytest.mark.parametrize("verb", ["exec", "pause", "kill"])
def test_one_that_has_not_run_yet_is_not_called_stopped(host, layout, verb):
    container = host.good("create", "-q", layout, "true").strip()
    refused = host.run(verb, container, *(["true"] if verb == "exec" else []))
    assert refused.returncode != 0
    assert f"container {container} has not run yet" in refused.stderr
    assert f"knarr start {container}" in refused.stderr


def test_a_closed_output_ends_it(host, layout):
    container = ended(host, layout, "i=0; while [ $i -lt 5000 ]; do echo $i; i=$((i+1)); done")
    reader, writer = os.pipe()
    os.close(reader)
    done = host.run("logs", container, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.returncode in (6, -signal.SIGPIPE)


def test_a_full_disk_stops_the_log_and_loses_nothing(host, layout):
    """The data directory is on a small file system; when there is room again the log goes on."""
    host.data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "none", host.data], check=True)
    try:
        small = ["sh", "-c", "sleep 0.5; i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done"]
        container = host.launch(layout, *small)
        filler = host.data / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        wait_until(lambda: host.state(container)["Error"] != "", "nobody says that the disk is full", 60)
        filler.unlink()
        host.wait_ended(container)
        said = b"".join(b"line %d\n" % i for i in range(4000))
        # The monitor tries again after a while, and the program may have ended before.
        wait_until(lambda: logs(host, container)[0] == said, "the log is not whole", 60)
        host.good("rm", container)
        wait_until(lambda: not host.monitors(), "monitors are left")
    finally:
        for container in host.containers():
            host.run("rm", "-f", container["id"])
        subprocess.run(["umount", host.data], check=True)


def test_details_are_the_labels_and_variables_that_were_chosen(host, layout):
    container = ended(host, layout, "echo one; printf 'two\\nthree'", options=[
        "--label", "tier=front end", "--label", "other=x", "-e", "LEVEL=3", "--log-opt", "labels=tier,none",
        "--log-opt", "env=LEVEL"])
    assert logs(host, "--details", container)[0] == b"".join(
        b"LEVEL=3,tier=front+end " + line for line in (b"one\n", b"two\n", b"three"))
    assert logs(host, container)[0] == b"one\ntwo\nthree"
    assert host.inspect(container)["HostConfig"]["LogConfig"]["Config"] == {"labels": "tier,none", "env": "LEVEL"}
    plain = ended(host, layout, "echo one")
    assert logs(host, "--details", plain)[0] == b" one\n", "as docker, with nothing to say"
    refused = host.run("run", "-d", "--log-opt", "labels=", layout, "true")
    assert refused.returncode == 125 and "labels" in refused.stderr


@pytest.mark.parametrize("name", ["log.in", "stdout.spool", "log.at"])
def test_files_of_the_state_directory_that_are_cut_again_and_again_kill_no_monitor(host, layout, name):
    """Whoever may do that has the container anyway, but what watches it lives and says so."""
    container = host.launch(layout, "sh", "-c",
                            "while [ ! -e /end ]; do echo x; done; echo the last one; exit 3")
    wait_until(lambda: len(host.monitors()) == 2, "there are not two monitors", 60)
    monitors = set(host.monitors())
    path = host.root / container / name
    until = time.monotonic() + 3
    cuts = 0
    while time.monotonic() < until:
        os.truncate(path, 0)
        cuts += 1
    assert cuts > 100 and set(host.monitors()) == monitors
    host.run("exec", container, "touch", "/end")  # which may end with the container
    assert host.good("wait", container) == "3\n"
    host.wait_ended(container)
    assert host.good("logs", "--tail", "1", container) == "the last one\n"
