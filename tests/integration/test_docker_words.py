"""What docker's users name, ask for and grep for, beside test_docker_scripts.py."""

import pytest

from background import host, layout  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


def test_update_takes_all_that_are_named(host, layout):
    for name in ("one", "two"):
        host.launch(layout, options=["--name", name, "--restart", "always"])
    done = host.run("update", "--restart=no", "one", "nosuch", "two")
    assert done.stdout == "one\ntwo\n" and done.returncode != 0 and "No such container: nosuch" in done.stderr
    for name in ("one", "two"):
        assert host.inspect(name)["HostConfig"]["RestartPolicy"]["Name"] == "no"


def test_a_slash_before_a_name_does_not_count(host, layout):
    container = host.launch(layout, options=["--name", "/web"])
    name = host.inspect(container)["Name"]
    assert name == "/web"
    for words in (["logs", name], ["exec", name, "true"], ["update", "--restart=no", name], ["stop", "-t", "0", name],
                  ["start", name], ["top", name], ["rename", name, "/other"], ["rm", "-f", "/other"]):
        host.good(*words)
    assert host.run("inspect", "/").returncode != 0


def test_a_host_name_names_its_container(host, layout):
    container = host.launch(layout, options=["--name", "web"])
    own = host.good("exec", "web", "busybox", "hostname").strip()
    assert container.endswith(own) and len(own) == 12
    assert host.inspect(own)["Id"] == container
    assert host.run("inspect", container[-11:]).returncode != 0


def test_exec_leaves_a_terminal_that_stays(host, layout):
    host.launch(layout, options=["--name", "web"])
    host.good("exec", "-dt", "web", "true")
    host.good("exec", "-dit", "web", "sh", "-c", "busybox tty > /told; busybox cat; > /ended")
    wait_until(lambda: "/dev/pts/" in host.run("exec", "web", "cat", "/told").stdout, "it has no terminal")
    shown = host.good("top", "web")
    assert "busybox cat" in shown and host.run("exec", "web", "cat", "/ended").returncode != 0
    host.good("exec", "-dt", "web", "sh", "-c", "busybox seq 100000; > /written")  # nobody reads, nobody waits
    wait_until(lambda: host.run("exec", "web", "cat", "/written").returncode == 0, "it waits for a reader")
