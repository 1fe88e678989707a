"""Scripts written for docker's command line: what their lines need beyond the verbs themselves."""

import json
import os
import subprocess

import pytest

import images
from background import host, layout  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


def script(host, text):
    """Runs it by a shell whose $KNARR is this knarr; what it printed."""
    done = subprocess.run(["sh", "-ec", text], env=dict(os.environ, KNARR=" ".join(host.command())),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_stdin_is_the_scripts_own_but_for_i(host, layout):
    host.launch(layout, options=["--name", "web"])
    loop = "printf '1\\n2\\n3\\n' | while read n; do %s; done"
    assert script(host, loop % "$KNARR exec web sh -c \"cat; echo $n\"") == "1\n2\n3\n"
    assert script(host, loop % f"$KNARR run --rm -q {layout} sh -c \"cat; echo $n\"") == "1\n2\n3\n"
    assert script(host, "echo in | $KNARR exec -i web cat") == "in\n"
    assert script(host, f"echo in | $KNARR run --rm -iq {layout} cat") == "in\n"
    # With a terminal of its own, too, what a pipe holds is not the program's.
    assert script(host, loop % "$KNARR exec -t web echo $n").split() == ["1", "2", "3"]
    assert script(host, loop % f"$KNARR run -t --rm -q {layout} echo $n").split() == ["1", "2", "3"]
    assert script(host, "echo in | $KNARR exec -it web busybox head -n 1").split() == ["in", "in"]


def test_v_makes_the_hosts_directory_and_mount_does_not(host, layout, scratch):
    missing = scratch / "new/deep"
    assert host.run("plan", "-v", f"{missing}:/x", layout, "true").returncode != 0 and not missing.exists()
    refused = host.run("run", "--rm", "-q", "--mount", f"type=bind,source={missing},target=/x", layout, "true")
    assert refused.returncode == 125 and "volume source" in refused.stderr and not missing.exists()
    host.good("run", "--rm", "-q", "-v", f"{missing}:/x:cached", layout, "sh", "-c", "> /x/made")
    assert (missing / "made").exists() and missing.stat().st_mode & 0o777 == 0o755
    for word in ("delegated", "consistent", "ro,cached"):
        host.good("run", "--rm", "-q", "-v", f"{missing}:/x:{word}", layout, "true")


def test_exec_has_dockers_statuses(host, layout):
    host.launch(layout, options=["--name", "web"])
    for words, status, told in (
            (["web", "nosuch"], 127, "not found"), (["web", "/etc/passwd"], 126, "permission denied"),
            (["-w", "/nowhere", "web", "true"], 126, "/nowhere"), (["-u", "nobody9", "web", "true"], 126, "nobody9"),
            (["none", "true"], 255, "No such container: none")):
        done = host.run("exec", *words)
        assert (done.returncode, told in done.stderr) == (status, True), (words, done)
    host.good("pause", "web")
    assert host.run("exec", "web", "true").returncode == 1
    host.good("unpause", "web")
    host.good("stop", "-t", "0", "web")
    assert host.run("exec", "web", "true").returncode == 1


def test_system_prune_takes_the_volumes_that_its_filter_lets_go(host):
    kept = host.good("volume", "create", "--label", "keep=1").strip()
    host.good("system", "prune", "-f", "--volumes", "--filter", "label!=keep")
    host.good("system", "prune", "-f", "--volumes", "--filter", "label=nosuch")
    assert host.good("volume", "ls", "-q").split() == [kept]
    assert kept in host.good("system", "prune", "-f", "--volumes", "--filter", "label=keep=1")
    assert host.good("volume", "ls", "-q") == ""


def test_what_was_killed_has_ended(host, layout):
    host.launch(layout, options=["--name", "web"])
    for _ in range(10):
        host.good("kill", "web")
        assert host.good("inspect", "-f", "{{.State.Status}}", "web") == "exited\n"
        host.good("start", "web")
        assert host.good("inspect", "-f", "{{.State.Running}}", "web") == "true\n"


def test_what_scripts_grep_for(host, layout):
    host.launch(layout, options=["--name", "web"])
    for verb in ("stop", "rm", "logs", "start", "inspect", "kill", "wait", "port", "top", "restart"):
        words = [verb] if verb != "inspect" else ["inspect", "--type", "container"]
        assert "No such container: none" in host.run(*words, "none").stderr, verb
    assert "already in use" in host.run("create", "-q", "--name", "web", layout).stderr
    for verb in (["rmi"], ["image", "inspect"], ["history"]):
        assert "No such image: none" in host.run(*verb, "none").stderr


def test_templates_say_what_is_not_there(host, layout):
    container = host.launch(layout, options=["--name", "web"])
    for template, told in (
            ("{{.ID}}", container), ("{{json .Config.Healthcheck}}", "null"), ("{{.Config.StopTimeout}}", "<nil>"),
            ("{{.HostConfig.Mounts}}", "[]"), ("{{json .HostConfig.Mounts}}", "null"), ("{{.SizeRw}}", "<nil>"),
            ("{{.Config.Entrypoint}}", "[]"), ("{{.ExecIDs}}", "[]"), ("{{.State.Health}}", "<nil>"),
            ("{{.NetworkSettings.Networks.bridge.IPAddress}}", ""), ("{{slice .ID 0 12}}", container[:12]),
            ('{{index (split .Name "/") 1}}', "web"), ('{{.Name | printf "%s"}}', "/web")):
        assert host.good("inspect", "-f", template, "web") == told + "\n", template
    assert host.run("inspect", "-f", "{{.State.Health.Status}}", "web").returncode == 2


def test_events_have_labels_and_dockers_fields(host, layout):
    container = host.launch(layout, "true", options=["--label", "tier=front", "--label", "name=mine", "--name", "job"])
    host.wait_ended(container)
    seen = ["events", "--since", "1h", "--until", "0s", "--filter", "label=tier=front"]
    told = host.good(*seen, "--format", "{{.Status}} {{.ID}} {{.From}} {{.Scope}} {{.Type}}").splitlines()
    image = host.inspect("job")["Config"]["Image"]
    assert [line.split() for line in told] == [[word, container, image, "local", "container"]
                                               for word in ("create", "start", "die")]
    assert host.good(*seen, "--format", "{{.Time}}").split()[0].isdigit()
    assert "name=job" in host.good(*seen).splitlines()[0]
    assert host.good(*seen[:-1], "label=tier=back") == ""


def test_lines_that_clean_up_end_well(host, layout, scratch):
    host.launch(layout, options=["--name", "runs"])
    job = host.launch(layout, "sh", "-c", "echo 12345 > /made", options=["--label", "keep"])
    host.wait_ended(job)
    assert host.good("logout", "--authfile", scratch / "auth.json", "registry.example") == ""
    nothing = "Total reclaimed space: 0B\n"
    assert host.good("container", "prune", "-f", "--filter", "label!=keep") == nothing
    assert host.good("container", "prune", "-f", "--filter", "until=24h") == nothing
    assert host.good("system", "prune", "-af", "--filter", "until=24h") == nothing
    assert host.run("system", "prune", "-f", "--filter", "name=x").returncode == 2
    out = host.good("container", "prune", "-f", "--filter", "label=keep")
    assert out.startswith(f"Deleted Containers:\n{job}\n\nTotal reclaimed space: ") and nothing not in out


def test_lists_as_json_are_lines(host, layout):
    host.good("run", "--rm", "-q", layout, "true")
    (line,) = host.good("images", "--format", "json").splitlines()
    assert {"ID", "Repository", "Tag", "Size"} <= set(json.loads(line))
    assert isinstance(json.loads(host.good("images", "--json")), list)
    assert len([json.loads(line) for line in host.good("system", "df", "--format", "json").splitlines()]) >= 3


def test_update_names_the_container(host, layout):
    host.launch(layout, options=["--name", "web"])
    assert host.good("update", "--restart", "on-failure:2", "web") == "web\n"


def passwd_image(tmp_path, **config):
    layer = images.Layer()
    layer.add("etc/passwd", b"root:x:0:0::/root:/bin/sh\napp:x:1000:100::/home/app:/bin/sh\n")
    layer.add("etc/group", b"root:x:0:\nusers:x:100:\nextra:x:7:app\n")
    return images.write_layout(tmp_path / "app", [images.base_layer(), layer.bytes()],
                               {"Cmd": ["sleep", "1000"], **config})


def test_users_of_exec_and_run_are_dockers(host, tmp_path):
    image = passwd_image(tmp_path)
    host.launch(image, options=["--name", "web"])
    told = "busybox id -u; busybox id -g; echo $HOME; busybox grep Groups /proc/self/status"
    for user in ("app", "1000"):
        shown = host.good("exec", "-u", user, "web", "sh", "-c", told).split()
        assert shown[:3] == ["1000", "100", "/home/app"] and sorted(shown[4:]) == ["100", "7"]
    assert host.good("exec", "-u", "app", "-e", "HOME=/x", "web", "sh", "-c", "echo $HOME") == "/x\n"
    assert host.good("exec", "web", "sh", "-c", "echo $HOME") == "/root\n"
    for user in ("1000:44", ":44"):
        shown = host.good("run", "--rm", "-q", "-u", user, image, "busybox", "grep", "Groups", "/proc/self/status")
        assert shown.split()[1:] == ["44"]
    own = passwd_image(tmp_path / "own", Env=["HOME=/srv"])
    host.launch(own, options=["--name", "own"])
    assert host.good("exec", "-u", "app", "own", "sh", "-c", "echo $HOME") == "/srv\n"


def test_inspect_shows_what_was_asked_for(host, layout):
    host.good("create", "-q", "--name", "plain", layout)
    shown = host.inspect("plain")["Config"]
    assert (shown["User"], shown["WorkingDir"]) == ("", "") and not any("HOME=" in one for one in shown["Env"])
    host.good("create", "-q", "--name", "mine", "-u", "1000:7", "-w", "/srv", "-e", "A=1", layout)
    shown = host.inspect("mine")["Config"]
    assert (shown["User"], shown["WorkingDir"]) == ("1000:7", "/srv") and "A=1" in shown["Env"]


def test_a_slash_behind_a_file_is_refused(host, layout, scratch):
    host.launch(layout, options=["--name", "web"])
    (scratch / "f").write_text("new")
    host.good("exec", "web", "sh", "-c", "echo old > /file")
    refused = host.run("cp", scratch / "f", "web:/file/")
    assert refused.returncode != 0 and "no directory" in refused.stderr
    assert host.good("exec", "web", "cat", "/file") == "old\n"


def test_what_restarts_is_removed_by_force_alone(host, layout):
    container = host.launch(layout, "sh", "-c", "exit 5", options=["--restart", "always"])
    wait_until(lambda: host.state(container)["Restarting"], "it does not pause", 60)
    refused = host.run("rm", container)  # which may find it running again
    assert refused.returncode != 0 and ("restarting" in refused.stderr or "running" in refused.stderr)
    host.good("rm", "-f", container)


def test_probes_of_the_platform(host, layout):
    host.launch(layout, options=["--name", "web"])
    told = json.loads(host.good("info", "--format", "{{json .}}"))
    assert told["NCPU"] == os.cpu_count() and told["MemTotal"] > 1 << 20 and told["Name"] == os.uname().nodename
    assert (told["Containers"], told["ContainersRunning"], told["ContainersStopped"]) == (1, 1, 0)
    assert told["OSType"] == "linux" and told["DefaultRuntime"] in told["Runtimes"]
    assert "Server Version: " in host.good("info")
    assert host.good("version", "-f", "{{.Server.Os}}/{{.Client.Arch}} {{.Server.KernelVersion}}").startswith("linux/")
    assert host.good("builder", "prune", "-af") == "Total reclaimed space: 0B\n"
    assert host.run("-D", "version").returncode == 0
