"""What docker's own tests check of its command line, and no other test of ours does."""

import json

import pytest

import images
from background import host, layout  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """An image with a file at /data."""
    layer = images.Layer().directory("data").add("data/file", b"the image's\n").bytes()
    return images.write_layout(tmp_path_factory.mktemp("image") / "filled", [images.base_layer(), layer],
                               {"Cmd": ["sleep", "1000"]})


def test_container_inspect_finds_containers_alone(host, layout):
    host.launch(layout, options=["--name", "web"])
    image = host.good("images", "-q", "--no-trunc").split()[0]
    for other in (image.removeprefix("sha256:")[:12], "none"):
        missing = host.run("container", "inspect", other)
        assert (missing.returncode, missing.stdout) == (1, "[]\n"), missing
        assert f"No such container: {other}" in missing.stderr
    assert host.good("container", "inspect", "-f", "{{.Name}}", "web") == "/web\n"
    assert json.loads(host.good("container", "inspect", "-s", "web"))[0]["SizeRw"] >= 0
    assert host.good("inspect", "-f", "{{.Os}}", image) == "linux\n"


def test_a_paused_one_is_not_started(host, layout):
    host.launch(layout, options=["--name", "web"])
    host.good("pause", "web")
    refused = host.run("start", "web")
    assert refused.returncode == 1 and "cannot start a paused container, try unpause instead" in refused.stderr
    host.good("unpause", "web")
    assert host.good("start", "web") == "web\n"


def test_restart_keeps_one_that_its_end_removes(host, layout):
    box = host.launch(layout, options=["--rm", "--name", "web"])
    host.good("exec", "web", "sh", "-c", "echo kept > /file")
    for _ in range(2):
        assert host.good("restart", "-t", "0", "web") == "web\n"
        assert host.good("exec", "web", "cat", "/file") == "kept\n"
        assert host.inspect("web")["HostConfig"]["AutoRemove"] and host.inspect("web")["Id"] == box
    host.good("stop", "-t", "0", "web")
    wait_until(lambda: host.run("inspect", "web").returncode != 0, "it was not removed at its end")


def test_a_policy_and_rm_contradict_each_other_later_too(host, layout):
    host.launch(layout, options=["--rm", "--name", "web"])
    refused = host.run("update", "--restart", "always", "web")
    assert refused.returncode != 0 and "AutoRemove is enabled" in refused.stderr
    assert host.inspect("web")["HostConfig"]["RestartPolicy"]["Name"] == "no"


def test_a_volume_at_etc_hides_none_of_dockers_files(host, layout):
    box = ["run", "--rm", "-q", "-h", "here", "--dns", "10.9.8.7", "--add-host", "db:10.0.0.1", "-v", "/etc"]
    assert "nameserver 10.9.8.7" in host.good(*box, layout, "cat", "/etc/resolv.conf")
    assert host.good(*box, layout, "cat", "/etc/hostname") == "here\n"
    assert "10.0.0.1\tdb\n" in host.good(*box, layout, "cat", "/etc/hosts")
    assert "knarr-test" in host.good(*box, layout, "cat", "/etc/os-release")


def test_volumes_of_another_container_stay_as_they_are(host, layout, filled):
    host.good("create", "-q", "--name", "empty", "-v", "/data", layout)
    run = ["run", "--rm", "-q", "--volumes-from", "empty"]
    assert host.good(*run, filled, "ls", "/data") == "", "what the image has was copied"
    # One that is only asked to be there is the other container's.
    host.good(*run, "-v", "/data", layout, "touch", "/data/made")
    assert host.good(*run, layout, "ls", "/data") == "made\n"
    named = ["run", "--rm", "-q", "--volumes-from", "empty", "-v", "own:/data"]
    assert host.good(*named, layout, "ls", "/data") == ""


def test_the_same_volume_twice_is_one(host, layout, scratch):
    mount = f"{scratch}:/here"
    host.good("create", "-q", "--name", "web", "-v", mount, "-v", mount, layout)
    assert len(host.inspect("web")["Mounts"]) == 1
    refused = host.run("create", "-q", "-v", mount, "-v", f"{scratch}:/here:ro", layout)
    assert refused.returncode == 125 and "/here" in refused.stderr


def test_zero_is_no_limit(host, layout):
    words = ["-m", "0", "--cpus", "0", "--cpu-shares", "0", "--pids-limit", "0", "--blkio-weight", "0"]
    host.good("create", "-q", "--name", "web", *words, layout)
    limits = host.inspect("web")["HostConfig"]
    assert [limits[name] for name in ("Memory", "NanoCpus", "CpuShares", "BlkioWeight")] == [0, 0, 0, 0]
    host.good("create", "-q", "--cpu-period", "0", "--cpu-quota", "0", layout)


def test_a_variable_that_the_caller_has_not_is_not_there(host, filled, layout, tmp_path):
    image = images.write_layout(tmp_path / "box", [images.base_layer()], {"Env": ["FOO=image", "BAR=image"]})
    words = ["run", "--rm", "-q", "-e", "FOO", "-e", "HOSTNAME", image, "env"]
    shown = host.good(*words, env={"PATH": "/usr/bin:/bin"}).splitlines()
    assert sorted(line.split("=")[0] for line in shown) == ["BAR", "HOME", "PATH"]
    shown = host.good(*words, env={"PATH": "/usr/bin:/bin", "FOO": "ours"}).splitlines()
    assert "FOO=ours" in shown


def test_ps_prints_what_a_template_says_with_q_too(host, layout):
    box = host.launch(layout, options=["--name", "web"])
    assert host.good("ps", "-q", "--format", "{{.Names}}") == "web\n"
    assert host.good("ps", "-q") == box[:12] + "\n"
    assert host.good("ps", "-aq", "--filter", "status=removing") == ""


def test_stats_call_a_container_as_it_was_called(host, layout):
    box = host.launch(layout, options=["--name", "web"])
    line = ["stats", "--no-stream", "--format", "{{.Container}} {{.Name}} {{.ID}}"]
    assert host.good(*line, "web") == f"web web {box[:12]}\n"
    assert host.good(*line, box[:20]) == f"{box[:20]} web {box[:12]}\n"
    assert host.good(*line) == f"{box[:12]} web {box[:12]}\n"


def test_between_two_runs_it_is_restarting(host, layout):
    """Who waits for "neither running nor restarting" waits for the last run."""
    host.launch(layout, "false", options=["--name", "web", "--restart", "on-failure:3"])
    seen = set()

    def is_over():
        words = host.good("inspect", "-f", "{{.State.Restarting}} {{.State.Running}} {{.RestartCount}} {{.State.Status}}",
                          "web").split()
        seen.add((words[0], words[3]))
        return words[:2] == ["false", "false"] and words

    words = []
    wait_until(lambda: words.extend(is_over() or []) or words, "it restarts for ever")
    assert words == ["false", "false", "3", "exited"]
    assert ("false", "created") not in seen


def test_a_removal_by_force_tells_the_end(host, layout):
    box = host.launch(layout)
    host.good("rm", "-f", box)
    told = host.good("events", "--since", "1h", "--until", "0s", "--filter", f"container={box}",
                     "--format", "{{.Action}} {{.Actor.Attributes.exitCode}}").splitlines()
    assert told[2:] == ["kill <no value>", "die 137", "destroy <no value>"]
