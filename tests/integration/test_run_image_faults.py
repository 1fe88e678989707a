"""`knarr run IMAGE` failed or killed at every named point: nothing is left, or delete removes it."""

import time

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")

POINTS = ["create.made", "create.recorded", "run_image.data", "create.data", "create.child",
          "create.ready", "run.gate"]


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return images.write_layout(tmp_path_factory.mktemp("image") / "box", [images.base_layer()])


@pytest.fixture
def host(breakable_knarr, scratch, layout):
    host = images.Host(breakable_knarr, scratch)
    host.good("pull", "-q", layout)
    return host


def run_with_fault(host, fault, *options):
    return host.run("run", "-q", *options, "localhost/box", "sleep", "60", fault=fault)


def run_and_die(host, fault, *options):
    assert run_with_fault(host, f"{fault}=kill", *options).returncode == -9


def containers_left(host):
    """What a killed run left, once the last process that it had started beside itself is gone too."""
    deadline = time.monotonic() + 60
    while not (found := host.containers()) and list(host.root.glob("[!.]*")):
        assert time.monotonic() < deadline, "a container that is neither listed nor gone"
    return found


@pytest.mark.parametrize("point", POINTS)
def test_a_failure_leaves_nothing(host, point):
    failed = run_with_fault(host, point, "--rm", "--name", "ship")
    assert failed.returncode == 125, failed.stderr
    assert point in failed.stderr
    assert host.containers() == []
    assert host.traces() == []


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_what_delete_removes_and_the_next_run_works(host, point):
    run_and_die(host, point, "--rm", "--name", "ship")
    for container in containers_left(host):
        host.good("delete", "--force", container["id"])
        assert images.cgroups_of(container["id"]) == []
    if point == "create.made":  # nothing says yet whose the layers' mounts are
        host.good("image", "gc")
    assert host.traces() == []
    host.good("run", "--rm", "-q", "--name", "ship", "localhost/box", "true")
    assert host.traces() == []


@pytest.mark.parametrize("point", ["create.recorded", "run_image.data"])
def test_a_killed_run_does_not_hold_its_image_for_ever(host, point):
    run_and_die(host, point, "--log-driver", "none")
    for container in host.containers():
        host.good("delete", "--force", container["id"])
    host.good("rmi", "localhost/box")


@pytest.mark.parametrize("how", ["", "=kill"])
@pytest.mark.parametrize("point", [*POINTS, "background.streams"])
def test_in_front_of_a_monitor_nothing_is_left_either(host, point, how):
    """Its launcher is another process: what that leaves when it is killed, its monitor clears away."""
    failed = run_with_fault(host, point + how, "--name", "ship")
    assert failed.returncode == 125
    assert how or point in failed.stderr
    deadline = time.monotonic() + 60
    while host.containers() or host.traces():
        assert time.monotonic() < deadline, host.traces()
        if how and point == "create.made":
            host.good("image", "gc")  # nothing says yet whose the layers' mounts are
    host.good("run", "-q", "--name", "ship", "localhost/box", "true")
    host.good("rm", "ship")
    assert host.traces() == []
