"""What docker's flags put around the program of an image: seen from inside."""

import json
import os
import pathlib
import re

import pytest

import background
import images
from background import host  # fixtures

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return images.write_layout(tmp_path_factory.mktemp("image") / "box", [images.base_layer()],
                               {"Labels": {"from": "image", "both": "image"}})


def output(host, layout, line, *options):
    return host.good("run", "--rm", "-q", *options, layout, "sh", "-c", line)


def test_files_and_names(host, layout, scratch):
    (scratch / "env").write_text("# mine\nFROM_FILE=a b\nBOTH=file\nOWN\n")
    out = output(
        host, layout,
        'echo "$FROM_FILE|$BOTH|$OWN"; cat /etc/hosts /etc/resolv.conf /proc/mounts; hostname; '
        "id -G; cat /proc/sys/kernel/domainname",
        "--env-file", scratch / "env", "-e", "BOTH=flag", "--add-host", "db:10.1.2.3",
        "--dns", "10.9.9.9", "--dns-search", "lan", "--dns-opt", "ndots:2", "-h", "box",
        "--domainname", "dom", "--tmpfs", "/scratch:size=1m,mode=700", "--shm-size", "2m",
        "--group-add", "audio", "--group-add", "1234")
    assert out.startswith("a b|flag|\n")
    assert "10.1.2.3\tdb\n" in out
    assert "nameserver 10.9.9.9\nsearch lan\noptions ndots:2\n" in out
    assert re.search(r"^tmpfs /scratch tmpfs rw,nosuid,nodev,noexec\S*size=1024k,mode=700", out, re.M)
    assert re.search(r"^shm /dev/shm tmpfs \S*size=2048k", out, re.M)
    assert "\nbox\n" in out and out.endswith("\ndom\n")
    groups = next(line for line in out.splitlines() if re.fullmatch(r"0( \d+)+", line))
    assert {"29", "1234"} <= set(groups.split())


@pytest.mark.parametrize("option, name", [("--hostname", "h\n6.6.6.6 evil"), ("--hostname", "../x"),
                                          ("--domainname", "\x1b[31m"), ("--hostname", "h" * 65),
                                          ("--add-host", "a\vb:10.0.0.1")])
def test_a_name_that_is_none_is_refused(host, layout, option, name):
    refused = host.run("run", "--rm", option, name, layout, "true")
    assert refused.returncode == 125 and option.strip("-").removesuffix("name") in refused.stderr
    assert not any(not text.isprintable() for text in refused.stderr.splitlines())
    assert host.traces() == []


def caps(host, layout, *options):
    status = output(host, layout, "cat /proc/self/status", *options)
    seen = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return int(seen["CapEff"], 16), seen["NoNewPrivs"], seen["Seccomp"]


def test_capabilities_and_filters(host, layout):
    chown, net_admin = 1 << 0, 1 << 12
    plain = caps(host, layout)
    assert plain[0] & chown and not plain[0] & net_admin and plain[1:] == ("1", "2")
    changed = caps(host, layout, "--cap-add", "net_admin", "--cap-drop", "CAP_CHOWN",
                   "--security-opt", "no-new-privileges=false", "--security-opt", "seccomp=unconfined")
    assert changed[0] == plain[0] & ~chown | net_admin and changed[1:] == ("0", "0")
    assert caps(host, layout, "--cap-drop", "all")[0] == 0


def test_sys_admin_may_mount(host, layout):
    line = "mount -t tmpfs none /tmp && echo mounted"
    assert "mounted" in output(host, layout, line, "--cap-add", "SYS_ADMIN")
    assert host.run("run", "--rm", layout, "sh", "-c", line).returncode != 0


def test_privileged_is_what_it_says(host, layout):
    out = output(host, layout, "cat /proc/self/status; cat /proc/mounts; ls /dev; "
                               "mount -t tmpfs none /tmp && echo mounted", "--privileged")
    ours = re.search(r"^CapBnd:\t(\w+)", pathlib.Path("/proc/self/status").read_text(), re.M)[1]
    assert f"CapEff:\t{ours}" in out  # all that this machine lets anybody have
    assert "mounted" in out and re.search(r"^sysfs /sys sysfs rw", out, re.M)
    own = {"stdin", "stdout", "stderr", "console", "hugepages"}
    here = {name for name in os.listdir("/dev") if not os.path.isdir(f"/dev/{name}") and name[0] != "."}
    assert here - own - {"core", "fd", "log", "initctl"} <= set(out.split()) | own


def test_devices(host, layout, scratch):
    out = output(host, layout, "stat -c '%t:%T' /dev/nul; echo x > /dev/nul; ls /dev/net 2>&1; true",
                 "--device", "/dev/null:/dev/nul")
    assert out.startswith("1:3\n")
    (scratch / "file").write_text("")
    for device in (scratch / "file", scratch / "nothing"):
        refused = host.run("run", "--rm", "--device", device, layout, "true")
        assert refused.returncode == 125 and f"--device {device}" in refused.stderr


def test_limits_and_settings_of_the_kernel(host, layout):
    out = output(host, layout, "cat /proc/self/limits /proc/self/oom_score_adj "
                               "/proc/sys/net/ipv4/ip_forward",
                 "--ulimit", "nofile=100:200", "--ulimit", "core=0", "--oom-score-adj", "7",
                 "--sysctl", "net.ipv4.ip_forward=1")
    assert re.search(r"^Max open files +100 +200 ", out, re.M)
    assert out.endswith("\n7\n1\n")
    refused = host.run("run", "--rm", "--sysctl", "kernel.pid_max=1", layout, "true")
    assert refused.returncode == 125 and "kernel.pid_max" in refused.stderr


def test_namespaces_of_the_host(host, layout):
    links = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("pid", "ipc", "uts", "cgroup")}
    line = "ls -l /proc/self/ns"
    shared = output(host, layout, line, "--pid", "host", "--ipc", "host", "--uts", "host",
                    "--cgroupns", "host")
    assert all(f"-> {link}" in shared for link in links.values())
    own = output(host, layout, line)
    assert not any(f"-> {link}" in own for link in links.values())


def test_init_reaps_hands_signals_on_and_ends_as_the_program(host, layout):
    assert host.run("run", "--rm", "--init", layout, "sh", "-c", "exit 7").returncode == 7
    assert host.run("run", "--rm", "--init", layout, "/none").returncode == 127
    container = host.launch(layout, "sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready; (sh -c 'sleep 0 & exec true' &); "
                            "cat /proc/1/comm; while :; do sleep 0.05; done", options=["--init"])
    background.wait_until(lambda: "knarr-init" in host.good("logs", container)
                          or "docker-init" in host.good("logs", container), "no init")
    host.good("stop", container)
    assert host.good("wait", container) == "3\n"
    assert "bye" in host.good("logs", container)


def test_labels_of_the_image_and_of_the_caller(host, layout, scratch):
    (scratch / "labels").write_text("both=file\nfile=1\n")
    container = host.good("create", "-q", "--label", "both=flag", "-l", "bare", "--label-file",
                          scratch / "labels", layout, "true").strip()
    assert host.inspect(container)["Config"]["Labels"] == {
        "from": "image", "both": "flag", "file": "1", "bare": ""}


@pytest.mark.parametrize("words, told", [
    (["--cap-add", "FLY"], "--cap-add"), (["--ulimit", "none=1"], "--ulimit"),
    (["--tmpfs", "/a/../b"], "/a/../b"), (["--security-opt", "magic"], "--security-opt"),
    (["-p", "80"], "--publish"), (["--group-add", "nobody-here"], "nobody-here"),
    (["--env-file", "/none/x"], "--env-file"), (["--memory-swap", "1m"], "--memory-swap"),
])
def test_wrong_values_are_refused_and_leave_nothing(host, layout, words, told):
    for verb in (["run", "--rm"], ["create"]):
        refused = host.run(*verb, *words, layout, "true")
        assert refused.returncode == 125, refused.stderr
        assert told in refused.stderr
    assert host.containers() == []


def test_create_then_start(host, layout):
    container = host.good("create", "-q", "--name", "job", layout, "sh", "-c", "echo done; exit 4").strip()
    assert re.fullmatch(r"[0-9a-f]{64}", container)
    seen = host.inspect("job")["State"]
    assert (seen["Status"], seen["Running"], seen["Pid"]) == ("created", False, 0)
    assert json.loads(host.good("ps", "-a", "--format", "json"))["State"] == "created"
    assert host.good("ps", "-q") == "" and host.monitors() == []
    refused = host.run("exec", "job", "true")
    assert refused.returncode == 1 and "has not run yet" in refused.stderr
    assert host.good("start", "job") == "job\n"
    assert host.good("wait", "job") == "4\n"
    assert host.good("logs", "job") == "done\n"
    assert host.good("rm", "job") == "job\n"


def test_a_created_one_that_cannot_start_stays_created(host, layout):
    container = host.good("create", "-q", layout, "/none").strip()
    failed = host.run("start", container)
    assert failed.returncode != 0 and "/none" in failed.stderr
    assert host.state(container)["Status"] == "created"


def test_several_at_once(host, layout):
    ids = [host.launch(layout, "sleep", "1000", options=["--name", name]) for name in ("a", "b")]
    assert host.good("pause", "a", "b") == "a\nb\n"
    assert [host.state(one)["Status"] for one in ids] == ["paused"] * 2
    assert host.good("unpause", "a", "b") == "a\nb\n"
    mixed = host.run("kill", "a", "nobody-here")
    assert mixed.returncode != 0 and "nobody-here" in mixed.stderr
    assert host.good("kill", "a", "b") == "a\nb\n"
    assert [host.good("wait", one) for one in ids] == ["137\n"] * 2
    assert host.good("rm", "-f", "a", "b", "nobody-here") == "a\nb\n"


def test_the_programs_own_settings(host, layout):
    line = "umask; uname -m; grep -c ' /etc/hosts ' /proc/mounts; touch /tmp/x"
    done = host.run("run", "--rm", "-q", "--umask", "0077", "--personality", "LINUX32", "--no-hosts",
                    "--read-only", "--read-only-tmpfs=false", layout, "sh", "-c", line)
    assert done.stdout.splitlines()[::2] == ["0077", "0"]
    assert done.stdout.splitlines()[1] != os.uname().machine, "it does not call itself a 32-bit one"
    assert done.returncode == 1 and "Read-only" in done.stderr
    assert "PATH=" not in host.good("run", "--rm", "-q", "--unsetenv", "PATH", layout, "/bin/env")
    bare = host.good("run", "--rm", "-q", "--unsetenv-all", "-e", "A=1", layout, "/bin/env")
    assert bare == "A=1\nHOME=/root\n"  # which the runtime takes from /etc/passwd where nobody set it
    old = os.umask(0)
    try:
        assert output(host, layout, "umask") == "0022\n", "the caller's umask came in"
    finally:
        os.umask(old)


def test_only_chosen_streams_are_the_callers(host, layout):
    def run(*options):
        done = host.run("run", "--rm", "-q", *options, layout, "sh", "-c",
                        "cat; echo out; echo err >&2", input="in\n")
        assert done.returncode == 0
        return done.stdout, done.stderr
    assert run() == ("out\n", "err\n")
    assert run("-i") == ("in\nout\n", "err\n")
    assert run("-a", "stdout") == ("out\n", "")
    assert run("-a", "stderr", "--attach", "stdin") == ("", "err\n")
    refused = host.run("run", "-d", "-a", "stdout", layout, "true")
    assert refused.returncode == 125 and "--detach" in refused.stderr
    host.end()


def disk():
    """A whole block device of this machine, as its path and its number."""
    for name in sorted(os.listdir("/sys/block")):
        path = pathlib.Path("/dev", name)
        if path.is_block_device() and not name.startswith(("loop", "zram", "ram")):
            return str(path), (pathlib.Path("/sys/block") / name / "dev").read_text().strip()
    pytest.skip("no block device on this machine")


def cgroup_file(host, container, controller, v1, v2):
    """What stands in a file of its cgroup."""
    lines = pathlib.Path(f"/proc/{host.state(container)['Pid']}/cgroup").read_text().splitlines()
    for line in lines:
        _, names, path = line.split(":", 2)
        if names == "" and pathlib.Path(f"/sys/fs/cgroup{path}/{v2}").exists():
            return path, pathlib.Path(f"/sys/fs/cgroup{path}/{v2}").read_text()
        if controller in names.split(","):
            return path, pathlib.Path(f"/sys/fs/cgroup/{controller}{path}/{v1}").read_text()
    pytest.skip(f"no cgroup with {controller}")


def test_limits_of_single_disks(host, layout):
    path, number = disk()
    box = host.launch(layout, "sleep", "100", options=(
        "--device-read-bps", f"{path}:100m", "--device-write-bps", f"{path}:200m",
        "--device-read-iops", f"{path}:10000", "--device-write-iops", f"{path}:20000"))  # its end reads, too
    wanted = {"read_bps": "104857600", "write_bps": "209715200", "read_iops": "10000", "write_iops": "20000"}
    for name, rate in wanted.items():
        _, text = cgroup_file(host, box, "blkio", f"blkio.throttle.{name}_device", "io.max")
        key = name[0] + name.split("_")[1]
        assert text in (f"{number} {rate}\n",) or f"{key}={rate}" in text, text
    for option, value in (("--device-read-bps", "/dev/null:1m"), ("--device-read-bps", "/dev/nothing:1m"),
                          ("--blkio-weight-device", "/etc/passwd:100")):
        refused = host.run("run", "--rm", option, value, layout, "true")
        assert refused.returncode == 125 and option in refused.stderr and "lsblk" in refused.stderr
    host.end()


def test_a_rule_lets_a_device_be_opened(host, layout):
    # No driver has this number: the cgroup is asked first, and says another thing than the driver.
    line = "mknod /tmp/x c 1 250; : < /tmp/x"
    def message(*options):
        return host.run("run", "--rm", "-q", "--cap-add", "MKNOD", *options, layout, "sh", "-c", line).stderr
    assert "Operation not permitted" in message()
    assert "No such device" in message("--device-cgroup-rule", "c 1:250 rw")
    refused = host.run("run", "--rm", "--device-cgroup-rule", "c 1:11", layout, "true")
    assert refused.returncode == 125 and "c 42:* rmw" in refused.stderr


def test_a_cgroup_lies_in_its_parent(host, layout):
    parent = f"knarr-parent-{os.getpid()}"
    box = host.launch(layout, "sleep", "100", options=("--cgroup-parent", parent))
    path, _ = cgroup_file(host, box, "pids", "pids.max", "pids.max")
    assert path == f"/{parent}/{box}"
    host.good("rm", "-f", box)
    for place in ("/sys/fs/cgroup", *pathlib.Path("/sys/fs/cgroup").iterdir()):
        left = pathlib.Path(place, parent)
        if left.is_dir():
            assert not [one for one in left.iterdir() if one.is_dir()]
            left.rmdir()  # the caller's: docker leaves it, too
    refused = host.run("run", "--rm", "--cgroup-parent", "web.slice", layout, "true")
    assert refused.returncode != 0 and "--systemd-cgroup" in refused.stderr
    refused = host.run("run", "--rm", "--cgroup-parent", "../x", layout, "true")
    assert refused.returncode == 125 and "--cgroup-parent" in refused.stderr
    host.end()


@pytest.mark.skipif(not os.path.exists("/sys/fs/cgroup/memory"), reason="cgroup v1 alone has it")
def test_out_of_memory_it_waits(host, layout):
    box = host.launch(layout, "sleep", "100", options=("--oom-kill-disable", "--memory", "64m"))
    _, text = cgroup_file(host, box, "memory", "memory.oom_control", "memory.oom_control")
    assert "oom_kill_disable 1" in text
    refused = host.run("run", "--rm", "--oom-kill-disable", layout, "true")
    assert refused.returncode == 125 and "--memory" in refused.stderr
    host.end()
