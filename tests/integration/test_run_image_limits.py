"""Limits of containers that are made from images: the cgroup's own files are the proof."""

import pathlib
import re

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return images.write_layout(tmp_path_factory.mktemp("image") / "box", [images.base_layer()])


@pytest.fixture
def host(knarr_path, scratch):
    host = images.Host(knarr_path, scratch)
    yield host
    assert host.traces() == []


def own_cgroup_file(controller, v1_name, v2_name):
    """A shell line that prints a file of the container's own cgroup."""
    v2 = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
    if not v2 and not pathlib.Path(f"/sys/fs/cgroup/{controller}").is_dir():
        pytest.skip(f"needs the cgroup controller {controller}")
    return f"cat /sys/fs/cgroup/{v2_name}" if v2 else f"cat /sys/fs/cgroup/{controller}/{v1_name}"


def output(host, layout, line, *options):
    return host.good("run", "--rm", "-q", *options, layout, "sh", "-c", line).strip()


def test_memory(host, layout):
    line = own_cgroup_file("memory", "memory.limit_in_bytes", "memory.max")
    assert output(host, layout, line, "-m", "64m") == str(64 << 20)


def test_pids_have_a_default_and_can_be_set_and_lifted(host, layout):
    line = own_cgroup_file("pids", "pids.max", "pids.max")
    assert output(host, layout, line) == "2048"
    assert output(host, layout, line, "--pids-limit", "20") == "20"
    assert output(host, layout, line, "--pids-limit", "-1") == "max"
    assert output(host, layout, line, "--pids-limit", "0") == "max"


def test_update_to_no_processes_is_no_limit_as_with_docker(host, layout):
    own_cgroup_file("pids", "pids.max", "pids.max")
    container = host.good("run", "-d", "-q", layout, "sleep", "1000").strip()
    host.good("update", "--pids-limit", "0", container)
    limits = [file.read_text() for path in images.cgroups_of(container)
              for file in [pathlib.Path(path, "pids.max")] if file.exists()]
    host.good("rm", "-f", container)
    assert limits == ["max\n"]


def test_cpus(host, layout):
    line = own_cgroup_file("cpu", "cpu.cfs_quota_us", "cpu.max")
    assert re.match(r"150000( 100000)?$", output(host, layout, line, "--cpus", "1.5"))


def test_the_strict_policy_has_a_memory_default_and_a_maximum(host, layout):
    line = own_cgroup_file("memory", "memory.limit_in_bytes", "memory.max")
    host_strict = images.Host(host.knarr, host.scratch)
    host_strict.command = lambda *words: [host.knarr, "--policy", "strict", "--root",
                                          str(host.root), "--data-root", str(host.data),
                                          *map(str, words)]
    assert output(host_strict, layout, line) == str(256 << 20)
    refused = host_strict.run("run", "--rm", "-m", "8193m", layout, "true")
    assert refused.returncode == 125
    assert "the policy strict allows" in refused.stderr


def test_only_the_harmless_devices_can_be_opened(host, layout):
    own_cgroup_file("devices", "devices.list", "cgroup.controllers")
    out = output(host, layout,
                 "echo x > /dev/null && head -c 3 /dev/zero | wc -c; ls /dev | grep -c sda; true")
    assert out.splitlines()[0].strip() == "3"
    assert out.splitlines()[1].strip() == "0"


@pytest.mark.parametrize("words", [["-m", "x"], ["--cpus", "0.001"], ["--cpus", "1e3"],
                                   ["--pids-limit", "x"], ["--pids-limit", "-5"]])
def test_nonsense_is_refused(host, layout, words):
    result = host.run("run", "--rm", *words, layout, "true")
    assert result.returncode == 125
    assert words[0].lstrip("-")[0] in result.stderr
