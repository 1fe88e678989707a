"""What people who know docker, podman or runc expect of a command line, and what an error has to tell them."""

import io
import json
import os
import re
import tarfile

import pytest

import images
from background import host  # a fixture
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    layer = images.Layer()
    layer.directory("data").add("data/first", b"of the image\n").add("etc/motd", b"hello\n")
    return images.write_layout(tmp_path_factory.mktemp("image") / "box", [images.base_layer(), layer.bytes()],
                               {"Cmd": ["sleep", "1000"], "Labels": {"tier": "web"},
                                "ExposedPorts": {"80/tcp": {}, "53": {}}})


@pytest.fixture
def stored(host, layout):
    """The image under some names; its ID."""
    identifier = host.good("pull", "-q", layout).strip()
    for name in ("debian:12", "debian:13", "quay.io/team/tool:1"):
        host.good("tag", "localhost/box", name)
    return identifier


# --- plan ---

def steps(plan):
    return json.dumps(plan, sort_keys=True)


def test_a_plan_takes_the_options_of_run(host, stored, scratch):
    plan = host.good("plan", "--memory", "64m", "-u", "1000:7", "-w", "/data", "-e", "A=b", "--tmpfs", "/scratch",
                     "-v", f"{scratch}:/there:ro", "--hostname", "ship", "--cap-drop", "ALL", "--read-only",
                     "-d", "--name", "web", "--restart", "always", "localhost/box", "sh", "-c", "echo hi")
    for text in ("/scratch", "/there", "ship", "67108864", "cwd /data", "1000", "echo hi"):
        assert text in plan, f"{text} is not in {plan}"
    assert "/there" not in host.good("plan", "localhost/box")
    assert host.traces() == [] and host.containers() == []


def test_a_plan_says_what_the_run_is_then(host, stored):
    options = ["--memory", "64m", "--cpus", "0.5", "--pids-limit", "33", "-u", "1000", "--ulimit", "nofile=44"]
    plan = json.loads(host.good("plan", "--json", *options, "localhost/box", "sleep", "1000"))
    container = host.launch("localhost/box", "sleep", "1000", options=options)
    config = json.loads((host.data / "containers" / container / "config.json").read_text())
    assert config["process"]["args"] == ["sleep", "1000"] and '"sleep"' in steps(plan)
    assert "44" in steps(plan) and config["process"]["rlimits"] == [{"type": "RLIMIT_NOFILE", "soft": 44, "hard": 44}]
    assert config["linux"]["resources"]["memory"]["limit"] == 64 << 20 and str(64 << 20) in steps(plan)
    assert config["linux"]["resources"]["pids"]["limit"] == 33 and '"33"' in steps(plan)


@pytest.mark.parametrize("words, why", [
    (["--memory", "lots", "localhost/box"], "--memory"), (["--hostname", "-x", "localhost/box"], "host name"),
    (["--network", "bridge", "localhost/box"], "--network"), (["-v", "/dev/null/none:/x", "localhost/box"], "none"),
    (["--stop-signal", "NOPE", "localhost/box"], "NOPE"), (["--volumes-from", "nobody", "localhost/box"], "nobody"),
    (["--gpus", "all", "localhost/box"], "--gpus"), (["--rm", "--bundle", ".", "web"], "--rm")])
def test_a_plan_refuses_what_run_refuses(host, stored, words, why):
    planned, ran = host.run("plan", *words), host.run("run", *words)
    assert planned.returncode != 0 and why in planned.stderr
    told = [done.stderr.splitlines()[0].split(": ", 1)[1] for done in (planned, ran)]
    assert told[0] == told[1]


def test_a_plan_shows_the_volumes_of_another_container(host, stored):
    host.good("create", "--name", "web", "-v", "stuff:/data", "localhost/box")
    plan = host.good("plan", "--volumes-from", "web:ro", "localhost/box")
    assert "/data" in plan and "stuff" in plan


def test_a_plan_of_a_bundle_is_named_as_with_run(host, bundle_here):
    by_directory = host.good("plan", bundle_here)
    assert host.good("plan", "--bundle", bundle_here) == by_directory
    assert host.good("plan", "--bundle", bundle_here, "plan") == by_directory
    assert host.good("plan", cwd=bundle_here) == by_directory
    assert "/web" in host.good("plan", "--bundle", bundle_here, "web")
    assert json.loads(host.good("plan", bundle_here, "--json"))


# --- bundles that are broken ---

@pytest.fixture
def bundle_here(scratch):
    directory = scratch / "bundle"
    (directory / "rootfs" / "proc").mkdir(parents=True)
    config = {"ociVersion": "1.2.0", "root": {"path": "rootfs"},
              "process": {"args": ["/none"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
              "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}}
    (directory / "config.json").write_text(json.dumps(config))
    return directory


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process":{}}', '{"ociVersion":"1.0.0"'])
@pytest.mark.parametrize("verb", ["run", "create", "plan"])
def test_a_broken_bundle_is_no_name_of_an_image(host, bundle_here, text, verb):
    (bundle_here / "config.json").write_text(text)
    for words, place in (([verb, "web"], bundle_here), ([verb, "--bundle", str(bundle_here), "web"], "/")):
        done = host.run(*words, cwd=place)
        assert done.returncode != 0
        assert "config.json" in done.stderr or "bundle" in done.stderr, done.stderr
        assert "image" not in done.stderr and "docker.io" not in done.stderr
    assert host.containers() == []


def test_a_config_json_of_something_else_makes_no_bundle(host, stored, scratch):
    (scratch / "config.json").write_text('{"port": 80}')
    done = host.run("plan", "localhost/box", cwd=scratch)
    assert done.returncode == 0, done.stderr


def test_the_directory_of_a_bundle_as_an_image_is_hinted_at(host, bundle_here):
    done = host.run("run", "--pull", "never", bundle_here.name, cwd=bundle_here.parent)
    assert done.returncode == 125 and f"knarr run --bundle {bundle_here.name} ID" in done.stderr
    done = host.run("run", str(bundle_here))
    assert done.returncode == 125 and f"knarr run --bundle {bundle_here} ID" in done.stderr


# --- cp ---

def names(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {entry.name.removeprefix("./").rstrip("/"): entry for entry in tar}


def test_the_whole_of_a_running_container_without_what_the_kernel_shows(host, layout, scratch):
    (scratch / "vol").mkdir()
    (scratch / "vol/kept").write_text("kept\n")
    container = host.launch(layout, options=["-v", f"{scratch}/vol:/vol", "--tmpfs", "/scratch"])
    host.good("exec", container, "sh", "-c", "echo memory > /scratch/file")
    done = host.run("cp", f"{container}:/", scratch / "whole")
    assert done.returncode == 0, done.stderr
    assert "file systems of the kernel that were left out: " in done.stderr
    whole = scratch / "whole"
    assert (whole / "vol/kept").read_text() == "kept\n" and (whole / "scratch/file").read_text() == "memory\n"
    assert (whole / "etc/motd").read_text() == "hello\n"
    assert [os.listdir(whole / name) for name in ("proc", "sys", "dev/pts", "dev/mqueue")] == [[], [], [], []]
    tar = host.run("cp", f"{container}:/", "-", text=False)
    assert tar.returncode == 0, tar.stderr
    inside = names(tar.stdout)
    assert {"vol/kept", "scratch/file", "etc/motd", "proc", "sys"} <= set(inside)
    assert not [name for name in inside if name.startswith(("proc/", "sys/", "dev/pts/"))]


def test_what_the_kernel_shows_is_copied_where_it_is_named(host, layout, scratch):
    container = host.launch(layout)
    host.good("cp", f"{container}:/proc/1/comm", scratch / "name")
    assert (scratch / "name").read_text() == "sleep\n"
    tar = host.run("cp", f"{container}:/proc/1/comm", "-", text=False)
    with tarfile.open(fileobj=io.BytesIO(tar.stdout)) as opened:
        assert opened.extractfile("comm").read() == b"sleep\n"
    tar = host.run("cp", f"{container}:/sys/fs/cgroup", "-", text=False)
    assert tar.returncode == 0 and len(names(tar.stdout)) > 1


# --- images ---

def table(text):
    return [line.split() for line in text.splitlines()]


def test_images_by_name(host, stored):
    rows = table(host.good("images", "debian"))
    assert [row[:2] for row in rows[1:]] == [["debian", "12"], ["debian", "13"]]
    assert [row[1] for row in table(host.good("images", "debian:13"))[1:]] == ["13"]
    assert table(host.good("images", "box"))[1][:2] == ["localhost/box", "latest"]
    assert table(host.good("images", "quay.io/team/*"))[1][:2] == ["quay.io/team/tool", "1"]
    assert len(table(host.good("images", "nothing"))) == 1
    assert host.good("images", "-q", "debian:12").strip() in stored
    assert host.good("images", "-q", "--no-trunc", "debian:12").strip() == stored
    listed = json.loads(host.good("images", "--json", "debian:12"))
    assert listed[0]["RepoTags"] == ["debian:12"]
    assert host.good("images", "--format", "{{.Tag}}", "debian").split() == ["12", "13"]
    assert host.run("images", "one", "two").returncode == 2


def test_images_by_filters(host, stored, tmp_path):
    newer = host.good("pull", "-q", images.write_layout(tmp_path / "newer", [images.base_layer()], {"Cmd": ["true"]},
                                                         created="2026-05-05T00:00:00Z")).strip()
    quiet = ["images", "-q", "--no-trunc", "--filter"]
    assert host.good(*quiet, "label=tier=web").split() == [stored]
    assert host.good(*quiet, "label=tier=db").split() == []
    assert host.good(*quiet, "since=debian:12").split() == [newer]
    assert host.good(*quiet, f"before={newer[7:19]}").split() == [stored]
    assert host.good(*quiet, "reference=newer*").split() == [newer]
    assert host.good(*quiet, "dangling=true").split() == []
    host.good("untag", "localhost/newer")
    assert host.good(*quiet, "dangling=true").split() == [newer]
    assert "<none>" in host.good("images", "-f", "dangling=true")
    for wrong in ("dangling=perhaps", "size=3", "reference"):
        assert host.run(*quiet, wrong).returncode == 2
    assert host.run(*quiet, "before=nobody").returncode == 3


def test_digests_are_shown_where_they_are_asked_for(host, stored):
    heading, row = table(host.good("images", "--digests", "debian:12"))
    assert heading[2] == "DIGEST" and row[2].startswith("sha256:") and len(row[2]) == 71
    assert table(host.good("images", "--no-trunc", "debian:12"))[1][2] == stored


def test_rmi_wants_force_for_several_names_and_for_what_stands_on_it(host, stored):
    refused = host.run("rmi", stored)
    assert refused.returncode == 3 and "debian:12" in refused.stderr and "rmi -f" in refused.stderr
    ended = host.launch("localhost/box", "sh", "-c", "echo one; exit 3")
    host.wait_ended(ended)
    for name in ("debian:12", "debian:13", "quay.io/team/tool:1"):
        host.good("rmi", name)
    refused = host.run("rmi", "localhost/box")
    assert refused.returncode == 3 and ended in refused.stderr and "rmi -f" in refused.stderr
    assert "Untagged: localhost/box:latest" in host.good("rmi", "-f", stored)
    assert json.loads(host.good("images", "--json")) == []
    host.good("start", ended)
    assert host.good("wait", ended) == "3\n" and host.good("logs", ended) == "one\none\n"


def test_rmi_by_force_spares_what_runs_and_does_not_miss_what_is_gone(host, stored):
    runs = host.launch("localhost/box")
    refused = host.run("rmi", "-f", stored)
    assert refused.returncode == 3 and runs in refused.stderr and "runs" in refused.stderr
    gone = host.run("rmi", "-f", "nothing")
    assert gone.returncode == 0 and "nothing" in gone.stderr
    assert host.run("rmi", "nothing").returncode == 3


def test_pull_of_a_layout_tells_its_name_and_how_to_go_on(host, layout):
    done = host.run("pull", layout)
    assert done.returncode == 0 and done.stdout.startswith("sha256:") and done.stdout.count("\n") == 1
    assert "stored as localhost/box:latest\n" in done.stderr
    assert "hint: knarr run --rm localhost/box:latest\n" in done.stderr
    assert host.run("pull", "-q", layout).stderr == ""


# --- inspect ---

def test_inspect_prints_as_docker_does(host, stored):
    container = host.good("create", "--name", "web", "-v", "stuff:/data", "localhost/box").strip()
    for words in (["inspect", "web"], ["inspect", "localhost/box"], ["image", "inspect", "debian:12"],
                  ["volume", "inspect", "stuff"], ["inspect", "--type", "volume", "stuff"],
                  ["container", "inspect", "web"]):
        text = host.good(*words)
        assert text == json.dumps(json.loads(text), indent=4, ensure_ascii=False) + "\n", words
        assert len(json.loads(text)) == 1
        line = host.good(*words, "-f", "json")
        assert line.count("\n") == 1 and json.loads(line) == json.loads(text)
    assert host.good("inspect", "-f", "{{.Id}}", "web") == container + "\n"
    missing = host.run("inspect", "nothing")
    assert missing.returncode != 0 and missing.stdout == "[]\n"


def test_inspect_tells_names_and_ports_that_were_asked_for(host, layout):
    container = host.launch(layout, options=["--dns", "1.1.1.1", "--dns-search", "example.org", "--dns-option", "ndots:2",
                                             "--add-host", "db:10.0.0.1", "--expose", "8000-8001", "--expose", "9/udp"])
    for _ in range(2):
        told = host.inspect(container)
        config = told["HostConfig"]
        assert (config["Dns"], config["DnsSearch"], config["DnsOptions"]) == (["1.1.1.1"], ["example.org"], ["ndots:2"])
        assert config["ExtraHosts"] == ["db:10.0.0.1"]
        assert told["Config"]["ExposedPorts"] == {port: {} for port in
                                                  ("53/tcp", "80/tcp", "8000/tcp", "8001/tcp", "9/udp")}
        host.good("restart", "-t", "0", container)
    plain = host.inspect(host.launch(layout))
    assert plain["HostConfig"]["Dns"] == [] and plain["HostConfig"]["ExtraHosts"] == []


def test_containers_by_their_ports(host, layout):
    host.launch(layout, options=["--name", "web", "--expose", "8000"])
    host.launch(layout, options=["--name", "plain"])
    named = ["ps", "--format", "{{.Names}}", "--filter"]
    assert host.good(*named, "expose=8000").split() == ["web"]
    assert host.good(*named, "expose=7990-8010/tcp").split() == ["web"]
    assert sorted(host.good(*named, "expose=80/tcp").split()) == ["plain", "web"]
    assert host.good(*named, "publish=8000").split() == []
    for wrong in ("expose=many", "publish=0", "expose=1/icmp"):
        assert host.run(*named, wrong).returncode == 2
    refused = host.run("run", "--expose", "nine", layout)
    assert refused.returncode == 125 and "--expose" in refused.stderr


# --- errors and hints ---

def test_errors_name_the_verb_as_it_was_typed(host):
    for words in (["rm", "none"], ["delete", "none"], ["ls", "--bad"], ["unpause", "none"], ["container", "rm", "none"],
                  ["image", "rm", "none"], ["rmi", "none"]):
        said = host.run(*words).stderr
        typed = " ".join(words[:2] if words[0] in ("container", "image") else words[:1])
        assert said.startswith(f"knarr {typed}: "), said
    assert "see knarr ls --help" in host.run("ls", "--bad").stderr


def test_hints_of_states(host, layout):
    container = host.launch(layout, options=["--name", "web"])
    refused = host.run("rm", "web").stderr
    assert f"knarr stop {container} first, or knarr rm --force {container}" in refused
    host.good("stop", "-t", "0", "web")
    assert f"knarr start {container}" in host.run("exec", "web", "true").stderr
    assert f"knarr start {container}" in host.run("pause", "web").stderr
    taken = host.run("create", "--name", "web", layout).stderr
    assert "knarr rm web" in taken


@pytest.mark.parametrize("words, hint", [
    (["run", "--env-file", "/no/such", "localhost/box"], "check the path"),
    (["run", "--env-file", "{bad}", "localhost/box"], "a line is NAME=VALUE"),
    (["run", "--label-file", "/no/such", "localhost/box"], "check the path"),
    (["load", "-i", "/no/such.tar"], "check the path"),
    (["import", "/no/such.tar"], "check the path"),
    (["exec", "-w", "/no/such", "web", "true"], "name a directory of the container"),
    (["cp", "/no/such", "web:/tmp"], "look at the path"),
    (["cp", "/no/such/file", "web:/tmp"], "make the directory first"),
    (["cp", "web:/no/such", "."], "look at the path"),
    (["cp", "web:/no/such/file", "."], "look at the path"),
    (["cp", "/etc/hosts", "web:/no/such/file"], "make the directory first"),
    (["cp", "/etc/hosts", "web:/none/"], "make it first"),
    (["cp", "web:/etc/motd", "/no/such/file"], "make the directory first"),
    (["cp", "web:/etc/motd/", "/tmp"], "slash")])
def test_what_is_not_there_has_a_hint(host, stored, scratch, words, hint):
    host.launch("localhost/box", options=["--name", "web"])
    (scratch / "bad").write_text("FINE=1\nexport NOT=fine\n")
    done = host.run(*[word.format(bad=scratch / "bad") for word in words])
    assert done.returncode != 0
    assert "hint: " in done.stderr and hint in done.stderr.split("hint: ")[1], done.stderr


def test_an_unhealthy_container_is_explained(host, layout):
    container = host.launch(layout, options=["--health-interval", "100ms", "--health-retries", "2", "--health-cmd",
                                             "echo the disk is on fire; exit 9"])
    wait_until(lambda: host.state(container)["Health"]["Status"] == "unhealthy", "it stays healthy", 60)
    told = host.good("explain", container)
    assert "is unhealthy" in told and "exit code 9: the disk is on fire" in told and "2 in a row" in told
    assert f"knarr health --run {container}" in told
    fine = host.launch(layout, options=["--health-cmd", "true", "--health-interval", "100ms"])
    wait_until(lambda: host.state(fine)["Health"]["Status"] == "healthy", "it is not healthy", 60)
    assert "probe" not in host.good("explain", fine)


def test_a_dry_run_says_would(host, layout):
    ended = host.launch(layout, "true")
    host.wait_ended(ended)
    said = host.good("cleanup", "--stopped", "--dry-run")
    assert said == f"would remove {ended}: it has ended\n"
    assert host.good("cleanup", "--stopped") == f"removed {ended}: it has ended\n"


# --- docker's words ---

def test_ps_takes_dockers_f_for_filters(host, layout):
    web = host.launch(layout, options=["--name", "web", "-l", "tier=web"])
    host.wait_ended(host.launch(layout, "true", options=["--name", "done"]))
    assert host.good("ps", "-f", "name=web", "--no-trunc", "-q").split() == [web]
    assert host.good("ps", "-aqf", "status=exited", "--format", "{{.Names}}").split() != [web]
    assert host.good("ps", "-f", "label=tier=web", "-f", "name=web", "--format", "{{.Names}}").split() == ["web"]
    assert json.loads(host.good("ps", "-f", "json"))["Names"] == "web"
    assert host.good("ps", "-f", "{{.Names}} a=b") == "web a=b\n"
    assert host.run("ps", "-f", "nothing=1").returncode == 2
    assert host.good("ps", "-f", "json", "--format", "{{.Names}}") == "web\n", "the last format counts"


def test_container_ls_is_dockers(host, layout):
    host.launch(layout, options=["--name", "web"])
    host.wait_ended(host.launch(layout, "true", options=["--name", "done"]))
    for word in ("ls", "list", "ps"):
        assert host.good("container", word, "--format", "{{.Names}}").split() == ["web"]
        assert host.good("container", word, "-a", "--format", "{{.Names}}").split() == ["done", "web"]
    assert host.good("container", "ls") == host.good("ps")


def test_what_a_map_lacks_is_no_mistake(host, layout):
    host.good("create", "--name", "web", "-l", "a=1", layout)
    shown = host.good("inspect", "-f", "{{.Config.Labels.a}}/{{.Config.Labels.b}}/{{index .Config.Labels \"b\"}}", "web")
    assert shown == "1/<no value>/\n"
    assert host.good("inspect", "-f", "{{if .Config.Labels.b}}yes{{else}}no{{end}}", "web") == "no\n"
    assert host.run("inspect", "-f", "{{.Config.Lables.a}}", "web").returncode == 2
    host.good("start", "web")
    other = host.good("inspect", "-f", "{{slice .Name 1}}", host.launch(layout)).strip()
    assert "_" in other
    told = host.good("events", "--since", "1h", "--until", "0s", "--filter", "event=start", "--format",
                     "{{.Action}}={{.Actor.Attributes.name}}")
    assert told.split("\n") == ["start=web", f"start={other}", ""]


def test_system_prune_removes_what_is_not_used(host, layout, stored):
    runs = host.launch("localhost/box", options=["-v", "kept:/kept"])
    ended = host.launch("debian:12", "true", options=["-v", "/nameless"])
    host.wait_ended(ended)
    host.run("system", "prune", input="n\n")
    assert len(host.containers()) == 2
    said = host.good("system", "prune", "-f")
    assert f"Deleted Containers:\n{ended}\n" in said and "Total reclaimed space: " in said
    assert [one["id"] for one in host.containers()] == [runs]
    assert len(host.good("volume", "ls", "-q").split()) == 2
    said = host.good("system", "prune", "-a", "-f", "--volumes")
    assert "Deleted Volumes:\n" in said
    assert host.good("volume", "ls", "-q").split() == ["kept"]
    assert host.good("system", "df").startswith("TYPE") and host.good("images", "-q") != ""
    host.good("rm", "-f", runs)
    assert "untagged: " in host.good("system", "prune", "-a", "-f") and host.good("images", "-q") == ""


def test_versions_by_dockers_templates(host):
    assert host.good("version", "--format", "{{.Server.Version}}") == host.good("version", "-f", "{{.Client.Version}}")
    assert host.good("info", "--format", "{{.OSType}}") == "linux\n"
    assert host.good("info", "-f", "{{.ServerVersion}}") == host.good("version", "-f", "{{.version}}")


def test_a_short_name_of_what_is_local_is_hinted_at(host, stored):
    for words in (["run", "--pull", "never", "box"], ["rmi", "box"], ["plan", "box"], ["inspect", "--type", "image", "box"]):
        done = host.run(*words)
        assert done.returncode != 0 and "localhost/box:latest is stored" in done.stderr, done.stderr
    assert "localhost/" not in host.run("rmi", "other").stderr


def test_an_option_behind_the_image_is_hinted_at(host, layout):
    done = host.run("run", "-q", layout, "--rm", "true")
    assert done.returncode == 127 and "options of knarr run stand before the image" in done.stderr


def test_a_noun_without_a_verb_names_its_verbs(host):
    assert "create, ls, inspect, rm, prune" in host.run("volume").stderr
    assert "hint: knarr volume --help shows its verbs" in host.run("volume", "burn").stderr


def test_times_of_ps_are_written_as_docker_writes_them(host, layout):
    host.launch(layout)
    moment = host.good("ps", "--format", "{{.CreatedAt}}").strip()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", moment)
