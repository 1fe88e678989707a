"""events: what a container uses (features M1 to M5), and when it runs out of memory."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest
from oci import wait_until

MIB = 1 << 20
V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")


def start(host, *words, shell=None, resources=None, change=None):
    bundle, container = host.bundle(*words), host.new_id()
    if shell:
        bundle.use_shell(shell)
    if resources:
        bundle.config["linux"]["resources"] = resources
    if change:
        change(bundle)
    bundle.save()
    done = host.ok("run", "-d", "-b", bundle.directory, container)
    if "wait-signal" in words:
        wait_until(lambda: "ready=1" in done.out_path.read_text(), "the program is not ready")
    return container


def stats(host, container):
    event = json.loads(host.ok("events", "--stats", container).stdout)
    assert event["type"] == "stats" and event["id"] == container
    return event["data"]


def counted(data, part):
    if data[part] is None:
        pytest.skip(f"this host has no controller that counts {part}")
    return data[part]


def test_cpu_of_a_busy_loop_under_half_a_quota(host):
    container = start(host, shell="while :; do :; done",
                      resources={"cpu": {"quota": 50000, "period": 100000}})
    counted(stats(host, container), "cpu")
    began = time.monotonic()
    first = stats(host, container)["cpu"]
    had_first = time.monotonic()
    # The quota is used up once a period; forty of them make the edges small.
    wait_until(lambda: stats(host, container)["cpu"]["throttling"]["periods"] >=
               first["throttling"]["periods"] + 40, "no periods are counted")
    wanted_last = time.monotonic()
    last = stats(host, container)["cpu"]
    ended = time.monotonic()
    used = (last["usage"]["total"] - first["usage"]["total"]) / 1e9
    periods, throttled = (last["throttling"][name] - first["throttling"][name]
                          for name in ("periods", "throttledPeriods"))
    # A busy machine makes the two readings take long: their moments are known within bounds only.
    assert used <= 0.55 * (ended - began)
    assert used >= 0.9 * 0.05 * (throttled - 2), "a throttled period has used up the quota"
    if throttled < 0.9 * periods:
        pytest.skip(f"this busy machine gave the loop its quota in {throttled} of {periods} periods "
                    f"only (load {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs)")
    assert used >= 0.45 * (wanted_last - had_first)
    assert last["throttling"]["throttledTime"] > first["throttling"]["throttledTime"]
    if not V2:
        assert sum(last["usage"]["percpu"]) == pytest.approx(last["usage"]["total"], rel=0.05)
        assert len(last["usage"]["percpu"]) >= os.cpu_count()


def test_memory_that_is_touched_is_counted(host):
    limits = {"memory": {"limit": 256 * MIB}}
    small = counted(stats(host, start(host, "wait-signal", resources=limits)), "memory")
    large = stats(host, start(host, "memory", "64", "wait-signal", resources=limits))["memory"]
    assert large["usage"]["usage"] - small["usage"]["usage"] == pytest.approx(64 * MIB, rel=0.05)
    assert large["usage"]["limit"] == 256 * MIB
    assert large["usage"].get("max", large["usage"]["usage"]) >= 64 * MIB
    assert large["raw"]["anon" if V2 else "rss"] >= 64 * MIB
    if "swap" in large:
        assert large["swap"]["usage"] >= large["usage"]["usage"]


def test_without_a_limit_the_limit_is_runcs_number_for_none(host):
    data = stats(host, start(host, "wait-signal"))
    assert counted(data, "memory")["usage"]["limit"] == 2**64 - 1
    assert "limit" not in counted(data, "pids")


def test_ten_more_processes_are_ten_more_pids(host):
    one = counted(stats(host, start(host, "wait-signal", resources={"pids": {"limit": 99}})), "pids")
    eleven = stats(host, start(host, "children", "10", "wait-signal"))["pids"]
    assert one == {"current": 1, "limit": 99}
    assert eleven["current"] == one["current"] + 10


TRANSFER = """
import socket, sys, threading
size = int(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
def take():
    connection, _ = listener.accept()
    got = 0
    while part := connection.recv(1 << 16):
        got += len(part)
    assert got == size
taker = threading.Thread(target=take)
taker.start()
with socket.create_connection(listener.getsockname()) as sender:
    sender.sendall(bytes(size))
taker.join()
"""


def test_a_transfer_is_counted_by_the_containers_own_interfaces(host):
    if not shutil.which("nsenter"):
        pytest.skip("no nsenter (Debian package util-linux) on this machine")
    container = start(host, "wait-signal")
    namespace = f"--net=/proc/{host.state(container)['pid']}/ns/net"
    subprocess.run(["nsenter", namespace, sys.executable, "-c", TRANSFER, str(10 * MIB)],
                   check=True, timeout=60)
    lo, = (one for one in stats(host, container)["network_interfaces"] if one["Name"] == "lo")
    assert lo["RxBytes"] == pytest.approx(10 * MIB, rel=0.05)
    assert lo["TxBytes"] == lo["RxBytes"]
    assert lo["RxPackets"] > 0 and lo["RxErrors"] == lo["TxErrors"] == 0


def test_interfaces_of_the_host_are_not_the_containers(host):
    container = start(host, "wait-signal", change=lambda bundle: bundle.share("network"))
    assert stats(host, container)["network_interfaces"] is None


def test_a_direct_write_is_counted(host):
    container = start(host, shell=(
        "/busybox dd if=/dev/zero of=/tmp/file bs=1M count=10 oflag=direct 2> /tmp/error && "
        "/busybox touch /tmp/done; exec /busybox sleep 1000"))
    rootfs = pathlib.Path(host.state(container)["rootfs"])
    wait_until((rootfs / "tmp/error").exists, "the write does not begin")
    wait_until(lambda: (rootfs / "tmp/done").exists() or
               "invalid" in (rootfs / "tmp/error").read_text().lower(),
               "the write does not end")
    if not (rootfs / "tmp/done").exists():
        pytest.skip("the file system of the test's directory has no direct writes")
    block_io = counted(stats(host, container), "blkio")
    written = sum(one["value"] for one in block_io["ioServiceBytesRecursive"]
                  if one["op"] == "Write")
    operations = sum(one["value"] for one in block_io["ioServicedRecursive"]
                     if one["op"] == "Write")
    if not block_io["ioServiceBytesRecursive"]:
        pytest.skip("this kernel's block devices do not count by cgroup")
    assert written >= 10 * MIB
    assert operations > 0


def test_events_come_at_every_interval_until_the_container_ends(host):
    container = start(host, "wait-signal")
    events = host.start_process("events", "--interval", "50ms", container, stdout=subprocess.PIPE)
    lines = [json.loads(events.stdout.readline()) for _ in range(3)]
    assert [line["type"] for line in lines] == ["stats"] * 3
    assert all(line["id"] == container and line["data"]["pids"] for line in lines)
    host.ok("kill", container, "KILL")
    assert events.wait(timeout=20) == 0
    events.stdout.close()


def test_running_out_of_memory_is_an_event(host):
    container = host.new_id()
    bundle = host.bundle()
    bundle.use_shell("/busybox sleep 1000 & read line < /tmp/go; /witness memory 64; "
                     "exec /busybox sleep 1000")
    os.mkfifo(bundle.rootfs / "tmp/go")
    bundle.config["linux"]["resources"] = {"memory": {"limit": 16 * MIB, "swap": 16 * MIB}}
    bundle.save()
    host.ok("run", "-d", "-b", bundle.directory, container)
    counted(stats(host, container), "memory")
    log = host.directory / "events"
    with log.open("wb") as out:
        events = host.start_process("events", "--interval", "100ms", container, stdout=out)
    wait_until(lambda: "stats" in log.read_text(), "no events come")
    (bundle.rootfs / "tmp/go").write_text("go\n")
    wait_until(lambda: '"oom"' in log.read_text(), "the end of memory is not told")
    line = next(line for line in log.read_text().splitlines() if '"oom"' in line)
    assert json.loads(line) == {"type": "oom", "id": container}
    host.ok("delete", "--force", container)
    assert events.wait(timeout=20) == 0


def test_what_events_refuses(host):
    container = start(host, "wait-signal")
    for interval in ("0", "0s", "fast", "-1s", ""):
        done = host.knarr("events", "--interval", interval, container)
        assert done.returncode == 2, interval
    host.ok("kill", container, "KILL")
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    assert "is stopped" in host.refused("events", "--stats", container)
    assert "is stopped" in host.refused("events", container)
    assert "does not exist" in host.refused("events", host.new_id())


def test_it_has_the_members_that_runcs_has(host):
    runc = shutil.which("runc", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not runc or V2:
        pytest.skip("no runc (Debian package) on this machine, or cgroup v2")
    bundle, container = host.bundle("wait-signal"), host.new_id()
    root = ["--root", str(host.directory / "runc")]
    with open(os.devnull, "r+b") as null:
        made = subprocess.run([runc, *root, "run", "-d", "-b", bundle.directory, container],
                              stdin=null, stdout=null, stderr=null, env=host.environment())
    if made.returncode != 0:
        pytest.skip("runc does not run here")
    try:
        theirs = json.loads(subprocess.run([runc, *root, "events", "--stats", container],
                                           check=True, capture_output=True).stdout)["data"]
    finally:
        subprocess.run([runc, *root, "delete", "--force", container], check=True)
    ours = stats(host, start(host, "wait-signal"))
    assert set(theirs) - {"cpuset"} <= set(ours)
    for part in ("cpu", "memory", "pids"):
        assert {k for k in theirs[part] if k not in ("kernelTCP", "kernel")} <= set(ours[part])
    assert set(theirs["memory"]["usage"]) <= set(ours["memory"]["usage"])
