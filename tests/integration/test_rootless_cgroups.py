"""Limits of an ordinary user's containers, on cgroup v2: delegated by systemd, by hand, not at all."""

import os
import pathlib

import pytest

import rootless
from oci import wait_until
from rootless import UID, UserHost
from test_cgroup_v2 import TOP, needs_v2, texts

# Goes into a cgroup and becomes the command.
ENTER = ["sh", "-c", 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"', "enter"]


class DelegatedHost(UserHost):
    """An ordinary user whose knarr starts behind `prefix`: root's words, then the user's."""

    roots_prefix, users_prefix = (), ()

    def as_user(self, *command):
        return [*self.roots_prefix, *super().as_user(*self.users_prefix, *command)]


def by_hand(host):
    """What an administrator does without systemd: a cgroup, and its files given to the user."""
    place = TOP / f"{host.token}-hand"
    place.mkdir()
    (TOP / "cgroup.subtree_control").write_text("+cpu +memory +pids")
    (place / "processes").mkdir()
    for one in (place, place / "processes"):
        for path in (one, one / "cgroup.procs", one / "cgroup.subtree_control", one / "cgroup.threads"):
            os.chown(path, UID, UID)
    host.roots_prefix = [*ENTER, place / "processes"]
    return place


def by_systemd(host):
    """The user's own manager, as a login has it: a unit of the user's."""
    bus = f"/run/user/{UID}/bus"
    if not os.path.exists(bus):
        pytest.skip(f"no systemd user manager of the user {UID} (tools/test --lane v2)")
    host.users_prefix = ["env", f"XDG_RUNTIME_DIR=/run/user/{UID}", f"DBUS_SESSION_BUS_ADDRESS=unix:path={bus}",
                         "systemd-run", "--user", "--quiet", "--pipe", "--wait", "--collect",
                         "--property=Delegate=yes", "--property=KillMode=process",
                         f"--setenv=KNARR_TEST_TOKEN={host.token}", f"--setenv=HOME={host.home}"]
    return TOP / f"user.slice/user-{UID}.slice/user@{UID}.service/app.slice"


@pytest.fixture(params=[by_hand, by_systemd], ids=["by-hand", "by-systemd"])
def delegated(request, knarr_path, witness_path, scratch):
    needs_v2()
    rootless.needs_user_namespaces()
    host = DelegatedHost(knarr_path, witness_path, scratch)
    host.place = request.param(host)
    yield host
    host.destroy()
    wait_until(lambda: not host.processes(), "processes are left")
    for path in sorted(host.cgroups(), key=len, reverse=True):
        for inner in sorted(pathlib.Path(path).glob("*/"), reverse=True):
            inner.rmdir()
        os.rmdir(path)
    host.assert_clean()


def limited(host, resources, *args):
    bundle = host.bundle(*(args or ("wait-signal",)))
    bundle.config["linux"]["resources"] = resources
    bundle.save()
    return bundle


def place_of(host, container):
    own = pathlib.Path(f"/proc/{host.state(container)['pid']}/cgroup").read_text()
    return TOP / own.strip().removeprefix("0::/")


def start(host, bundle):
    container = host.new_id()
    host.ok("run", "--detach", "--bundle", bundle.directory, container)
    return container


def test_limits_are_kept_in_a_delegated_cgroup(delegated):
    bundle = limited(delegated, {"memory": {"limit": 32 << 20}, "pids": {"limit": 11},
                                 "cpu": {"quota": 50_000, "period": 100_000}})
    container = start(delegated, bundle)
    place = place_of(delegated, container)

    assert texts(place, "memory.max", "pids.max", "cpu.max") == [str(32 << 20), "11", "50000 100000"]
    assert delegated.place in place.parents
    assert place.stat().st_uid == UID
    delegated.ok("delete", "--force", container)
    assert not place.exists()


def test_the_verbs_act_on_a_delegated_cgroup(delegated):
    container = start(delegated, limited(delegated, {"pids": {"limit": 30}}))
    place = place_of(delegated, container)

    assert f"0::/{place.relative_to(TOP)}" in delegated.ok("exec", container, "/witness", "cgroup").stdout
    (place / "cgroup.freeze").write_text("1")
    wait_until(lambda: delegated.status(container) == "paused", "it is not paused")
    (place / "cgroup.freeze").write_text("0")
    wait_until(lambda: delegated.status(container) == "running", "it is not running")
    delegated.ok("kill", "--all", container, "KILL")
    wait_until(lambda: delegated.status(container) == "stopped", "it did not stop")
    delegated.ok("delete", container)


def test_device_rules_are_left_to_the_user_namespace_and_said(delegated):
    bundle = limited(delegated, {"devices": [{"allow": False, "access": "rwm"}]}, "ids")

    done = delegated.ok("run", "--bundle", bundle.directory, delegated.new_id())

    assert "linux.resources.devices: not applied" in done.stderr


def test_a_cgroup_mount_of_the_user_is_its_own_and_writable(delegated):
    bundle = limited(delegated, {"pids": {"limit": 30}})
    (bundle.rootfs / "sys/fs/cgroup").mkdir(parents=True)
    bundle.config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                                    "options": ["rw", "nosuid", "noexec", "nodev"]})
    bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
    bundle.use_shell("cd /sys/fs/cgroup && /busybox mkdir in && echo made && /busybox cat pids.max;"
                     " echo max > pids.max && echo escaped")
    bundle.save()
    rootless.own(bundle.directory)

    done = delegated.knarr("run", "--bundle", bundle.directory, delegated.new_id())

    assert done.stdout.split()[:2] == ["made", "30"], done.stderr


def test_without_delegation_limits_are_refused_and_the_rest_runs(knarr_path, witness_path, scratch):
    needs_v2()
    rootless.needs_user_namespaces()
    host = UserHost(knarr_path, witness_path, scratch)
    bundle = limited(host, {"memory": {"limit": 32 << 20}}, "cgroup")

    message = host.refused("run", "--bundle", bundle.directory, host.new_id())
    assert "no cgroup is delegated" in message and "systemd-run --user" in message

    del bundle.config["linux"]["resources"]
    bundle.save()
    own = pathlib.Path("/proc/self/cgroup").read_text().strip()
    assert own in host.ok("run", "--bundle", bundle.directory, host.new_id()).stdout
    host.assert_clean()
