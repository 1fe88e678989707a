"""linux.netDevices: an interface of the host moves into the container's network, and back when the
launch fails. The "host" is a network namespace of the test's own."""

import ctypes
import json
import shutil
import signal
import subprocess
import uuid

import pytest
from oci import Host

ADDRESSES = ("192.0.2.7/24", "2001:db8::7/64", "203.0.113.1/32")


class Network:
    """A network namespace by name."""

    def __init__(self):
        self.name = "kt" + uuid.uuid4().hex[:8]
        made = subprocess.run(["ip", "netns", "add", self.name], capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"no network namespace can be named here: {made.stderr}")
        self.path = f"/run/netns/{self.name}"

    def ip(self, *args):
        done = subprocess.run(["ip", "-n", self.name, *args], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def enter(self):
        with open(self.path, "rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def device(self, name, *addresses, up=True, kind="veth"):
        made = subprocess.run(["ip", "-n", self.name, "link", "add", name, "type", kind],
                              capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"this kernel has no {kind} interfaces: {made.stderr}")
        for address in addresses:
            self.ip("addr", "add", address, "dev", name)
        if up:
            self.ip("link", "set", name, "up")

    def links(self):
        return {link["ifname"]: link for link in json.loads(self.ip("-j", "addr", "show"))}

    def addresses(self, name):
        return {f'{one["local"]}/{one["prefixlen"]}' for one in self.links()[name]["addr_info"]
                if one["scope"] == "global"}

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.name], check=True)


@pytest.fixture
def networks():
    """Makes network namespaces, which go with the test."""
    if not shutil.which("ip"):
        pytest.skip("no ip (Debian package iproute2) on this machine")
    made = []

    def make():
        made.append(Network())
        return made[-1]

    yield make
    for network in made:
        network.remove()


@pytest.fixture
def outside(networks):
    """The network that stands for the host's."""
    return networks()


def bundle_with(host, devices, script="true"):
    bundle = host.bundle()
    bundle.use_shell(script)
    bundle.config["linux"]["netDevices"] = devices
    bundle.save()
    return bundle


def run(host, outside, bundle, **options):
    return host.knarr("run", "-b", bundle.directory, host.new_id(), preexec_fn=outside.enter,
                      **options)


def show(*names):
    return "; ".join(f"/busybox ip addr show dev {name}" for name in names)


def test_a_device_moves_with_its_addresses_and_is_up(host, outside):
    outside.device("kt0", *ADDRESSES, up=False)
    outside.ip("link", "set", "kt0", "mtu", "1400", "address", "02:00:00:00:00:07")
    done = run(host, outside, bundle_with(host, {"kt0": {}}, show("kt0")))
    assert done.returncode == 0, done.stderr
    for said in (*ADDRESSES, "UP", "mtu 1400", "02:00:00:00:00:07"):
        assert said in done.stdout, done.stdout
    # A virtual device ends with the namespace that it is in: the kernel's rule.
    assert "kt0" not in outside.links()


def test_an_address_of_the_link_alone_stays_behind(host, outside):
    outside.device("kt0", "192.0.2.7/24")
    outside.ip("addr", "add", "169.254.9.9/16", "dev", "kt0", "scope", "link")
    done = run(host, outside, bundle_with(host, {"kt0": {}}, show("kt0")))
    assert "192.0.2.7/24" in done.stdout and "169.254.9.9" not in done.stdout, done.stderr


def test_one_end_of_a_pair_speaks_to_the_other(host, outside):
    """The other end of a veth, what containers' networks are made of, stays outside."""
    outside.device("kt0")
    (other,) = {name for name in outside.links() if name.startswith("veth")}
    outside.ip("addr", "add", "192.0.2.1/24", "dev", other)
    outside.ip("link", "set", other, "up")
    outside.ip("addr", "add", "192.0.2.7/24", "dev", "kt0")
    bundle = bundle_with(host, {"kt0": {"name": "eth0"}}, "/busybox ping -c1 -W5 192.0.2.1")
    bundle.config["process"]["capabilities"] = {
        kind: ["CAP_NET_RAW"] for kind in ("bounding", "effective", "permitted")}
    bundle.save()
    done = run(host, outside, bundle)
    assert done.returncode == 0, done.stdout + done.stderr


def test_devices_are_renamed_by_name_or_template(host, outside):
    outside.device("kt0", "192.0.2.7/24")
    outside.device("kt1", "192.0.2.8/24")
    outside.device("kt2", "192.0.2.9/24")
    bundle = bundle_with(host, {"kt0": {"name": "eth0"}, "kt1": {"name": "eth%d"},
                                "kt2": {"name": "eth%d"}}, show("eth0", "eth1", "eth2"))
    done = run(host, outside, bundle)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.split(": eth")
    assert [number in text for number, text in zip(("2.7/24", "2.8/24", "2.9/24"), shown[1:])] \
        == [True] * 3, done.stdout


def test_hooks_and_sysctls_find_the_device(host, outside):
    outside.device("kt0")
    bundle = bundle_with(host, {"kt0": {"name": "eth0"}},
                         "/busybox cat /proc/sys/net/ipv4/conf/eth0/forwarding")
    bundle.config["linux"]["sysctl"] = {"net.ipv4.conf.eth0.forwarding": "1"}
    bundle.hook("createContainer", "/bin/sh", "-c", "ip link show eth0")
    done = run(host, outside, bundle)
    assert done.stdout == "1\n", done.stderr


def test_a_user_namespace_gets_it_too(host, outside):
    outside.device("kt0", "192.0.2.7/24")
    bundle = bundle_with(host, {"kt0": {}}, show("kt0"))
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        bundle.config["linux"][kind] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.save()
    host.directory.chmod(0o755)
    done = run(host, outside, bundle)
    assert "192.0.2.7/24" in done.stdout, done.stderr


def kept_as_it_was(outside, name="kt0", up=True):
    assert outside.addresses(name) == set(ADDRESSES)
    assert ("UP" in outside.links()[name]["flags"]) == up


def test_a_missing_device_is_an_error_and_those_before_it_come_back(host, outside):
    outside.device("kt0", *ADDRESSES)
    done = run(host, outside, bundle_with(host, {"kt0": {"name": "eth0"}, "kt9": {}}))
    assert done.returncode == 1 and "linux.netDevices: kt9: there is no such" in done.stderr
    assert "hint: `ip link`" in done.stderr
    kept_as_it_was(outside)
    host.assert_clean()


@pytest.mark.parametrize("up", [True, False])
def test_a_launch_that_fails_later_brings_the_device_back(host, outside, up):
    outside.device("kt0", *ADDRESSES, up=up)
    bundle = bundle_with(host, {"kt0": {"name": "eth0"}})
    bundle.hook("createContainer", "/bin/false")
    done = run(host, outside, bundle)
    assert done.returncode != 0 and "hook" in done.stderr
    kept_as_it_was(outside, up=up)


@pytest.mark.parametrize("point", ["device.moved", "launch.ready", "create.child"])
def test_a_failure_at_each_step_brings_the_device_back(breakable_knarr, witness_path, scratch, needs_root,
                                                       outside, point):
    host = Host(breakable_knarr, witness_path, scratch)
    outside.device("kt0", *ADDRESSES)
    outside.device("kt1", "192.0.2.9/24")
    bundle = bundle_with(host, {"kt0": {"name": "eth0"}, "kt1": {}})
    done = run(host, outside, bundle, fault=point)
    assert done.returncode == 1 and point in done.stderr
    kept_as_it_was(outside)
    assert outside.addresses("kt1") == {"192.0.2.9/24"}
    host.assert_clean()


def test_a_killed_launch_leaves_no_namespace_that_keeps_the_device(breakable_knarr, witness_path, scratch,
                                                                   needs_root, outside):
    """What was virtual is gone with its namespace then, and the ID is free."""
    host = Host(breakable_knarr, witness_path, scratch)
    outside.device("kt0", *ADDRESSES)
    bundle, container = bundle_with(host, {"kt0": {"name": "eth0"}}), host.new_id()
    killed = host.knarr("run", "-b", bundle.directory, container, fault="device.moved=kill",
                        preexec_fn=outside.enter)
    assert killed.returncode == -signal.SIGKILL
    host.ok("delete", "--force", container)
    outside.device("kt0")
    host.ok("run", "-b", bundle.directory, container, preexec_fn=outside.enter)
    host.assert_clean()


def test_a_name_that_is_taken_inside_is_an_error(host, outside, networks):
    outside.device("kt0", *ADDRESSES)
    inside = networks()
    inside.device("eth0", "198.51.100.1/24")
    for name in ("lo", "eth0"):
        bundle = bundle_with(host, {"kt0": {"name": name}})
        join(bundle, inside)
        done = run(host, outside, bundle)
        assert done.returncode == 1, done.stderr
        assert f"linux.netDevices: kt0: the container's network namespace already has an " \
               f"interface {name}" in done.stderr
        assert "%d" in done.stderr
        kept_as_it_was(outside)
        assert inside.addresses("eth0") == {"198.51.100.1/24"}


def test_a_name_that_is_taken_inside_does_not_matter_where_another_is_given(host, outside, networks):
    outside.device("eth0", *ADDRESSES)
    inside = networks()
    inside.device("eth0", "198.51.100.1/24")
    bundle = bundle_with(host, {"eth0": {"name": "eth%d"}}, "/busybox ip addr")
    join(bundle, inside)
    done = run(host, outside, bundle)
    assert "192.0.2.7/24" in done.stdout, done.stderr
    (new,) = {name for name in inside.links() if name.startswith("eth")} - {"eth0"}
    assert inside.addresses(new) == set(ADDRESSES)
    assert inside.addresses("eth0") == {"198.51.100.1/24"}


def test_loopback_is_refused_with_the_reason(host, outside):
    done = run(host, outside, bundle_with(host, {"lo": {"name": "kt5"}}))
    assert done.returncode == 1
    assert "linux.netDevices: lo: the kernel does not move this interface" in done.stderr
    assert "lo" in outside.links()


def test_without_cap_net_admin_the_message_says_so(host, outside):
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv on this machine")
    outside.device("kt0", *ADDRESSES)
    bundle = bundle_with(host, {"kt0": {}})
    done = subprocess.run(["setpriv", "--bounding-set=-net_admin",
                           *host.command("run", "-b", bundle.directory, host.new_id())],
                          preexec_fn=outside.enter, env=host.environment(), capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1
    assert "linux.netDevices: kt0" in done.stderr and "CAP_NET_ADMIN" in done.stderr
    kept_as_it_was(outside)


def test_without_a_network_of_its_own_nothing_is_moved(host, outside):
    outside.device("kt0", *ADDRESSES)
    bundle = bundle_with(host, {"kt0": {}})
    bundle.share("network")
    done = run(host, outside, bundle)
    assert done.returncode == 1 and "linux.netDevices: needs a network namespace" in done.stderr
    kept_as_it_was(outside)


def join(bundle, network):
    for namespace in bundle.config["linux"]["namespaces"]:
        if namespace["type"] == "network":
            namespace["path"] = network.path
    bundle.save()


def test_a_joined_network_keeps_the_device_when_the_container_is_deleted(host, outside, networks):
    outside.device("kt0", *ADDRESSES)
    inside = networks()
    bundle = bundle_with(host, {"kt0": {"name": "eth0"}}, show("eth0"))
    join(bundle, inside)
    done = run(host, outside, bundle)
    assert "192.0.2.7/24" in done.stdout, done.stderr
    assert inside.addresses("eth0") == set(ADDRESSES)
    assert "kt0" not in outside.links()


def test_the_plan_shows_it(host):
    bundle = bundle_with(host, {"kt0": {"name": "eth0"}})
    assert "network interface kt0 as eth0" in host.ok("plan", bundle.directory).stdout
