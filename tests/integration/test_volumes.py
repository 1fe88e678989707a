"""Volumes: named, anonymous, of an image; docker's words for them; killed at every step."""

import concurrent.futures
import json
import os
import re
import subprocess

import pytest

import background
import images
from background import host  # fixtures

pytestmark = pytest.mark.usefixtures("needs_root")

# Where making, filling and removing a volume can be killed.
MAKING = ["volume.new", "volume.made", "volume.copying", "volume.copied", "volume.moved"]
REMOVING = ["volume.gone"]


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layer = images.Layer()
    layer.directory("data", 0o750, uid=1000, gid=1001).directory("data/sub")
    layer.add("data/file", b"of the image\n", mode=0o640, uid=1000, gid=1001)
    layer.symlink("data/link", "file").symlink("out", "/../../../../../etc")
    return images.write_layout(tmp_path_factory.mktemp("image") / "box",
                               [images.base_layer(), layer.bytes()])


@pytest.fixture(scope="module")
def declaring(tmp_path_factory):
    return images.write_layout(tmp_path_factory.mktemp("image") / "vol", [images.base_layer()],
                               {"Volumes": {"/var/lib/it": {}}})


@pytest.fixture
def breakable(breakable_knarr, scratch, layout):
    host = background.Host(breakable_knarr, scratch)
    host.good("pull", "-q", layout)
    yield host
    host.end()


def output(host, layout, line, *options):
    return host.good("run", "--rm", "-q", *options, layout, "sh", "-c", line)


def names(host, *words):
    return host.good("volume", "ls", "-q", *words).split()


def on_disk(host):
    """All that there is of volumes, but for the lock."""
    directory = host.data / "volumes"
    return sorted(set(os.listdir(directory)) - {".lock"}) if directory.exists() else []


def test_a_named_one_is_made_filled_once_and_stays(host, layout):
    seen = output(host, layout,
                  "stat -c '%a %u:%g' /data /data/file; cat /data/link; echo mine > /data/file; mkdir /data/new",
                  "-v", "keep:/data")
    assert seen == "750 1000:1001\n640 1000:1001\nof the image\n"
    assert output(host, layout, "cat /other/file; ls /other", "-v", "keep:/other:ro") == \
        "mine\nfile\nlink\nnew\nsub\n"
    assert output(host, layout, "ls /data", "--mount", "source=empty,target=/data,volume-nocopy,volume-label=a=b") == ""
    assert host.run("run", "--rm", "-v", "keep:/data:ro", layout, "touch", "/data/x").returncode != 0
    assert names(host) == ["empty", "keep"]
    keep, empty = json.loads(host.good("volume", "inspect", "keep", "empty"))
    assert (keep["Name"], keep["Driver"], keep["Scope"], keep["Labels"]) == ("keep", "local", "local", None)
    assert empty["Labels"] == {"a": "b"}
    assert keep["Mountpoint"] == str(host.data / "volumes/keep/_data")
    assert host.good("volume", "inspect", "-f", "{{.Name}}", "keep") == "keep\n"
    assert host.good("volume", "rm", "keep", "empty") == "keep\nempty\n"
    assert on_disk(host) == []


def test_what_the_image_has_is_taken_from_the_image_alone(host, layout):
    # The image's link leads to /etc: its own, and not the host's.
    # Docker's three files lie over that, and need places there, as with docker.
    assert output(host, layout, "ls /out", "-v", "/out").split() == ["group", "hostname", "hosts", "os-release",
                                                                     "passwd", "resolv.conf"]
    assert on_disk(host) == []


def test_anonymous_ones_go_where_docker_lets_them_go(host, declaring):
    mounts = output(host, declaring, "cat /proc/mounts", "-v", "/more")
    assert " /var/lib/it " in mounts and " /more " in mounts
    assert on_disk(host) == []  # --rm
    container = host.launch(declaring, "sleep", "1000")
    (mount,) = [one for one in host.inspect(container)["Mounts"] if one["Type"] == "volume"]
    assert re.fullmatch("[0-9a-f]{64}", mount["Name"])
    assert (mount["Destination"], mount["Driver"], mount["RW"]) == ("/var/lib/it", "local", True)
    assert names(host) == [mount["Name"]]
    host.good("stop", "-t", "0", container)
    host.good("start", container)  # the same one again
    assert names(host) == [mount["Name"]]
    host.good("rm", "-f", container)
    assert names(host, "--filter", "dangling=true") == [mount["Name"]]
    pruned = host.good("volume", "prune", "-f")
    assert pruned.startswith(f"Deleted Volumes:\n{mount['Name']}\n\nTotal reclaimed space: ")
    host.good("rm", "-v", host.good("create", "-q", declaring, "true").strip())
    assert on_disk(host) == []
    detached = host.launch(declaring, "true", options=["--rm"])
    background.wait_until(lambda: not host.containers() and on_disk(host) == [], f"{detached} left a volume", 60)


def test_one_that_is_used_cannot_be_removed(host, layout):
    host.good("volume", "create", "--label", "a=1", "mine")
    container = host.good("create", "-q", "-v", "mine:/x", layout, "true").strip()
    refused = host.run("volume", "rm", "mine")
    assert refused.returncode == 1 and container in refused.stderr
    assert names(host, "--filter", "dangling=true") == []
    assert host.good("volume", "prune", "-f", "-a") == "Total reclaimed space: 0B\n"
    host.good("rm", "-v", container)
    assert names(host) == ["mine"]  # named: it stays
    assert "mine" not in host.good("volume", "prune", "-f")
    assert "mine" not in host.good("volume", "prune", "-f", "-a", "--filter", "label!=a")
    assert names(host, "--filter", "label=a=2") == [] and names(host, "--filter", "label=a") == ["mine"]
    assert "mine" in host.good("volume", "prune", "-f", "-a")


def test_binds_and_tmpfs_by_mount(host, layout, scratch):
    (scratch / "dir").mkdir()
    (scratch / "dir/file").write_text("host\n")
    seen = output(host, layout, "cat /b/file; touch /b/new 2>&1; cat /proc/mounts",
                  "--mount", f"type=bind,source={scratch}/dir,target=/b,readonly",
                  "--mount", "type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=700")
    assert seen.startswith("host\n") and "Read-only" in seen
    assert re.search(r"^tmpfs /t tmpfs \S*size=1024k,mode=700", seen, re.M)


@pytest.mark.parametrize("words, told", [
    (["-v", "n/a:/x"], "n/a"), (["-v", "x:/x"], "x"), (["-v", "name:x"], "absolute"),
    (["-v", "one:/x", "-v", "two:/x/"], "/x"), (["-v", "one:/x:rshared"], "rshared"),
    (["--mount", "type=volume,target=/x,colour=red"], "colour"),
    (["--mount", "type=bind,source=/none/at/all,target=/x"], "/none/at/all"),
])
def test_wrong_ones_leave_nothing(host, declaring, words, told):
    refused = host.run("run", "--rm", *words, declaring, "true")
    assert refused.returncode in (2, 125) and told in refused.stderr
    assert on_disk(host) == []


@pytest.mark.parametrize("place", ["/proc", "/sys/fs", "/dev/../dev", "relative", "/"])
def test_an_image_declares_none_over_what_the_kernel_says(host, tmp_path, place):
    hostile = images.write_layout(tmp_path / "vol", [images.base_layer()], {"Volumes": {place: {}}})
    refused = host.run("run", "--rm", hostile, "true")
    assert refused.returncode == 125 and "declares the volume" in refused.stderr
    assert on_disk(host) == []


def test_a_launch_that_fails_leaves_no_anonymous_volume(host, declaring):
    assert host.run("run", "--rm", declaring, "/none").returncode == 127
    assert host.run("run", "-d", declaring, "/none").returncode == 127
    assert on_disk(host) == []


def test_words_that_are_wrong(host):
    assert names(host, "--filter", "dangling=true") == []
    assert host.run("volume", "create", "a/b").returncode == 2
    assert host.run("volume", "create", "--name", "").returncode == 2
    refused = host.run("volume", "rm", "nobody")
    assert refused.returncode != 0 and "hint: knarr volume ls" in refused.stderr
    assert host.run("volume", "rm").returncode == 2
    assert host.good("volume", "rm", "-f", "nobody") == "nobody\n"
    missing = host.run("volume", "inspect", "nobody")
    assert missing.returncode != 0 and missing.stdout == "[]\n" and "no such volume: nobody" in missing.stderr
    assert "driver" in host.run("volume", "create", "-d", "nfs", "x").stderr
    assert host.run("volume", "create", "-o", "type=nfs", "x").returncode != 0
    assert host.run("volume", "ls", "--filter", "colour=red").returncode == 2
    name = host.good("volume", "create").strip()
    assert re.fullmatch("[0-9a-f]{64}", name)
    assert host.good("volume", "create", name) == name + "\n"
    assert [os.stat(host.data / part).st_mode & 0o777 for part in (".", "volumes")] == [0o700] * 2
    (line,) = host.good("volume", "ls", "--format", "json").splitlines()
    assert json.loads(line)["Labels"] == "com.docker.volume.anonymous="
    assert host.good("volume", "ls", "--format", "{{.Driver}} {{.Name}}") == f"local {name}\n"
    asked = subprocess.run(host.command("volume", "prune"), input="n\n", capture_output=True, text=True)
    assert "[y/N]" in asked.stderr and names(host) == [name]
    (host.data / "volumes" / name / "meta").write_text("{rubbish")
    assert name in host.run("volume", "ls").stderr  # told of, and still to be removed
    host.good("volume", "rm", name)


@pytest.mark.parametrize("point", MAKING)
def test_a_run_killed_while_it_makes_one_leaves_nothing_for_ever(breakable, point):
    killed = breakable.run("run", "--rm", "-v", "named:/data", "-v", "/more", "localhost/box", "true",
                           fault=f"{point}=kill")
    assert killed.returncode == -9
    for container in breakable.containers():
        breakable.good("rm", "-f", container["id"])
    seen = output(breakable, "localhost/box", "stat -c %a /data; cat /data/link; ls /data", "-v", "named:/data")
    assert seen == "750\nof the image\nfile\nlink\nsub\n"
    breakable.good("volume", "rm", "named")
    breakable.good("volume", "prune", "-f")
    assert on_disk(breakable) == []


@pytest.mark.parametrize("point", MAKING)
def test_a_run_that_fails_while_it_makes_one_leaves_no_anonymous_one(breakable, point):
    failed = breakable.run("run", "--name", "ship", "-v", "/data", "localhost/box", "true", fault=point)
    assert failed.returncode == 125 and point in failed.stderr
    assert on_disk(breakable) == [] and breakable.containers() == []


@pytest.mark.parametrize("point", REMOVING)
def test_a_killed_removal_is_gone_on_with(breakable, point):
    for name in ("one", "two"):
        breakable.good("volume", "create", name)
    assert breakable.run("volume", "rm", "one", fault=f"{point}=kill").returncode == -9
    assert names(breakable) == ["two"]
    breakable.good("volume", "create", "one")
    breakable.good("volume", "rm", "one", "two")
    assert on_disk(breakable) == []


def test_many_clients_at_once(host, layout):
    host.good("pull", "-q", layout)

    def work(number):
        if number % 3 == 2:
            return host.run("volume", "rm", "both")  # in use, or gone for the next
        return host.run("run", "--rm", "-v", "both:/data", "-v", "/more", "localhost/box", "cat", "/data/link",
                        "/data/file")

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(work, range(18)))
    for number, result in enumerate(results):
        if number % 3 == 2:
            assert result.returncode == 0 or "in use by" in result.stderr or "no such" in result.stderr
        else:
            assert (result.returncode, result.stdout) == (0, "of the image\n" * 2), result.stderr
    assert set(on_disk(host)) <= {"both"}


def test_volumes_of_another_container(host, layout, scratch):
    (scratch / "shared").mkdir()
    host.good("create", "-q", "--name", "first", "-v", f"{scratch}/shared:/shared:ro", "-v", "keep:/keep", "-v", "/own", layout, "true")
    script = "cat /proc/mounts; echo text > /keep/file; echo text > /own/file"
    mounts = output(host, layout, script, "--volumes-from", "first")
    assert re.search(r"^\S+ /shared \S+ ro,", mounts, re.M) and re.search(r"^\S+ /keep \S+ rw,", mounts, re.M)
    assert output(host, layout, "cat /keep/file /own/file", "--volumes-from", "first:ro") == "text\ntext\n"
    refused = host.run("run", "--rm", "-q", "--volumes-from", "first:ro", layout, "sh", "-c", "echo x > /keep/file")
    assert refused.returncode != 0 and "Read-only" in refused.stderr
    # What is asked for itself goes before.
    (scratch / "other").mkdir()
    (scratch / "other" / "mine").touch()
    assert output(host, layout, "ls /keep", "--volumes-from", "first", "-v", f"{scratch}/other:/keep") == "mine\n"
    for wrong, told in (("nobody", "nobody"), ("first:rx", "neither ro nor rw")):
        refused = host.run("run", "--rm", "-q", "--volumes-from", wrong, layout, "true")
        assert refused.returncode == 125 and told in refused.stderr
    host.good("rm", "-v", "first")
    assert names(host) == ["keep"]  # the one without a name went


def test_inspect_tells_mounts_from_binds(host, layout, scratch):
    (scratch / "dir").mkdir()
    host.good("create", "-q", "--name", "web", "-v", f"{scratch}/dir:/b1:ro", "-v", "data:/v1", "-v", "/anonymous",
              "--tmpfs", "/t1:size=1m", "--mount", f"type=bind,source={scratch}/dir,target=/b2/,readonly,bind-propagation=rslave",
              "--mount", f"type=bind,source={scratch}/dir,target=/b3,bind-recursive=disabled",
              "--mount", "type=volume,source=data2,target=/v2,volume-nocopy,volume-label=a=1", "--mount", "target=/v3",
              "--mount", "type=tmpfs,target=/t2,tmpfs-size=1m,tmpfs-mode=1770", layout, "true")
    shown = host.inspect("web")
    asked = shown["HostConfig"]
    assert sorted(asked["Binds"]) == [f"{scratch}/dir:/b1:ro", "data:/v1:rw"] and list(asked["Tmpfs"]) == ["/t1"]
    assert sorted(asked["Mounts"], key=lambda one: one["Target"]) == [
        {"Type": "bind", "Source": f"{scratch}/dir", "Target": "/b2", "ReadOnly": True,
         "BindOptions": {"Propagation": "rslave"}},
        {"Type": "bind", "Source": f"{scratch}/dir", "Target": "/b3", "BindOptions": {"NonRecursive": True}},
        {"Type": "tmpfs", "Target": "/t2", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o1770}},
        {"Type": "volume", "Source": "data2", "Target": "/v2",
         "VolumeOptions": {"NoCopy": True, "Labels": {"a": "1"}}},
        {"Type": "volume", "Target": "/v3"}]
    points = {one["Destination"]: one for one in shown["Mounts"]}
    assert set(points) == {"/b1", "/b2", "/b3", "/v1", "/v2", "/v3", "/anonymous", "/t2"}
    assert points["/t2"] == {"Type": "tmpfs", "Source": "", "Destination": "/t2", "Mode": "", "RW": True, "Propagation": ""}
    assert (points["/b1"]["Mode"], points["/b2"]["Mode"], points["/b2"]["RW"]) == ("ro", "", False)
    assert points["/b2"]["Propagation"] == "rslave" and points["/v2"]["Name"] == "data2"
    assert host.good("inspect", "-f", "{{range .HostConfig.Mounts}}{{.Target}};{{end}}", "web").count(";") == 5
    assert host.good("ps", "-aq", "--filter", "volume=/t2") != "" and host.good("ps", "-aq", "--filter", "volume=/t1") == ""
    row = host.good("ps", "-a", "--format", "{{.Mounts}}").strip().split(",")
    assert len(row) == 7 and "" not in row
    host.good("rm", "-v", "web")
    assert names(host) == ["data", "data2"]
