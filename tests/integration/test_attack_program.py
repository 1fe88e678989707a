"""Programs and images that try to reach the host from inside: descriptors, cwd, the runtime's own
file, capabilities, system calls, cgroups, the gate, names that are control data.
"""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import images
import pytest
from oci import Host, alive, wait_until

NOBODY = 65534


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    config = {"Env": ["FROM_IMAGE=1", "SECRET_OF_THE_HOST"],
              "Labels": {"run.oci.hooks.stdout": "/tmp/x", "org.opencontainers.hook": "/bin/evil",
                         "io.containerd.restart": "binary:///bin/evil"}}
    return images.write_layout(tmp_path_factory.mktemp("image") / "box", [images.base_layer()],
                               config)


@pytest.fixture
def image_host(knarr_path, scratch, needs_root):
    host = images.Host(knarr_path, scratch)
    yield host
    assert host.traces() == []


def in_image(host, witness, layout, *words):
    """Runs the witness in a container with knarr's own defaults."""
    return host.good("run", "--rm", "-q", "-v", f"{witness}:/witness:ro", layout, "/witness", *words)


def all_capabilities(bundle):
    names = pathlib.Path("/usr/include/linux/capability.h")
    if not names.exists():
        pytest.skip("needs linux/capability.h (Debian package linux-libc-dev)")
    words = [line.split()[1] for line in names.read_text().splitlines()
             if line.startswith("#define CAP_") and line.split()[-1].isdigit()]
    bundle.config["process"]["capabilities"] = {
        kind: words for kind in ("bounding", "effective", "permitted")}
    bundle.save()


@pytest.mark.parametrize("number", [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20])
@pytest.mark.parametrize("through", ["config", "link"])
def test_a_working_directory_that_is_a_descriptor(host, number, through):
    # CVE-2024-21626: a leaked descriptor of the host's / became the working directory.
    leaked = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    os.dup2(leaked, 20)
    bundle = host.bundle("process", "list", ".", "list", "../../../../..")
    target = f"/proc/self/fd/{number}"
    if through == "link":
        (bundle.rootfs / "work").symlink_to(target)
        target = "/work"
    bundle.config["process"]["cwd"] = target
    bundle.save()
    try:
        done = host.knarr("run", "-b", bundle.directory, host.new_id(),
                          pass_fds=[20, leaked])
    finally:
        os.close(leaked)
        os.close(20)
    if done.returncode == 0:  # the descriptor of the container's own root
        assert "cwd=/\n" in done.stdout and "list:.=dev proc tmp witness" in done.stdout
    else:
        assert "working directory" in done.stderr, done.stderr
    host.assert_clean()


def test_no_descriptor_of_the_caller_or_the_runtime_comes_in(host):
    leaked = [os.open("/", os.O_RDONLY) for _ in range(4)]
    bundle = host.bundle("fds")
    try:
        done = host.ok("run", "-b", bundle.directory, host.new_id(), pass_fds=leaked)
    finally:
        for fd in leaked:
            os.close(fd)
    fds = {line.split("=")[0] for line in done.stdout.splitlines() if line.startswith("fd.")}
    assert fds == {"fd.0", "fd.1", "fd.2"}, done.stdout


def own_copy(host):
    """A knarr of the test's own, so that a lost battle harms nothing."""
    copy = host.directory / "knarr"
    shutil.copy2(host.knarr_path, copy)
    host.knarr_path = copy
    return copy, hashlib.sha256(copy.read_bytes()).digest()


@pytest.mark.parametrize("entry", ["direct", "link", "script"])
def test_the_program_proc_self_exe_is_not_the_runtime(host, entry):
    # CVE-2019-5736: the runtime executed itself inside and was then open to be overwritten.
    copy, digest = own_copy(host)
    bundle = host.bundle("ids")
    all_capabilities(bundle)
    program = "/proc/self/exe" if entry == "direct" else "/evil"
    if entry == "link":
        (bundle.rootfs / "evil").symlink_to("/proc/self/exe")
    elif entry == "script":
        (bundle.rootfs / "evil").write_text("#!/proc/self/exe --version\n")
        (bundle.rootfs / "evil").chmod(0o755)
    bundle.config["process"]["args"] = [program, "--version"]
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id(), timeout=20)
    assert "knarr" not in done.stdout, "the host's runtime ran inside the container"
    assert hashlib.sha256(copy.read_bytes()).digest() == digest
    host.assert_clean()


def test_nothing_that_an_exec_maps_leads_to_a_file_that_can_be_written(host):
    # A container that shares the runtime's pid namespace looks at it in /proc: the program itself,
    # and each file that is mapped.
    bundle = host.bundle("sleep", "1000")
    first = host.new_id()
    host.ok("run", "--detach", "-b", bundle.directory, first)
    runtime = host.start_process("exec", first, "/witness", "sleep", "1000")

    def is_read_only(path):
        return os.statvfs(path).f_flag & os.ST_RDONLY

    try:
        wait_until(lambda: is_read_only(f"/proc/{runtime.pid}/exe"), "the program stays writable")
        mapped = list(pathlib.Path(f"/proc/{runtime.pid}/map_files").iterdir())
        assert mapped and all(is_read_only(file) for file in mapped)
    finally:
        runtime.kill()
        runtime.wait()
        host.ok("delete", "--force", first)


def test_the_runtime_is_not_seen_through_proc_by_a_container_that_is_joined(host):
    # The program of a container looks for the runtime that enters its pid namespace.
    copy, digest = own_copy(host)
    thief = host.bundle("steal-exe", "3")
    first = host.new_id()
    host.ok("create", "-b", thief.directory, first)
    pid = host.state(first)["pid"]
    host.ok("start", first)
    guest = host.bundle("out", "guest")
    for one in guest.config["linux"]["namespaces"]:
        if one["type"] == "pid":
            one["path"] = f"/proc/{pid}/ns/pid"
    guest.save()
    for _ in range(15):
        host.knarr("run", "-b", guest.directory, host.new_id())
    text = ""
    wait_until(lambda: not alive(pid), "the thief goes on")
    for entry in host.directory.glob("out*"):
        text += entry.read_text()
    assert "looked=1" in text, text
    assert f"stolen={copy.stat().st_ino}\n" not in text, text
    assert hashlib.sha256(copy.read_bytes()).digest() == digest
    host.destroy()
    host.assert_clean()


def test_nothing_to_inherit_in_containers_from_images(image_host, witness_path, layout):
    # CVE-2022-29162, CVE-2022-27650: inheritable capabilities survive an exec of a marked file.
    text = in_image(image_host, witness_path, layout, "caps")
    sets = dict(line.split("=") for line in text.splitlines())
    assert int(sets["cap_inheritable" if "cap_inheritable" in sets else "inheritable"], 16) == 0
    assert int(sets["cap_ambient" if "cap_ambient" in sets else "ambient"], 16) == 0


@pytest.mark.parametrize("user", ["4294967296", "4294967295", "0x0", "-1", "1000:4294967296", "1e3",
                                  "+0", "18446744073709551616"])
def test_a_user_that_overflows_is_refused_not_wrapped(image_host, layout, user):
    # CVE-2024-40635: 4294967296 wrapped to root; CVE-2026-30892: a bad number became 0.
    done = image_host.run("run", "--rm", "-q", "-u", user, layout, "id", "-u")
    assert done.returncode == 125 and done.stdout == "", done.stdout


@pytest.mark.parametrize("field", ["uid", "gid"])
@pytest.mark.parametrize("value", [4294967295, 4294967296, -1])
def test_a_user_of_config_json_that_overflows(host, field, value):
    bundle = host.bundle("ids")
    bundle.config["process"]["user"][field] = value
    bundle.save()
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert f"process.user.{field}" in message
    host.assert_clean()


# What a container may not reach without asking: kernel 2026-31431 (AF_ALG) and calls that escapes
# of the last years began with. Numbers are those of x86-64.
REFUSED_CALLS = {"add_key": 248, "bpf": 321, "fanotify_init": 300, "fsopen": 430,
                 "init_module": 175, "io_uring_setup": 425, "kexec_load": 246, "keyctl": 250,
                 "mount_setattr": 442, "move_mount": 429, "open_by_handle_at": 304,
                 "open_tree": 428, "perf_event_open": 298, "pivot_root": 155, "request_key": 249,
                 "setns": 308, "swapon": 167, "syslog": 103, "umount2": 166, "unshare": 272,
                 "userfaultfd": 323}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86-64")
def test_dangerous_calls_are_denied_by_default(image_host, witness_path, layout):
    words = [word for number in REFUSED_CALLS.values() for word in ("try", str(number))]
    text = in_image(image_host, witness_path, layout, *words)
    got = dict(line.removeprefix("try:").split("=") for line in text.splitlines())
    assert got == {str(number): "EPERM" for number in REFUSED_CALLS.values()}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the 32-bit calls are those of x86")
def test_af_alg_and_vsock_are_denied_by_default_in_every_way_a_filter_sees(image_host, witness_path,
                                                                           layout):
    text = in_image(image_host, witness_path, layout, "try", "af-alg", "try", "af-vsock",
                    "socket32", "38", "socket32", "40", "socket-wide", "38", "socket-wide", "40",
                    "socketcall32", "1", "socket32", "10")
    got = dict(line.split("=") for line in text.splitlines())
    for key in ("try:af-alg", "try:af-vsock", "socket32:38", "socket32:40", "socket-wide:38",
                "socket-wide:40"):
        assert got[key] == "EPERM", text
    # 32-bit programs of old C libraries make every socket by socketcall: it stays (docs/security.md).
    assert got["socketcall32:1"] == "ok", text
    assert got["socket32:10"] != "EPERM", text


def cgroup_folders():
    return {path for path, _, _ in os.walk("/sys/fs/cgroup")}


@pytest.mark.parametrize("with_namespace", [True, False])
def test_a_container_writes_into_its_own_cgroup_only(host, with_namespace):
    # CVE-2023-25809, and release_agent of old: the host's tree is not to be had.
    bundle = host.bundle()
    bundle.config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup",
                                    "source": "cgroup"})
    (bundle.rootfs / "sys/fs/cgroup").mkdir(parents=True)
    if with_namespace:
        bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
    script = ("cd /sys/fs/cgroup; for d in . */; do /busybox mkdir $d/escaped 2>/dev/null; "
              "echo /x > $d/release_agent; done 2>/dev/null; /busybox find . -name 'kt*'; "
              "/busybox sleep 0.1")
    bundle.use_shell(script)
    bundle.save()
    agents = {path: path.read_text() for path in pathlib.Path("/sys/fs/cgroup").glob(
        "*/release_agent")}
    before = cgroup_folders()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert done.returncode == 0, done.stderr
    assert "kt" not in done.stdout, "the container sees the host's tree"
    assert {path for path in cgroup_folders() - before if "escaped" in path} == set()
    assert {path: path.read_text() for path in agents} == agents
    host.assert_clean()


@pytest.mark.parametrize("point", ["prestart", "createRuntime", "createContainer", "poststart",
                                   "poststop"])
def test_no_binary_of_the_image_runs_on_the_host(host, point):
    # CVE-2022-1227, CVE-2019-14271: a host tool executed what the image has at the same path.
    bundle = host.bundle("out", "ran")
    canary = host.directory / "canary"
    (bundle.rootfs / "hooks").mkdir()
    evil = bundle.rootfs / "hooks/only-in-the-image"
    evil.write_text(f"#!/bin/sh\ntouch {canary}\n")
    evil.chmod(0o755)
    bundle.hook(point, "/hooks/only-in-the-image")
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert not canary.exists(), "a file of the image was executed on the host"
    assert "/hooks/only-in-the-image" in done.stderr
    host.assert_clean()


def test_the_hosts_environment_stays_outside(image_host, host, witness_path, layout):
    # CVE-2026-57231: an image's Env entry without a value took the host's.
    secret = {**os.environ, "SECRET_OF_THE_HOST": "treasure"}
    done = image_host.run("run", "--rm", "-q", "-v", f"{witness_path}:/witness:ro", layout,
                          "/witness", "env", env=secret)
    assert "FROM_IMAGE=1" in done.stdout and "treasure" not in done.stdout, done.stdout
    bundle = host.bundle("env")
    os.environ["SECRET_OF_THE_HOST"] = "treasure"
    try:
        done = host.ok("run", "-b", bundle.directory, host.new_id())
    finally:
        del os.environ["SECRET_OF_THE_HOST"]
    assert "treasure" not in done.stdout


def test_labels_of_an_image_are_no_annotations(image_host, layout):
    # containerd 2026-53488: a label became control data. Hooks and annotations come from the caller.
    image_host.good("run", "-q", "--name", "labels", layout, "true")
    configs = list((image_host.data / "containers").glob("*/config.json"))
    assert configs
    for path in configs:
        config = json.loads(path.read_text())
        assert "hooks" not in config or not config["hooks"]
        assert not any(key.startswith(("run.oci", "io.containerd", "org.opencontainers.hook"))
                       for key in config.get("annotations", {}))
    image_host.good("delete", "labels")


@pytest.mark.parametrize("key", [
    "kernel.core_pattern", "kernel/core_pattern", "net.ipv4/../../kernel/core_pattern",
    "net/../kernel/core_pattern", "net.ipv4.ip_forward\n", "/kernel/core_pattern", "vm.overcommit",
    "kernel.shm_rmid_forced+kernel.core_pattern", "fs.mqueue.../kernel.core_pattern", "net..", "net/"])
def test_a_sysctl_is_no_way_out_of_its_namespace(host, key):
    # CVE-2022-0811: kernel.core_pattern set through a value that was not looked at.
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    bundle = host.bundle("ids")
    bundle.config["linux"]["sysctl"] = {key: "|/evil"}
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == pattern
    assert done.returncode > 0 and "sysctl" in done.stderr, done.stderr
    host.assert_clean()


@pytest.mark.parametrize("value", ["1\n2", "+kernel.core_pattern=|/evil", "\x00"])
def test_the_value_of_a_sysctl_is_one_value(host, value):
    bundle = host.bundle("cat", "/proc/sys/net/ipv4/ip_forward")
    bundle.config["linux"]["sysctl"] = {"net.ipv4.ip_forward": value}
    bundle.save()
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    host.knarr("run", "-b", bundle.directory, host.new_id())
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == pattern
    host.assert_clean()


def test_state_is_nobody_elses_to_read_or_write(host):
    # CVE-2021-41103, CVE-2024-25621.
    container = host.new_id()
    host.ok("create", "-b", host.bundle("ids").directory, container)
    assert host.root.stat().st_mode & 0o077 == 0
    for path in [host.root / container, *(host.root / container).iterdir()]:
        assert path.lstat().st_mode & 0o077 == 0, path
    host.ok("delete", "--force", container)
    for mode in (0o777, 0o770, 0o720):
        host.root.chmod(mode)
        message = host.refused("create", "-b", host.bundle("ids").directory, host.new_id())
        assert "chmod 700" in message, message
    host.root.chmod(0o700)
    os.chown(host.root, NOBODY, NOBODY)
    assert "owner" in host.refused("create", "-b", host.bundle("ids").directory, host.new_id())
    os.chown(host.root, 0, 0)
    host.assert_clean()


def test_state_is_not_reached_through_what_is_strangers(host):
    """Who may rename above it, or turn a link on the way, has root act on containers of theirs."""
    above = host.directory / "above"
    inside = above / "inside"
    host.root = inside / "state"
    inside.mkdir(parents=True)
    host.ok("list")

    def refused(*words):
        message = host.refused("list")
        assert all(str(word) in message for word in ("state directory", "--root", *words)), message

    for owner, mode, words in ((NOBODY, 0o755, (f"user {NOBODY}", "chown")), (0, 0o777, ("mode 0777", "chmod go-w"))):
        os.chown(above, owner, owner)
        above.chmod(mode)
        refused(above, *words)
    os.chown(above, 0, NOBODY)
    above.chmod(0o775)
    refused(above, "mode 0775")
    for mode in (0o1777, 0o755):
        above.chmod(mode)
        host.ok("list")
    link = host.directory / "link"
    link.symlink_to(above)
    host.root = link / "inside" / "state"
    host.ok("list")
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    refused(link, f"user {NOBODY}")


def test_a_state_directory_that_a_stranger_makes_meanwhile_is_refused(host, breakable_knarr):
    """Between the look at what leads there and the making of what is not there yet."""
    host.knarr_path = breakable_knarr
    above = host.directory / "above"
    above.mkdir()
    above.chmod(0o1777)
    host.root = above / "strangers" / "state"
    listing = host.start_process("list", fault="place.made=stop", stderr=subprocess.PIPE, text=True)
    assert os.WIFSTOPPED(os.waitpid(listing.pid, os.WUNTRACED)[1])
    (above / "strangers").mkdir(mode=0o777)
    os.chown(above / "strangers", NOBODY, NOBODY)
    listing.send_signal(signal.SIGCONT)
    message = listing.communicate(timeout=30)[1]
    assert listing.returncode != 0 and f"{above}/strangers of user {NOBODY}" in message, message


def test_a_state_directory_that_a_stranger_leads_elsewhere_meanwhile_is_refused(host, breakable_knarr):
    """A directory that was not there at the look is there when it is opened: with a link of theirs in it."""
    host.knarr_path = breakable_knarr
    above, roots_own = host.directory / "above", host.directory / "roots"
    above.mkdir()
    above.chmod(0o1777)
    roots_own.mkdir(mode=0o700)
    host.root = above / "strangers" / "state"
    listing = host.start_process("list", fault="place.looked_at=stop", stderr=subprocess.PIPE, text=True)
    assert os.WIFSTOPPED(os.waitpid(listing.pid, os.WUNTRACED)[1])
    (above / "strangers").mkdir(mode=0o755)
    (above / "strangers" / "state").symlink_to(roots_own)
    for path in (above / "strangers", above / "strangers" / "state"):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    listing.send_signal(signal.SIGCONT)
    message = listing.communicate(timeout=30)[1]
    assert listing.returncode != 0 and f"user {NOBODY}" in message, message
    assert list(roots_own.iterdir()) == []


def test_the_gate_opens_to_its_owner_only(host):
    # containerd 2020-15257: whoever reached the socket commanded the shim.
    container = host.new_id()
    host.directory.chmod(0o711)
    host.ok("create", "-b", host.bundle("out", "ran").directory, container)
    gates = [path for path in (host.root / container).iterdir() if path.is_socket()]
    assert len(gates) == 1
    for path in (host.root, host.root / container):
        path.chmod(0o711)
    gates[0].chmod(0o666)
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(str(gates[0]))
        for packet in (b"\x00", b"\x01", b"\x05", b"\x06", b"\x07", b"\x00" * 64):
            try:
                client.send(packet)
            except OSError:
                break
        client.settimeout(5)
        try:
            answer = client.recv(100)
        except OSError:
            answer = b""
        os._exit(1 if answer else 0)
    assert os.waitpid(child, 0)[1] == 0
    assert host.status(container) == "created"
    host.root.chmod(0o700)
    host.ok("start", container)
    host.destroy()
    host.assert_clean()


def words_of_start(host, container, gate):
    """The first packet that `knarr start` sends to the gate of a container: heard in its place."""
    kept = gate.with_name("kept")
    gate.rename(kept)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as place:
        place.bind(str(gate))
        place.listen(1)
        start = host.start_process("start", container)
        with place.accept()[0] as client:
            words = client.recv(4096)
    start.wait(timeout=30)  # silence is what a program that runs says
    kept.rename(gate)
    return words


def say(gate, words, user):
    """Says them to the gate as this user, and waits until it has closed or answered."""
    child = os.fork()
    if child == 0:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            try:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
                client.connect(str(gate))
                client.send(words)
                client.settimeout(20)
                client.recv(100)
                os._exit(0)
            except ConnectionError:
                os._exit(0)  # closed with the words unread
            except OSError:
                os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_stranger_does_not_open_the_gate_with_the_programs_own_words(host):
    container = host.new_id()
    host.directory.chmod(0o711)
    output = host.directory / "output"
    with output.open("wb") as stdout:
        done = subprocess.run(host.command("create", "-b", host.bundle("out", "ran").directory, container),
                              stdin=subprocess.DEVNULL, stdout=stdout, timeout=60, env=host.environment())
    assert done.returncode == 0
    gate, = (path for path in (host.root / container).iterdir() if path.is_socket())
    words = words_of_start(host, container, gate)
    for path in (host.root, host.root / container):
        path.chmod(0o711)
    gate.chmod(0o666)
    say(gate, words, NOBODY)
    assert output.read_text() == ""
    say(gate, words, 0)  # the same words by the owner are what opens it
    wait_until(lambda: output.read_text().startswith("ran"), "the words open no gate at all")
    host.root.chmod(0o700)
    host.destroy()
    host.assert_clean()


def test_an_executed_hook_of_the_record_is_what_create_was_given(host):
    """poststop is control data of the caller: config.json changed after create does not count."""
    bundle, container = host.bundle("ids"), host.new_id()
    host.ok("create", "-b", bundle.directory, container)
    canary = host.directory / "canary"
    bundle.hook("poststop", "/bin/touch", str(canary))
    host.ok("delete", "--force", container)
    assert not canary.exists()
    host.assert_clean()
