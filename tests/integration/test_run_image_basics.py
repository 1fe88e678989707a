"""`knarr run IMAGE`: Docker's words, safe defaults, exit codes, and nothing left behind."""

import json
import os
import signal
import subprocess
import time

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    second = images.Layer().add("etc/second", b"from the second layer\n").bytes()
    return images.write_layout(
        tmp_path_factory.mktemp("image") / "box", [images.base_layer(), second],
        {"Cmd": ["/bin/sh", "-c", "echo default command"], "Env": ["FROM_IMAGE=yes", "BOTH=image"],
         "Labels": {"run.oci.handler": "/bin/false"}})


@pytest.fixture
def host(knarr_path, scratch):
    host = images.Host(knarr_path, scratch)
    yield host
    for container in host.containers():
        host.run("delete", "--force", container["id"])
    assert host.traces() == []


def sh(host, layout, script, *options, **kwargs):
    return host.run("run", "--rm", "-q", *options, layout, "sh", "-c", script, **kwargs)


def test_the_images_command_runs_and_its_output_is_ours(host, layout):
    result = host.run("run", "--rm", layout)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "default command\n"
    assert host.traces() == []


@pytest.mark.parametrize("code", [0, 1, 7, 125, 255])
def test_the_exit_code_is_the_programs(host, layout, code):
    assert sh(host, layout, f"exit {code}").returncode == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_is_128_and_its_number(host, layout, number):
    # A shell as pid 1 gets no default action from within; its child does, and it passes 128+n on.
    assert sh(host, layout, f"sh -c 'kill -{int(number)} $$'; exit $?").returncode == 128 + number


def test_stdin_is_passed_on_and_streams_stay_apart(host, layout):
    result = sh(host, layout, "cat; echo error >&2", "-i", input="line\n")
    assert result.stdout == "line\n"
    assert result.stderr == "error\n"


def test_signals_are_passed_on(host, layout):
    process = subprocess.Popen(
        host.command("run", "--rm", "-q", layout, "sh", "-c",
                     "trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.1; done"),
        stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[0] == "got it\n"
    assert process.returncode == 9


def test_env_is_the_images_and_the_callers_and_never_the_hosts(host, layout):
    env = dict(os.environ, SECRET_OF_HOST="leak", WANTED="mine")
    out = host.good("run", "--rm", "-q", "-e", "BOTH=caller", "-e", "WANTED", "-e", "EMPTY=",
                    layout, "env", env=env)
    lines = out.splitlines()
    for line in ("FROM_IMAGE=yes", "BOTH=caller", "WANTED=mine", "EMPTY=", "HOME=/root",
                 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"):
        assert line in lines
    assert "SECRET_OF_HOST" not in out


@pytest.mark.parametrize("user, expected", [
    ("web", "uid=1000(web) gid=1001(web) groups=29(audio),44(video)"),
    ("1000", "uid=1000(web) gid=1001(web) groups=29(audio),44(video)"),
    ("web:audio", "uid=1000(web) gid=29(audio)"),
    ("4242:77", "uid=4242 gid=77"),
    ("", "uid=0(root) gid=0(root)"),
])
def test_users_are_those_of_the_image(host, layout, user, expected):
    out = sh(host, layout, "id; echo $HOME", *(["-u", user] if user else []))
    assert out.returncode == 0, out.stderr
    assert out.stdout.splitlines()[0].startswith(expected)


@pytest.mark.parametrize("user", ["nobody-here", "4294967295", "4294967296", "huge", "web:none",
                                  "-1", "0:4294967296"])
def test_users_that_cannot_be_are_refused(host, layout, user):
    result = sh(host, layout, "id", f"--user={user}")
    assert result.returncode == 125
    assert host.traces() == []


def test_the_working_directory_is_made_when_missing(host, layout):
    assert sh(host, layout, "pwd", "-w", "/made/for/me").stdout == "/made/for/me\n"


def test_entrypoint_replaces_the_images_command(host, layout):
    out = host.good("run", "--rm", "-q", "--entrypoint", "/bin/echo", layout, "a", "--rm", "-e")
    assert out == "a --rm -e\n"


def test_layers_are_stacked(host, layout):
    assert sh(host, layout, "cat /etc/second /etc/os-release").stdout == \
        "from the second layer\nID=knarr-test\n"


def test_each_container_writes_into_its_own_layer(host, layout):
    assert sh(host, layout, "echo changed > /etc/os-release; cat /etc/os-release").stdout == \
        "changed\n"
    assert sh(host, layout, "cat /etc/os-release").stdout == "ID=knarr-test\n"


def test_volumes_are_shown_and_read_only_ones_cannot_be_written(host, layout, scratch):
    shared = scratch / "shared"
    shared.mkdir()
    (shared / "file").write_text("of the host\n")
    out = sh(host, layout, "cat /mnt/a/file; echo new > /mnt/a/made; touch /mnt/b/x || echo no",
             "-v", f"{shared}:/mnt/a", "-v", f"{shared}:/mnt/b:ro")
    assert out.stdout == "of the host\nno\n"
    assert (shared / "made").read_text() == "new\n"
    relative = subprocess.run(host.command("run", "--rm", "-q", "-v", "./shared:/m", layout, "cat",
                                           "/m/file"),
                              cwd=scratch, capture_output=True, text=True, check=False)
    assert relative.stdout == "of the host\n"


@pytest.mark.parametrize("volume, word", [
    ("/dev/null/knarr:/x", "volume source"), ("na me:/x", "no volume's name"),
    ("/tmp:relative", "absolute"), ("/tmp:/", "root directory"), ("/tmp:/a/../b", ".."),
    ("/tmp:/x:bad", "unknown option"),
])
def test_bad_volumes_are_refused(host, layout, volume, word):
    result = sh(host, layout, "true", "-v", volume)
    assert result.returncode == 125
    assert word in result.stderr
    assert host.traces() == []


def test_read_only_leaves_only_scratch_writable(host, layout):
    out = sh(host, layout, "touch /x || echo root; touch /etc/hosts.new || echo etc; "
                           "touch /tmp/a /run/b /var/tmp/c && echo scratch", "--read-only")
    assert out.stdout == "root\netc\nscratch\n"


def test_the_network_is_loopback_alone(host, layout):
    out = sh(host, layout, "cat /proc/net/dev | wc -l; cat /etc/resolv.conf")
    assert out.stdout.splitlines()[0].strip() == "3"  # two lines of head and lo
    assert "nameserver" not in out.stdout


def test_each_user_may_listen_anywhere_and_ping_in_a_network_of_its_own(host, layout):
    show = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /proc/sys/net/ipv4/ping_group_range"
    out = sh(host, layout, """
        echo heard | nc -l -p 80 &
        for _ in $(seq 100); do grep -q ":0050 " /proc/net/tcp /proc/net/tcp6 && break; sleep 0.05; done
        nc 127.0.0.1 80 < /dev/null; """ + show, "--user", "1000:1000")
    assert out.stdout.split() == ["heard", "0", "0", "2147483647"], out
    out = sh(host, layout, show, "--sysctl", "net.ipv4.ip_unprivileged_port_start=80")
    assert out.stdout.split()[0] == "80", out
    assert sh(host, layout, "true", "--network", "host").returncode == 0


def test_host_network_is_the_hosts(host, layout):
    mine = os.readlink("/proc/self/ns/net")
    out = sh(host, layout, "stat -L -c %i /proc/self/ns/net", "--network", "host")
    assert out.stdout.strip() in mine


def test_safe_defaults_hold(host, layout):
    out = sh(host, layout, """
        grep -E '^(CapEff|CapBnd|CapInh|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status
        touch /proc/sys/kernel/hostname 2>/dev/null && echo sysctl writable
        echo x > /sys/fs/cgroup/x 2>/dev/null && echo cgroup writable
        head -c 1 /proc/keys | wc -c
        ls /sys/firmware | wc -l
        mount -t tmpfs x /tmp 2>/dev/null && echo mounted
        true""")
    assert out.returncode == 0, out.stderr
    lines = out.stdout.splitlines()
    status = dict(line.split(":\t") for line in lines if ":\t" in line)
    assert status["CapEff"] == status["CapBnd"] == "00000000800405fb"  # the eleven
    assert status["CapInh"] == status["CapAmb"] == "0000000000000000"
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert [line.strip() for line in lines if ":\t" not in line] == ["0", "0"]


def test_another_user_has_no_capabilities(host, layout):
    out = sh(host, layout, "grep -E '^Cap(Eff|Prm):' /proc/self/status", "-u", "web")
    assert set(line.split("\t")[1] for line in out.stdout.splitlines()) == {"0000000000000000"}


def test_names_are_resolved_in_the_container(host, layout):
    out = sh(host, layout, "hostname; cat /etc/hostname; cat /etc/hosts", "--hostname", "ship")
    lines = out.stdout.splitlines()
    assert lines[:2] == ["ship", "ship"]
    assert "127.0.0.1\tlocalhost ship" in lines


@pytest.mark.parametrize("words, status", [(["/bin/nothing"], 127), (["nothing"], 127),
                                           (["/etc"], 126), (["/etc/passwd"], 126)])
def test_a_program_that_cannot_run_is_126_or_127(host, layout, words, status):
    result = host.run("run", "--rm", "-q", layout, *words)
    assert result.returncode == status, result.stderr
    assert words[0] in result.stderr
    assert host.traces() == []


@pytest.mark.parametrize("kind", ["microvm", "wasm", "host"])
def test_isolation_that_is_not_built_is_a_typed_error(host, layout, kind):
    result = sh(host, layout, "true", "--isolation", kind)
    assert result.returncode == 125
    assert kind in result.stderr
    assert host.traces() == []


def test_what_comes_later_is_said(host, layout):
    result = sh(host, layout, "true", "--publish", "80:80")
    assert result.returncode == 125
    assert "--publish" in result.stderr and "network" in result.stderr


def test_without_rm_the_container_stays_with_its_exit_code(host, layout):
    assert host.run("run", "-q", "--name", "kept", layout, "sh", "-c", "exit 3").returncode == 3
    (container,) = host.containers()
    assert container["status"] == "stopped"
    assert container["exitCode"] == 3
    assert container["name"] == "kept"
    assert container["pid"] == 0
    config = json.loads((host.data / "containers" / container["id"] / "config.json").read_text())
    assert config["process"]["noNewPrivileges"] is True
    assert "annotations" not in config or "run.oci.handler" not in config["annotations"]
    host.good("delete", container["id"])
    assert host.traces() == []
    assert images.cgroups_of(container["id"]) == []


def test_a_name_is_taken_until_its_container_is_gone(host, layout):
    host.run("run", "-q", "--name", "one", layout, "true")
    taken = host.run("run", "-q", "--name", "one", layout, "true")
    assert taken.returncode == 125
    assert 'name "/one" is already in use' in taken.stderr
    assert len(host.containers()) == 1


def test_of_two_runs_with_one_name_at_once_one_wins(host, layout):
    host.good("pull", "-q", layout)
    processes = [subprocess.Popen(host.command("run", "-q", "--name", "dup", layout, "sleep", "1"),
                                  stderr=subprocess.PIPE, text=True) for _ in range(4)]
    results = [process.communicate(timeout=60)[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 125, 125, 125]
    assert sum("is already in use" in text for text in results) == 3


def test_an_image_without_a_command_says_so(host, scratch):
    bare = images.write_layout(scratch / "bare", [images.base_layer()])
    result = host.run("run", "--rm", bare)
    assert result.returncode == 125
    assert "names no program" in result.stderr


def test_an_image_that_is_not_stored_is_not_pulled_when_never_is_asked(host):
    result = host.run("run", "--rm", "--pull", "never", "localhost:1/nothing:here", "true")
    assert result.returncode == 125
    assert "nothing" in result.stderr


def test_a_killed_run_leaves_nothing_that_delete_does_not_remove(host, layout):
    process = subprocess.Popen(host.command("run", "--rm", "-q", layout, "sh", "-c",
                                            "echo up; sleep 100"),
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    deadline = time.monotonic() + 10
    while host.containers()[0]["status"] != "running":  # its starter may still be writing that
        assert time.monotonic() < deadline
    process.kill()
    process.wait()
    (container,) = host.containers()
    assert container["status"] == "running"  # the container does not depend on its starter
    host.good("delete", "--force", container["id"])
    assert host.traces() == []


def test_plan_of_an_image_prints_and_does_nothing(host, layout):
    host.good("pull", "-q", layout)
    plan = json.loads(host.good("plan", "localhost/box", "--json"))
    assert plan
    assert host.traces() == []


def test_names_and_beginnings_of_ids_stand_for_the_container(host, layout):
    host.run("run", "-q", "--name", "ship", layout, "true")
    (container,) = host.containers()
    for spelling in ("ship", container["id"], container["id"][:20]):
        assert json.loads(host.good("state", spelling))["id"] == container["id"]
    assert host.run("state", "shi").returncode == 1
    assert host.run("state", container["id"][:1]).returncode == 1  # too short to be meant
    assert host.run("delete", "--force", container["id"][:1]).returncode == 0
    assert len(host.containers()) == 1
    host.good("delete", "ship")
    assert host.traces() == []


def test_a_beginning_that_fits_two_is_refused(host, layout):
    for name in ("one", "two"):
        host.run("run", "-q", "--name", name, layout, "true")
    one, two = (container["id"] for container in host.containers())
    common = os.path.commonprefix([one, two])
    if len(common) < 8:
        pytest.skip("the two IDs have too little in common")
    refused = host.run("state", common)
    assert refused.returncode == 2
    assert one in refused.stderr and two in refused.stderr
