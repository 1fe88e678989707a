"""The environment of a bundle's program."""

import signal

import pytest

PASSWD = "root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n"


@pytest.mark.parametrize("uid, own, passwd, home", [
    (1000, None, PASSWD, "/home/web"), (0, None, PASSWD, "/root"), (7, None, PASSWD, "/"),
    (1000, "HOME=/set", PASSWD, "/set"), (1000, "HOME=", PASSWD, "/home/web"),
    (1000, None, None, "/"), (1000, None, "damaged\n\0", "/")])
def test_home_is_that_of_the_containers_passwd_unless_it_is_set(host, uid, own, passwd, home):
    """As with runc and crun: the kubelet and ctr leave it to the runtime."""
    bundle = host.bundle()
    if passwd is not None:
        (bundle.rootfs / "etc").mkdir()
        (bundle.rootfs / "etc/passwd").write_text(passwd)
    bundle.config["process"]["user"] = {"uid": uid, "gid": uid}
    bundle.config["process"]["env"] += [own] if own else []
    bundle.use_shell('echo "$HOME"')
    bundle.save()
    assert host.ok("run", "-b", bundle.directory, host.new_id()).stdout.strip() == home


def test_a_passwd_that_leads_to_the_host_is_not_read(host):
    bundle = host.bundle()
    secret = host.directory / "secret"
    secret.write_text("web:x:1000:1000::/secret:/bin/sh\n")
    (bundle.rootfs / "etc").mkdir()
    (bundle.rootfs / "etc/passwd").symlink_to(secret)
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    bundle.use_shell('echo "$HOME"')
    bundle.save()
    assert host.ok("run", "-b", bundle.directory, host.new_id()).stdout.strip() == "/"


def test_signals_that_the_caller_ignores_have_their_default_action(host):
    """A shell starts what it puts into the background with SIGINT and SIGQUIT ignored."""
    bundle = host.bundle()
    bundle.use_shell("")  # the program of the shell, but not the shell, which ignores signals itself
    bundle.config["process"]["args"] = ["/busybox", "grep", "SigIgn", "/proc/self/status"]
    bundle.save()

    def ignore():
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGRTMIN):
            signal.signal(number, signal.SIG_IGN)

    done = host.ok("run", "-b", bundle.directory, host.new_id(), preexec_fn=ignore)
    assert done.stdout.split() == ["SigIgn:", "0000000000000000"]
