"""cp, diff, top, port, ps --filter, container prune: as docker's callers use them."""

import io
import json
import os
import subprocess
import tarfile

import pytest

import images
from background import box, host  # fixtures

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layer = images.Layer()
    layer.directory("srv").add("srv/a", b"A\n").add("srv/b", b"B\n").directory("srv/old")
    layer.add("srv/old/x", b"x\n").symlink("srv/abs", "/srv/a")
    layer.symlink("srv/out", "/../../../../etc/passwd")
    return images.write_layout(tmp_path_factory.mktemp("image") / "box",
                               [images.base_layer(), layer.bytes()])


def test_files_go_both_ways(host, box, scratch):
    out, tree = scratch / "out", scratch / "tree"
    host.good("cp", "box:/srv/a", out)
    assert out.read_text() == "A\n"
    host.good("cp", "box:/srv", tree)  # a new name
    assert (tree / "old/x").read_text() == "x\n" and os.readlink(tree / "abs") == "/srv/a"
    host.good("cp", "box:/srv", tree)  # into what is there
    assert (tree / "srv/b").read_text() == "B\n"
    host.good("cp", "-L", "box:/srv/abs", scratch / "followed")
    assert (scratch / "followed").read_text() == "A\n"
    out.write_text("new\n")
    host.good("cp", out, "box:/srv/a")
    host.good("cp", out, "box:/tmp/")
    host.good("cp", f"{tree}/.", "box:/vol")
    for path in ("/srv/a", "/tmp/out"):
        host.good("cp", f"box:{path}", scratch / "back")
        assert (scratch / "back").read_text() == "new\n"
    assert (scratch / "vol/old/x").read_text() == "x\n"


def test_tars_go_both_ways(host, box):
    data = host.run("cp", "box:/srv", "-", text=False).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {"srv", "srv/a", "srv/old/x", "srv/abs"} <= set(tar.getnames())
    layer = images.Layer().directory("d", 0o700, uid=5).add("d/f", b"tarred\n", uid=5, gid=6)
    given = host.run("cp", "-", "box:/tmp", input=layer.bytes(), text=False)
    assert given.returncode == 0, given.stderr
    back = host.run("cp", "box:/tmp/d", "-", text=False).stdout
    with tarfile.open(fileobj=io.BytesIO(back)) as tar:
        assert tar.extractfile("d/f").read() == b"tarred\n"
        assert (tar.getmember("d/f").uid, tar.getmember("d/f").gid) == (5, 6)


def test_links_lead_nowhere_but_into_the_container(host, box, scratch):
    (scratch / "evil").write_text("evil\n")
    ours = open("/etc/passwd", encoding="utf-8").read()
    host.good("cp", scratch / "evil", "box:/srv/out")
    assert open("/etc/passwd", encoding="utf-8").read() == ours
    host.good("cp", "-L", "box:/srv/out", scratch / "theirs")
    assert (scratch / "theirs").read_text() == "evil\n"
    layer = images.Layer().symlink("way", str(scratch)).add("way/escaped", b"x")
    refused = host.run("cp", "-", "box:/tmp", input=layer.bytes(), text=False)
    assert refused.returncode != 0 and not (scratch / "escaped").exists()
    up = images.Layer().add("../up", b"x")
    assert host.run("cp", "-", "box:/tmp", input=up.bytes(), text=False).returncode != 0


def test_wrong_copies_are_told(host, box, scratch):
    for words, told in [(["box:/none", scratch / "x"], "/none"), ([scratch / "none", "box:/tmp"], "none"),
                        (["box:/srv/a", f"{scratch}/no/"], "no"), (["box:/srv", "/dev/null"], "directory"),
                        (["a", "b"], "container"), (["box:/a", "box:/b"], "not")]:
        refused = host.run("cp", *words)
        assert refused.returncode != 0 and told in refused.stderr, refused.stderr


def test_diff(host, layout):
    container = host.launch(layout, "sh", "-c", "echo 1 > /srv/a; kill -0 1; busybox rm /srv/b; "
                            "mkdir /new; touch /new/f; busybox rm -r /srv/old; mkdir /srv/old; touch /srv/old/y")
    host.wait_ended(container)
    assert host.good("diff", container).splitlines() == [
        "A /new", "A /new/f", "C /srv", "C /srv/a", "D /srv/b", "C /srv/old", "D /srv/old/x",
        "A /srv/old/y"]


def test_top_and_port(host, layout):
    container = host.launch(layout, "sleep", "1000")
    assert "sleep 1000" in host.good("top", container)
    assert host.good("top", container, "-o", "pid,comm").split()[:2] == ["PID", "COMMAND"]
    assert host.good("port", container) == ""
    assert "80/tcp" in host.run("port", container, "80/tcp").stderr
    host.good("kill", container)
    host.good("wait", container)
    assert host.run("top", container).returncode == 1


def test_filters_and_prune(host, layout):
    web = host.launch(layout, "sleep", "1000", options=["--name", "web", "--label", "tier=front"])
    job = host.launch(layout, "sh", "-c", "exit 3", options=["--name", "job", "--label", "tier=back"])
    host.wait_ended(job)
    made = host.good("create", "-q", "--name", "made", layout, "true").strip()

    def chosen(*filters):
        words = [word for one in filters for word in ("--filter", one)]
        return set(host.good("ps", "-aq", "--no-trunc", *words).split())
    assert chosen("name=web") == {web} and chosen("label=tier") == {web, job}
    assert chosen("status=exited") == {job} and chosen("exited=3", "label=tier=back") == {job}
    assert chosen("status=created", "status=running") == {web, made}
    assert chosen("before=job") == {web} and chosen(f"since={job}") == {made}
    assert json.loads(host.good("ps", "--filter", "name=web", "--format", "json"))["Labels"] == "tier=front"
    assert host.run("ps", "--filter", "colour=red").returncode != 0
    newest = host.good("ps", "-aq", "--no-trunc").split()
    assert host.good("ps", "-q", "--no-trunc", "-n", "2").split() == newest[:2]
    assert host.good("ps", "-lq", "--no-trunc").split() == newest[:1]
    assert "no such container" in host.run("ps", "--filter", "before=wbe").stderr
    assert host.run("container", "prune", input="n\n").stdout == ""
    removed = host.good("container", "prune", "-f", "--filter", "label=tier=back")
    assert removed.startswith(f"Deleted Containers:\n{job}\n\nTotal reclaimed space: ")
    assert made in host.good("container", "prune", "-f")
    assert chosen() == {web}


def test_templates_of_scripts(host, layout):
    container = host.launch(layout, "sleep", "1000", options=["--name", "web", "--label", "tier=front", "-v", "/own"])
    rows = host.good("ps", "--format", r"table {{.Names}}\t{{.Image}}\t{{.Label \"tier\"}}".replace('\\"', '"'))
    assert [line.split() for line in rows.splitlines()][1] == ["web", "localhost/box:latest", "front"]
    assert host.good("ps", "--format", r"{{.Names}}\t{{.State}}") == "web\trunning\n"
    for template, told in (
            ("{{range .Mounts}}{{.Destination}} {{end}}", "/own "),
            ('{{index .Config.Labels "tier"}}', "front"),
            ("{{if .State.Health}}{{.State.Health.Status}}{{else}}no check{{end}}", "no check"),
            ("{{range $name, $net := .NetworkSettings.Networks}}{{$name}}:{{$net.IPAddress}}{{end}}", "none:"),
            ('{{join .Config.Cmd " "}}', "sleep 1000"),
            ("{{.Name}} {{.HostConfig.NetworkMode}}", "/web none")):
        assert host.good("inspect", "-f", template, container) == told + "\n", template


def test_ps_shows_and_chooses_by_mounts_network_and_size(host, layout):
    host.launch(layout, "sh", "-c", "head -c 3000000 /dev/zero > /big; exec sleep 1000",
                options=["--name", "web", "-v", "data:/d", "-v", "/usr:/host/usr:ro"])
    host.launch(layout, "sleep", "1000", options=["--name", "db", "--network", "host"])
    def names(*filters):
        words = [word for one in filters for word in ("--filter", one)]
        return host.good("ps", *words, "--format", "{{.Names}}").split()
    assert names("volume=data") == names("volume=/d") == names("volume=/usr") == ["web"]
    assert names("network=host") == ["db"] and names("network=none", "volume=data") == ["web"]
    assert names("volume=other") == []
    web = json.loads(host.good("ps", "--filter", "name=web", "--format", "json"))
    assert web["Mounts"] == "data,/usr" and web["LocalVolumes"] == "1" and web["Networks"] == "none"
    images_table = host.good("ps", "-s")
    assert images_table.splitlines()[0].split()[-1] == "SIZE" and "(virtual " in images_table
    assert "CONTAINER ID" not in host.good("ps", "--noheading")
    assert host.good("ps", "--format", "{{.Size}}", "--filter", "name=web").startswith("3")
    one = json.loads(host.good("inspect", "--size", "web"))[0]
    assert 3_000_000 <= one["SizeRw"] < 4_000_000 < one["SizeRootFs"]
    assert "SizeRw" not in json.loads(host.good("inspect", "web"))[0]
    host.end()
    host.good("volume", "rm", "data")


def test_inspect_tells_what_was_asked_for(host, layout):
    host.launch(layout, "sleep", "1000", options=[
        "--name", "web", "--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN", "--device", "/dev/fuse:/dev/mine:rw",
        "--device-cgroup-rule", "c 42:* rw", "--ulimit", "nofile=100:200", "--sysctl", "net.ipv4.ip_forward=1",
        "--tmpfs", "/scratch:size=1m", "--shm-size", "2m", "--security-opt", "seccomp=unconfined", "--cpus", "0.5",
        "--init", "-i", "--cgroup-parent", "/knarr-inspect"])
    one = host.inspect("web")
    asked = one["HostConfig"]
    assert asked["CapAdd"] == ["CAP_NET_ADMIN"] and asked["CapDrop"] == ["CAP_CHOWN"]
    assert asked["Devices"] == [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/mine", "CgroupPermissions": "rw"}]
    assert asked["DeviceCgroupRules"] == ["c 42:* rw"]
    assert asked["Ulimits"] == [{"Name": "nofile", "Hard": 200, "Soft": 100}]
    assert asked["Sysctls"] == {"net.ipv4.ip_forward": "1"} and asked["ShmSize"] == 2 << 20
    assert list(asked["Tmpfs"]) == ["/scratch"] and asked["SecurityOpt"] == ["seccomp=unconfined"]
    assert asked["NanoCpus"] == 500_000_000 and asked["Init"] and not asked["Privileged"]
    assert asked["CgroupParent"] == "/knarr-inspect" and asked["Runtime"] == "knarr"
    assert one["Config"]["OpenStdin"] and one["ExecIDs"] is None
    data = one["GraphDriver"]["Data"]
    assert one["GraphDriver"]["Name"] == "overlay" and os.path.isdir(data["UpperDir"])
    assert all(os.path.isdir(place) for place in data["LowerDir"].split(":"))
    before = json.loads(host.good("inspect", "--size", "web"))[0]
    host.data, ours = host.scratch / "another", host.data
    elsewhere = json.loads(host.good("inspect", "--size", "web"))[0]
    host.data = ours
    assert elsewhere["GraphDriver"] == before["GraphDriver"] and elsewhere["Image"] == before["Image"]
    assert elsewhere["SizeRootFs"] == before["SizeRootFs"] > before["SizeRw"]
    host.good("rm", "-f", "web")
    for place in ("/sys/fs/cgroup", *(f"/sys/fs/cgroup/{one}" for one in os.listdir("/sys/fs/cgroup"))):
        if os.path.isdir(f"{place}/knarr-inspect"):
            os.rmdir(f"{place}/knarr-inspect")
    host.end()


def test_lists_take_templates_with_a_heading(host, layout):
    box = host.launch(layout, "sleep", "1000", options=["--name", "web"])
    wanted = "table {{.ID}}\\t{{.Name}}"
    assert host.good("stats", "--no-stream", "--format", wanted).split() == ["CONTAINER", "ID", "NAME", box[:12], "web"]
    host.good("volume", "create", "data")
    assert host.good("volume", "ls", "--format", "table {{.Name}}\\t{{.Driver}}").split() == [
        "VOLUME", "NAME", "DRIVER", "data", "local"]
    rows = host.good("images", "--format", "table {{.Repository}}\\t{{.Tag}}").splitlines()
    assert rows[0].split() == ["REPOSITORY", "TAG"] and len(rows) > 1
    image = host.good("images", "-q", "--no-trunc").split()[0]
    assert image.endswith(host.good("image", "inspect", "-f", "{{.Id}}", image.removeprefix("sha256:")[:12]).strip().removeprefix("sha256:"))
    assert "SIZE" in host.good("history", "--format", "table {{.ID}}\\t{{.Size}}", image.removeprefix("sha256:")[:12])
    assert host.good("version", "--format", "{{.name}}") == "knarr\n"
    assert host.good("info", "-f", "{{.os}}") == "linux\n"
    host.good("volume", "rm", "data")
    host.end()


def test_control_characters_of_a_container_do_not_reach_a_terminal(host, layout):
    evil = "\x1b]0;owned\x07\x9b31m\x7f"
    host.launch(layout, "sleep", "1000", options=["--name", "web", "--label", f"evil={evil}", "-e", f"EVIL={evil}"])
    from terminals import Screen
    for words in (["ps", "--format", "{{.Labels}}"], ["ps", "--format", "table {{.Labels}}"], ["inspect", "web"],
                  ["inspect", "-f", "{{.Config.Env}}", "web"], ["inspect", "-f", "{{json .Config.Labels}}", "web"],
                  ["ps", "--no-trunc"], ["events", "--since", "1h", "--until", "0s"]):
        screen = Screen(columns=2000)
        try:
            screen.start(host.command(*words), dict(os.environ))
            assert screen.wait() == 0, screen.seen
            assert screen.seen.strip(), words
            bad = [byte for byte in screen.seen if (byte < 0x20 and byte not in b"\r\n\t") or byte == 0x7f]
            assert not bad and "\x9b".encode() not in screen.seen, (words, screen.seen)
        finally:
            screen.close()
    assert host.good("ps", "--format", "{{.Labels}}") == f"evil={evil}\n", "a program gets the bytes as they are"
    host.end()


def test_new_limits_are_told_and_hold_for_later_runs(host, layout):
    box = host.launch(layout, "sleep", "1000", options=["--name", "web", "--memory", "64m"])
    host.good("update", "--memory", "48m", "--cpus", "0.5", "--pids-limit", "50", "web")
    def told():
        asked = host.inspect("web")["HostConfig"]
        return asked["Memory"] >> 20, asked["NanoCpus"], asked["PidsLimit"]
    assert told() == (48, 500_000_000, 50)
    refused = host.run("update", "--memory", "1k", "--memory-swap", "1", "web")
    assert refused.returncode != 0 and told() == (48, 500_000_000, 50)
    host.good("stop", "-t", "0", "web")
    host.good("update", "--pids-limit", "60", "-m", "40m", "web")
    assert told() == (40, 500_000_000, 60)
    assert host.run("update", "--blkio-weight", "1", "web").returncode != 0, "no launch would take it"
    assert "--cpuset-cpus" in host.run("update", "--cpuset-cpus", "0;rm", "web").stderr
    host.good("start", "web")
    lines = open(f"/proc/{host.state('web')['Pid']}/cgroup").read().splitlines()
    places = {names: path for _, names, path in (line.split(":", 2) for line in lines)}
    pids = f"/sys/fs/cgroup/pids{places['pids']}/pids.max" if "pids" in places else f"/sys/fs/cgroup{places['']}/pids.max"
    assert open(pids).read() == "60\n"
    assert told() == (40, 500_000_000, 60)
    # Where they cannot be kept, as on a full disk, those of before stay in force.
    data = os.path.dirname(host.inspect("web")["HostnamePath"])
    kept = subprocess.run(
        ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; exec "$@"', data,
         *host.command("update", "--pids-limit", "70", "web")], capture_output=True, text=True, check=False)
    assert kept.returncode != 0 and "config.json" in kept.stderr
    assert open(pids).read() == "60\n" and told() == (40, 500_000_000, 60)
    host.good("create", "-q", "--name", "made", layout, "true")
    host.good("update", "--pids-limit", "7", "made")
    assert host.inspect("made")["HostConfig"]["PidsLimit"] == 7 and box
    host.end()


def test_sizes_are_added_however_deep_files_lie(host, layout):
    script = "i=0; while [ $i -lt 1500 ]; do mkdir d && cd d || exit 9; i=$((i+1)); done; head -c 1048576 /dev/zero > f"
    assert host.run("run", "--name", "deep", "-q", layout, "sh", "-c", script).returncode == 0
    sized = json.loads(host.good("inspect", "--size", "deep"))[0]
    assert sized["SizeRw"] >= 1 << 20
    assert "MB" in host.good("ps", "-a", "-s") or "MiB" in host.good("ps", "-a", "-s")
    host.good("rm", "deep")


RUBBISH = [("--cpu-period", "5"), ("--cpu-period", "1000001"), ("--cpu-quota", "999"), ("--memory", "1"),
           ("--memory", "400k"), ("--cpu-shares", "262145"), ("--pids-limit", "4194305"), ("--cpuset-cpus", "3-1"),
           ("--cpuset-cpus", "8191"), ("--cpuset-mems", "1023"), ("--blkio-weight", "5")]


@pytest.mark.parametrize("option", RUBBISH, ids="=".join)
def test_limits_that_no_run_takes_are_refused_by_all_before_anything_is_stored(host, layout, option):
    assert host.run("create", "-q", *option, layout, "true").returncode != 0
    assert host.containers() == []
    host.good("create", "-q", "--name", "new", layout, "true")
    host.good("run", "-d", "-q", "--name", "up", layout, "sleep", "1000")
    host.good("run", "-q", "--name", "ended", layout, "true")
    for name in ("new", "up", "ended"):
        container = host.inspect(name)["Id"]
        config = host.data / "containers" / container / "config.json"
        before = config.read_bytes()
        refused = host.run("update", *option, name)
        assert refused.returncode != 0 and option[1].rstrip("k") in refused.stderr.replace("409600", "400"), \
            (name, refused.stderr)
        assert config.read_bytes() == before
    host.good("start", "-a", "new")


def test_inspect_takes_what_docker_takes(host, layout):
    host.launch(layout, "sleep", "1000", options=["--name", "web", "-v", "data:/d"])
    image = host.good("images", "-q", "--no-trunc").split()[0]
    digits = image.removeprefix("sha256:")
    box, picture, volume = json.loads(host.good("inspect", "web", digits, "data"))
    assert box["State"]["Running"] and picture["Id"].endswith(digits) and volume["Name"] == "data"
    assert host.good("inspect", "--type", "image", "-f", "{{.Id}}", digits).strip().endswith(digits)
    assert host.run("inspect", "--type", "container", "data").returncode != 0
    missing = host.run("inspect", "nothing-of-that-name")
    assert missing.returncode != 0 and "does not exist" in missing.stderr
    assert "not built" in host.run("inspect", "--type", "plugin", "web").stderr
    assert "none of" in host.run("inspect", "--type", "boat", "web").stderr
    assert "IMAGE" in host.run("inspect").stderr
    for words in (("inspect", "-f", "json", "data"), ("volume", "inspect", "-f", "json", "data"),
                  ("image", "inspect", "-f", "json", digits)):
        assert len(json.loads(host.good(*words))) == 1, words
    config = next((host.data / "blobs").rglob(f"*{digits}"))
    good = config.read_bytes()
    config.chmod(0o600)
    config.write_bytes(good[:-1] + b" ")
    damaged = host.run("inspect", "localhost/box")
    assert damaged.returncode != 0 and "does not exist" not in damaged.stderr and "[]" in damaged.stdout
    config.write_bytes(good)
    host.end()
    host.good("volume", "rm", "data")
