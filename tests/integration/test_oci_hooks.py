"""Hooks of a bundle: when they run, what they get, and what their failures do."""

import json

import pytest
from oci import wait_until


def hook_script(host, name, text):
    path = host.directory / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_hooks_run_in_order_with_the_state_on_stdin(host):
    log = host.directory / "log"
    bundle, container = host.bundle("exit", "0"), host.new_id()
    points = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    for point in points:
        bundle.hook(point, hook_script(host, point, f"echo {point} $(cat) >> {log}\n"))
    host.ok("create", "-b", bundle.directory, container)
    host.ok("start", container)
    wait_until(lambda: host.status(container) == "stopped", "it did not stop")
    host.ok("delete", container)
    lines = log.read_text().splitlines()
    assert [line.split()[0] for line in lines] == list(points)
    states = [json.loads(line.split(" ", 1)[1]) for line in lines]
    for state in states:
        assert state["id"] == container and state["bundle"] == str(bundle.directory)
        assert state["ociVersion"]
    # crun says "created" to prestart, and runtime-tools wants it.
    assert [state["status"] for state in states] == [
        "created", "creating", "creating", "running", "stopped"]


@pytest.mark.parametrize("point", ["prestart", "createRuntime", "createContainer"])
def test_a_failing_hook_fails_create_runs_poststop_and_leaves_nothing(host, point):
    log = host.directory / "log"
    bundle = host.bundle("exit", "0")
    bundle.hook(point, hook_script(host, "bad", "exit 3\n"))
    bundle.hook("poststop", hook_script(host, "stop", f"echo stopped > {log}\n"))
    message = host.refused("create", "-b", bundle.directory, host.new_id())
    assert str(host.directory / "bad") in message and "3" in message
    assert log.read_text() == "stopped\n"
    host.assert_clean()


def test_a_failing_poststart_hook_stops_and_removes_the_container(host):
    bundle, container = host.bundle("wait-signal"), host.new_id()
    bundle.hook("poststart", hook_script(host, "bad", "exit 4\n"))
    host.ok("create", "-b", bundle.directory, container)
    assert "bad" in host.refused("start", container)
    host.assert_clean()
    assert "bad" in host.refused("run", "-b", bundle.directory, container)
    host.assert_clean()


def test_a_failing_poststop_hook_only_warns(host):
    bundle, container = host.bundle("exit", "0"), host.new_id()
    bundle.hook("poststop", hook_script(host, "bad", "exit 5\n"))
    bundle.hook("poststop", hook_script(host, "good", f"touch {host.directory}/second\n"))
    done = host.ok("run", "-b", bundle.directory, container)
    assert "bad" in done.stderr
    assert (host.directory / "second").exists()
    host.assert_clean()


def test_hooks_of_the_config_as_it_was_created_run_at_delete(host):
    bundle, container = host.bundle("exit", "0"), host.new_id()
    bundle.hook("poststop", hook_script(host, "old", f"touch {host.directory}/old-ran\n"))
    host.ok("create", "-b", bundle.directory, container)
    bundle.config["hooks"] = {}
    bundle.save()
    host.ok("delete", container)
    assert (host.directory / "old-ran").exists()


def test_hooks_write_where_cruns_annotations_say(host):
    bundle = host.bundle()
    points = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    for point in points:
        bundle.hook(point, hook_script(host, point, f"echo {point}; echo {point} failed >&2\n"))
    out, err = host.directory / "hooks.out", host.directory / "hooks.err"
    out.write_text("kept\n")
    bundle.config["annotations"] = {"run.oci.hooks.stdout": str(out),
                                    "run.oci.hooks.stderr": str(err)}
    bundle.save()
    host.ok("run", "-b", bundle.directory, host.new_id())
    assert out.read_text().splitlines() == ["kept", *points]
    assert err.read_text().splitlines() == [f"{point} failed" for point in points]
    assert err.stat().st_mode & 0o777 == 0o600
    host.assert_clean()


def test_a_place_for_hooks_output_that_is_none_is_refused(host):
    bundle = host.bundle()
    bundle.config["annotations"] = {"run.oci.hooks.stderr": "/no/where"}
    bundle.save()
    message = host.refused("run", "-b", bundle.directory, host.new_id())
    assert "run.oci.hooks.stderr" in message and "/no/where" in message
    host.assert_clean()
