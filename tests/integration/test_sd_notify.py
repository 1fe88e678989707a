"""NOTIFY_SOCKET: a program says that it is ready, and who started knarr hears it."""

import array
import os
import signal
import socket
import subprocess

import images
import pytest
from oci import Host, alive


class Manager:
    """The part of systemd that listens."""

    def __init__(self, address):
        self.path = address.replace("\0", "@", 1)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(20)

    def hear(self):
        text, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(4))
        for _, _, data in ancillary:
            for fd in array.array("i", data):
                os.close(fd)  # what a barrier asks for
        return text.decode()

    def has_heard(self):
        self.socket.settimeout(0.05)
        try:
            return self.hear()
        except TimeoutError:
            return None
        finally:
            self.socket.settimeout(20)

    def close(self):
        self.socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request, host):
    manager = Manager(str(host.directory / "manager") if request.param == "path"
                      else "\0" + host.token)
    yield manager
    manager.close()


def notifying(host, manager, *words):
    host.directory.chmod(0o700)
    bundle = host.bundle(*words)
    env = {**host.environment(), "NOTIFY_SOCKET": manager.path}
    return bundle, env


def start(host, env, *words, **options):
    return subprocess.Popen(host.command(*words), env=env,
                            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **options})


def test_in_the_foreground_readiness_alone_is_passed_on(host, manager):
    bundle, env = notifying(host, manager, "notify", "STATUS=starting", "notify",
                            "MAINPID=1\nREADY=1", "wait-signal")
    run = start(host, env, "run", "-b", bundle.directory, host.new_id())
    assert manager.hear() == "READY=1"
    out = b""
    while b"ready=1\n" not in out:  # the witness listens to signals from then on
        line = run.stdout.readline()
        assert line, out
        out += line
    run.send_signal(signal.SIGTERM)  # knarr is the main process, and stays
    out += run.communicate(timeout=60)[0]
    assert run.returncode == 0 and b"signal=15" in out
    assert out.count(b"=ok\n") == 2
    assert manager.has_heard() is None


def test_detached_run_waits_and_names_the_containers_process(host, manager):
    bundle, env = notifying(host, manager, "stdin", "notify", "READY=1", "sleep", "1000")
    container = host.new_id()
    read, write = os.pipe()
    run = start(host, env, "run", "-d", "-b", bundle.directory, container, stdin=read,
                stdout=subprocess.DEVNULL)
    os.close(read)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(0.3)
    assert host.status(container) == "running"  # nobody holds its lock
    os.close(write)
    assert manager.hear() == f"MAINPID={host.state(container)['pid']}\nREADY=1"
    assert manager.hear() == "BARRIER=1"
    assert run.wait(20) == 0


def test_created_it_is_start_that_waits(host, manager):
    bundle, env = notifying(host, manager, "stdin", "notify", "READY=1", "sleep", "1000")
    container = host.new_id()
    read, write = os.pipe()
    subprocess.run(host.command("create", "-b", bundle.directory, container), env=env, stdin=read,
                   stdout=subprocess.DEVNULL, check=True, timeout=30)
    os.close(read)
    begun = start(host, env, "start", container)
    with pytest.raises(subprocess.TimeoutExpired):
        begun.wait(0.3)
    os.close(write)
    assert manager.hear() == f"MAINPID={host.state(container)['pid']}\nREADY=1"
    assert manager.hear() == "BARRIER=1"
    assert begun.wait(20) == 0 and alive(host.state(container)["pid"])


@pytest.mark.parametrize("verb", ["run", "start"])
def test_a_program_that_ends_without_a_word_is_not_waited_for(host, verb):
    manager = Manager(str(host.directory / "manager"))
    bundle, env = notifying(host, manager, "notify", "STATUS=no")
    container = host.new_id()
    words = ["run", "-d", "-b", bundle.directory, container]
    if verb == "start":
        subprocess.run(host.command("create", "-b", bundle.directory, container), env=env,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=30)
        words = ["start", container]
    done = subprocess.run(host.command(*words), env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, timeout=30)
    assert done.returncode == 0
    assert manager.has_heard() is None
    manager.close()


def test_a_user_without_rights_can_say_it(host):
    manager = Manager(str(host.directory / "manager"))
    bundle, env = notifying(host, manager, "notify", "READY=1")
    bundle.config["process"]["user"] = {"uid": 1234, "gid": 1234}
    bundle.save()
    done = subprocess.run(host.command("run", "-b", bundle.directory, host.new_id()), env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert manager.hear() == "READY=1"
    manager.close()


def test_in_a_user_namespace_too(host):
    manager = Manager(str(host.directory / "manager"))
    bundle, env = notifying(host, manager, "notify", "READY=1")
    host.directory.chmod(0o711)
    os.chown(bundle.rootfs / "tmp", 100000, 100000)  # where the mount point has to be made
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.config["linux"]["uidMappings"] = bundle.config["linux"]["gidMappings"] = maps
    bundle.save()
    done = subprocess.run(host.command("run", "-b", bundle.directory, host.new_id()), env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert manager.hear() == "READY=1"
    manager.close()


def test_the_directory_is_read_only_and_holds_nothing_but_the_socket(host):
    manager = Manager(str(host.directory / "manager"))
    bundle, env = notifying(host, manager, "list", manager.path, "can-write", manager.path, "env")
    done = subprocess.run(host.command("run", "-b", bundle.directory, host.new_id()), env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert f"list:{manager.path}=notify\n" in done.stdout, done.stderr
    assert f"can-write:{manager.path}=EROFS\n" in done.stdout
    assert f"env:NOTIFY_SOCKET={manager.path}/notify\n" in done.stdout
    manager.close()


@pytest.mark.parametrize("words", [[], ["--detach"]])
def test_a_manager_that_is_not_there_is_a_warning(host, words):
    bundle = host.bundle("out", "runs")
    done = subprocess.run(host.command("run", *words, "-b", bundle.directory, host.new_id()),
                          env={**host.environment(), "NOTIFY_SOCKET": "/run/nobody/here"},
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          stdout=subprocess.DEVNULL, timeout=30)
    assert done.returncode == 0
    assert "NOTIFY_SOCKET" in done.stderr and "/run/nobody/here" in done.stderr


def test_a_flood_of_words_passes_nothing_on_and_ends_with_the_program(host):
    manager = Manager(str(host.directory / "manager"))
    words = [word for number in range(300) for word in ("notify", f"X={number}" + "y" * 3000)]
    bundle, env = notifying(host, manager, *words)
    done = subprocess.run(host.command("run", "-b", bundle.directory, host.new_id()), env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.count(b"=ok\n") == 300
    assert manager.has_heard() is None
    manager.close()


def test_exec_reports_nothing(host):
    manager = Manager(str(host.directory / "manager"))
    container = host.new_id()
    host.ok("run", "-d", "-b", host.bundle("sleep", "1000").directory, container)
    done = subprocess.run(host.command("exec", container, "/witness", "env"), text=True,
                          env={**host.environment(), "NOTIFY_SOCKET": manager.path},
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert done.returncode == 0 and "NOTIFY_SOCKET" not in done.stdout
    manager.close()


def test_an_images_program_reports_too(knarr_path, witness_path, scratch, tmp_path, needs_root):
    host = images.Host(knarr_path, scratch)
    layer = images.Layer().add("witness", witness_path.read_bytes(), mode=0o755).bytes()
    layout = images.write_layout(tmp_path / "box", [images.base_layer(), layer], {})
    manager = Manager(str(scratch / "manager"))
    done = host.run("run", "--rm", "-q", layout, "/witness", "notify", "READY=1",
                    env={**os.environ, "NOTIFY_SOCKET": manager.path})
    assert done.returncode == 0, done.stderr
    assert manager.hear() == "READY=1"
    manager.close()
    assert host.traces() == []
