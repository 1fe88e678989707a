"""podman's ways to say which containers are meant: --all, --latest, --filter, --cidfile, --ignore; and `exists`."""

import json
import os
import re
import subprocess
import time

import pytest

import images
from background import host, layout  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

DEAF = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]


def deaf(host, layout, *options):
    """One that heeds no TERM."""
    container = host.launch(layout, *DEAF, options=options)
    wait_until(lambda: "ready" in host.good("logs", container), "it is not ready")
    return container


def states(host):
    return {one["name"]: one["status"] for one in host.containers()}


@pytest.fixture
def three(host, layout):
    """One that runs, one that has ended, one that never ran; their IDs by name."""
    ids = {"up": host.launch(layout, options=["--name", "up", "--label", "tier=web"]),
           "over": host.launch(layout, "false", options=["--name", "over"])}
    host.run("wait", "over")
    ids["new"] = host.good("create", "-q", "--name", "new", "--label", "tier=web", "--restart", "always", layout).strip()
    return ids


def test_stop_of_several_takes_no_longer_than_of_one(host, layout):
    names = [deaf(host, layout, "--name", f"deaf{i}") and f"deaf{i}" for i in range(4)]
    began = time.monotonic()
    assert host.good("stop", "-t", "2", *names) == "".join(f"{name}\n" for name in names)
    assert 2 <= time.monotonic() - began < 6, "they were stopped one after the other"
    for name in names:
        assert host.state(name)["ExitCode"] == 137
    assert host.good("stop", *names) == "".join(f"{name}\n" for name in names)


def test_each_has_its_own_time_to_stop(host, layout):
    slow = deaf(host, layout, "--name", "slow", "--stop-timeout", "4")
    quick = deaf(host, layout, "--name", "quick", "--stop-timeout", "1")
    stop = subprocess.Popen(host.command("stop", slow, quick), stdout=subprocess.PIPE, text=True)
    began = time.monotonic()
    host.wait_ended(quick)
    assert time.monotonic() - began < 3, "it waited for the one before it"
    assert host.state(slow)["Status"] == "running"
    assert stop.communicate(timeout=30)[0] == f"{slow}\n{quick}\n"


def test_stop_tells_the_failures_in_order_and_signals_once(host, layout):
    counted = "n=0; trap 'n=$((n+1)); echo got $n; [ $n = 2 ] && exit 3' TERM; echo ready; while :; do sleep 0.1; done"
    box = host.launch(layout, "sh", "-c", counted, options=["--name", "box"])
    wait_until(lambda: "ready" in host.good("logs", box), "it is not ready")
    done = host.run("stop", "-t", "1", "nosuch", "box", "gone", "box")
    assert done.returncode == 1 and done.stdout == "box\nbox\n"
    assert done.stderr.index("nosuch") < done.stderr.index("gone")
    assert host.good("logs", box) == "ready\ngot 1\n", "it was signalled twice"


def test_all_are_those_that_it_can_be_done_to(host, three):
    assert host.good("pause", "--all") == three["up"] + "\n"
    assert host.good("pause", "--all") == ""
    assert host.good("unpause", "-a") == three["up"] + "\n"
    assert host.good("kill", "--all", "--signal", "WINCH") == three["up"] + "\n"
    assert host.good("stop", "-a", "-t", "0") == three["up"] + "\n"
    assert states(host) == {"up": "stopped", "over": "stopped", "new": "created"}
    assert host.good("stop", "-a") == "" and host.good("kill", "-a") == ""
    started = host.good("start", "--all")
    assert sorted(started.split()) == sorted(three.values())
    host.run("wait", "over")
    assert host.good("start", "--all") == three["over"] + "\n", "those that run were started"
    host.run("wait", "over")
    restarted = host.good("restart", "--running", "-t", "0").split()
    assert sorted(restarted) == sorted([three["up"], three["new"]])
    host.run("wait", "over")
    done = host.run("rm", "--all")
    assert done.stdout == three["over"] + "\n" and done.returncode == 1
    assert done.stderr.count("You cannot remove a running container") == 2
    assert sorted(host.good("rm", "-af").split()) == sorted([three["up"], three["new"]])
    assert host.good("rm", "-af") == ""


def test_filters_choose_among_all_and_among_the_named(host, three):
    assert host.good("start", "--filter", "restart-policy=always") == three["new"] + "\n"
    assert host.good("start", "--filter", "restart-policy=on-failure", "over") == ""
    assert host.good("pause", "--filter", "name=^up$") == three["up"] + "\n"
    assert host.good("unpause", "-f", "label=tier=web") == three["up"] + "\n"
    assert host.good("stop", "-t", "0", "-f", "label=tier=web", "up", "over") == "up\n"
    assert host.good("rm", "--filter", "exited=1") == three["over"] + "\n"
    assert set(states(host)) == {"up", "new"}
    for words in (["stop", "-f", "nonsense"], ["rm", "--filter", "restart-policy=sometimes"]):
        assert host.run(*words).returncode == 2, words


def test_the_latest_is_the_newest(host, three):
    assert host.good("inspect", "-l", "-f", "{{.Name}}") == "/new\n"
    assert host.good("start", "-l") == three["new"] + "\n"
    assert host.good("exec", "-l", "echo", "-n", "hi") == "hi"
    assert "sleep 1000" in host.good("top", "-l")
    assert host.good("port", "--latest") == "" and host.good("logs", "-l") == ""
    host.good("exec", "-l", "touch", "/made")
    assert json.loads(host.good("diff", "-l", "--format", "json"))["added"] == ["/made"]
    assert "new" in host.good("stats", "--latest", "--no-stream", "--format", "{{.Name}}")
    assert host.good("stop", "-l", "-t", "0") == three["new"] + "\n"
    assert host.good("wait", "--latest") == "137\n"
    assert host.good("rm", "--latest") == three["new"] + "\n"
    assert host.good("inspect", "-l", "-f", "{{.Name}}") == "/over\n"
    for words in (["stop", "-l", "up"], ["stop", "-a", "up"], ["stop", "-al"], ["rm", "--all", "up"],
                  ["logs", "-l", "up"], ["start", "--all", "up"], ["inspect", "-l", "up"]):
        assert host.run(*words).returncode == 2 or words[0] == "start", words
    for words in (["rm", "-f", "--regex", "--all"], ["rm", "-f", "-r"], ["rm", "-r", "-a", "u"], ["kill", "--regex", "-a"], ["kill", "-r", "-l"]):
        assert host.run(*words).returncode == 2, words
    assert len(host.containers()) == 2
    host.good("rm", "-f", "up", "over")
    assert "there is no container" in host.run("stop", "--latest").stderr


def test_ids_come_from_files(host, layout, scratch):
    one, two = scratch / "one", scratch / "two"
    first = host.launch(layout, options=["--cidfile", one])
    second = host.launch(layout, options=["--cidfile", two])
    assert host.good("pause", "--cidfile", one) == first + "\n"
    assert host.good("unpause", "--cidfile", one) == first + "\n"
    assert host.good("kill", "--cidfile", one, "-s", "WINCH") == first + "\n"
    assert host.good("stop", "-t", "0", "--cidfile", one, "--cidfile", two) == f"{first}\n{second}\n"
    missing = scratch / "missing"
    done = host.run("stop", "--cidfile", missing)
    assert done.returncode != 0 and "missing" in done.stderr and "No such file" in done.stderr
    assert host.good("stop", "--ignore", "--cidfile", missing) == ""
    assert host.good("rm", "--cidfile", one) == first + "\n"
    assert host.run("rm", "--cidfile", one).returncode == 1
    assert host.good("rm", "--ignore", "--cidfile", one, "--cidfile", two, "nosuch") == second + "\n"
    one.write_text("\n")
    assert "is empty" in host.run("stop", "--cidfile", one).stderr


def test_what_is_missing_is_no_error_with_ignore(host):
    for verb in ("stop", "restart", "rm"):
        assert host.run(verb, "nosuch").returncode == 1
        done = host.run(verb, "--ignore", "nosuch")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), verb
    assert host.good("wait", "--ignore", "nosuch") == "-1\n"
    assert host.run("wait", "nosuch").returncode == 1


def test_rm_gives_time_to_end(host, layout):
    polite = host.launch(layout, "sh", "-c", "trap 'echo bye > /vol/told; exit' TERM; echo ready; while :; do sleep 0.1; done",
                         options=["--name", "polite", "-v", "kept:/vol"])
    wait_until(lambda: "ready" in host.good("logs", polite), "it is not ready")
    assert host.good("rm", "-f", "-t", "20", "polite") == "polite\n"
    place = host.good("volume", "inspect", "-f", "{{.Mountpoint}}", "kept").strip()
    with open(f"{place}/told", encoding="ascii") as told:
        assert told.read() == "bye\n"
    deaf(host, layout, "--name", "deaf")
    began = time.monotonic()
    host.good("rm", "-f", "--time=1", "deaf")
    assert 1 <= time.monotonic() - began < 10
    assert "--force" in host.run("rm", "-t", "1", "deaf").stderr


def test_all_are_never_those_of_bundles(host, layout, scratch):
    (scratch / "bundle" / "rootfs").mkdir(parents=True)
    program = scratch / "bundle" / "rootfs" / "sleep"
    program.write_bytes(images.busybox())
    program.chmod(0o755)
    host.good("spec", "--bundle", scratch / "bundle")
    config = json.loads((scratch / "bundle" / "config.json").read_text())
    config["process"].update(terminal=False, args=["/sleep", "1000"])
    (scratch / "bundle" / "config.json").write_text(json.dumps(config))
    host.good("create", "--bundle", scratch / "bundle", "theirs", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, capture_output=False)
    try:
        assert "theirs" in [one["id"] for one in host.containers()]
        for words in (["kill", "--all"], ["stop", "--all"], ["rm", "-af"], ["start", "--all"], ["rm", "-f", "--filter", "id=."]):
            assert host.good(*words) == "", words
        assert host.run("rm", "--latest").returncode == 1
        assert [one["id"] for one in host.containers()] == ["theirs"]
    finally:
        host.run("delete", "--force", "theirs")


def test_wait_for_other_states(host, layout):
    host.good("create", "-q", "--name", "box", "--health-cmd", "test -e /well", "--health-interval", "1s", layout)
    assert host.good("wait", "--condition", "created", "box") == "-1\n"
    waits = [subprocess.Popen(host.command("wait", "--condition", state, *more, "box"), stdout=subprocess.PIPE, text=True)
             for state, *more in (["running"], ["healthy", "-i", "50ms"], ["paused", "--condition=unhealthy"])]
    host.good("start", "box")
    assert waits[0].communicate(timeout=20)[0] == "-1\n"
    assert waits[1].poll() is None
    host.good("exec", "box", "touch", "/well")
    assert waits[1].communicate(timeout=20)[0] == "-1\n"
    host.good("pause", "box")
    assert waits[2].communicate(timeout=20)[0] == "-1\n"
    host.good("unpause", "box")
    host.good("kill", "box")
    assert host.good("wait", "--condition", "running", "--condition", "stopped", "box") == "137\n"
    assert "none of" in host.run("wait", "--condition", "asleep", "box").stderr
    assert host.run("wait", "-i", "0", "box").returncode == 2


def test_exists_answers_by_its_status(host, layout):
    container = host.launch(layout, options=["--name", "web", "-v", "data:/data"])
    asked = [("container", ["web", container, container[:12]]), ("volume", ["data"]), ("network", ["host", "none"]),
             ("image", host.good("images", "-q").split())]
    for noun, names in asked:
        for name in names:
            done = host.run(noun, "exists", name)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), (noun, name)
        for name in ("nosuch", "no/such:thing", "-_"):
            done = host.run(noun, "exists", "--", name)
            assert (done.returncode, done.stdout, done.stderr) == (1, "", ""), (noun, name)
        assert host.run(noun, "exists").returncode != 0
        assert host.run(noun, "exists", "--nonsense", "x").returncode == 125
    host.good("stop", "-t", "0", "web")
    assert host.run("container", "exists", "web").returncode == 0
    record = host.root / container / "state.json"
    record.write_text("{")
    assert host.run("container", "exists", container).returncode == 125
    host.good("recover")


def test_ps_in_another_order(host, layout):
    for name in ("b", "c", "a"):
        host.launch(layout, options=["--name", name])
    shown = lambda *words: "".join(host.good("ps", "-a", "--format", "{{.Names}}", *words).split())
    assert shown() == "acb" and shown("--sort", "created") == "bca"
    assert shown("--sort", "names") == "abc" and shown("--sort", "names", "-n", "2") == "ac"
    host.good("exec", "c", "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=3")
    host.good("exec", "b", "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=1")
    assert shown("--sort", "size") == "abc" and shown("--sort", "runningfor") == "bca"
    host.good("stop", "-t", "0", "b")
    assert shown("--sort", "status", "--sync") == "bca"
    assert "none of" in host.run("ps", "--sort", "beauty").stderr


def test_events_that_are_kept_are_told_without_waiting(host, layout):
    assert host.good("events", "--stream=false", timeout=20) == ""
    host.good("run", "--rm", "--name", "one", layout, "true")
    told = host.good("events", "--stream=false", "--no-trunc", "--filter", "container=one", "--filter", "event=start", "--filter",
                     "event=die", "--format", "{{.Action}} {{.Actor.Attributes.name}}", timeout=20)
    assert told == "start one\ndie one\n"
    moment = host.good("events", "--stream=false", "--filter", "event=die", "--format", "{{.TimeNano}}").strip()
    assert re.fullmatch(r"\d{19}", moment)
    assert "start" not in host.good("events", "--stream=false", "--since", f"{moment[:10]}.{moment[10:]}", "--format", "{{.Action}}")


def test_replace_takes_the_name_when_all_is_ready(host, layout):
    first = host.launch(layout, options=["--name", "web", "-v", "/data"])
    volumes = host.good("volume", "ls", "-q").split()
    done = host.run("run", "-d", "-q", "--replace", "--name", "web", "--pull", "never", "nosuch")
    assert done.returncode == 125 and host.inspect("web")["Id"] == first, "the old one is gone, and there is no new one"
    second = host.launch(layout, options=["--name", "web", "--replace"])
    assert host.inspect("web")["Id"] == second and len(host.containers()) == 1
    assert host.good("volume", "ls", "-q").split() == volumes, "its volumes went with it"
    host.good("pause", "web")
    third = host.good("create", "-q", "--replace", "--name", "/web", layout).strip()
    assert host.inspect("web")["Id"] == third and len(host.containers()) == 1
    host.good("create", "-q", "--replace", "--name", third[:8], layout)
    assert len(host.containers()) == 2, "an ID's beginning is no name"
    assert "--name" in host.run("run", "-d", "--replace", layout).stderr


def test_a_replace_that_is_cut_off_leaves_a_free_name(host, layout, breakable_knarr):
    host.launch(layout, options=["--name", "web"])
    whole, host.knarr = host.knarr, breakable_knarr
    assert host.run("run", "-d", "-q", "--replace", "--name", "web", layout, fault="run_image.replaced").returncode != 0
    host.knarr = whole
    assert host.containers() == []
    host.launch(layout, options=["--name", "web", "--replace"])


def test_variables_that_begin_so_are_taken(host, layout, scratch):
    (scratch / "file").write_text("MINE_*\nNOT*DEFINED\n")

    env = dict(os.environ, MINE_A="1", MINE_B="a=b\nc", MINE="0", mine_c="2", NOTxDEFINED="3")
    for words in (["-e", "MINE_*", "-e", "NOT*DEFINED"], ["--env-file", scratch / "file"]):
        shown = host.good("run", "--rm", *words, layout, "env", env=env)
        assert "MINE_A=1\n" in shown and "MINE_B=a=b\nc\n" in shown
        assert "MINE=0" not in shown and "mine_c" not in shown and "DEFINED" not in shown


def test_files_go_from_one_container_to_another(host, layout):
    host.launch(layout, options=["--name", "one"])
    host.good("create", "-q", "--name", "two", "-v", "kept:/vol", layout)
    host.good("exec", "one", "sh", "-c", "mkdir -p /srv/dir/sub /made.; echo hi > /srv/dir/sub/file; echo su > /srv/su;"
              "busybox chown 1000:1001 /srv/su; busybox chmod 4755 /srv/su; busybox ln -s /srv/su /link; busybox ln -s /nowhere /loose")
    for source, target, place in (("/srv/dir", "/", "/dir/sub/file"), ("/srv/dir/.", "/vol", "/vol/sub/file"),
                                  ("/srv/dir", "/new", "/new/sub/file"), ("/srv/dir/sub/file", "/tmp", "/tmp/file"),
                                  ("/srv/dir/sub/file", "/tmp/other", "/tmp/other")):
        host.good("cp", f"one:{source}", f"two:{target}")
        assert "cat" not in host.run("cp", f"two:{place}", "-", text=False).stderr.decode()
    host.good("cp", "one:/srv/su", "two:/plain")
    host.good("cp", "-a", "one:/srv/su", "two:/whole")
    host.good("cp", "one:/link", "two:/link")
    host.good("cp", "-L", "one:/link", "two:/led")
    host.good("start", "two")
    stat = lambda box, path: host.good("exec", box, "stat", "-c", "%u:%g %a %F", path).strip()
    assert host.good("exec", "two", "cat", "/dir/sub/file", "/vol/sub/file", "/new/sub/file", "/tmp/file", "/tmp/other") == "hi\n" * 5
    assert stat("two", "/plain") == "0:0 755 regular file" and stat("two", "/whole") == "1000:1001 4755 regular file"
    assert "symbolic link" in stat("two", "/link") and "regular file" in stat("two", "/led")
    host.good("cp", "two:/plain", "one:/back")
    host.good("cp", "one:/back", "one:/again")
    assert host.good("exec", "one", "cat", "/again") == "su\n"
    host.good("stop", "-t", "0", "one", "two")
    host.good("cp", "one:/again", "two:/again")
    for words, why in ((["one:/nosuch", "two:/"], "not there"), (["one:/srv", "two:/plain"], "directory"), (["one:", "two:/"], "empty"),
                       (["one:/again", "two:/none/"], "not there"), (["one:/again", "one:/more"], "not running"),
                       (["one:/loose", "two:/led/x"], "led"), (["one:/again", "nosuch:/"], "No such container")):
        done = host.run("cp", *words)
        assert done.returncode != 0 and why in done.stderr, (words, done.stderr)


def test_no_memory_limit_and_no_detach_keys(host, layout):
    container = host.launch(layout, options=["--memory", "0", "--detach-keys", ""])
    assert host.inspect(container)["HostConfig"]["Memory"] == 0
