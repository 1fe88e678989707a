"""What docker's users name, ask for and grep for, beside test_docker_scripts.py."""

import json
import os

import pytest

import images
from background import host, layout  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


def test_update_takes_all_that_are_named(host, layout):
    for name in ("one", "two"):
        host.launch(layout, options=["--name", name, "--restart", "always"])
    done = host.run("update", "--restart=no", "one", "nosuch", "two")
    assert done.stdout == "one\ntwo\n" and done.returncode != 0 and "No such container: nosuch" in done.stderr
    for name in ("one", "two"):
        assert host.inspect(name)["HostConfig"]["RestartPolicy"]["Name"] == "no"


def test_a_slash_before_a_name_does_not_count(host, layout):
    container = host.launch(layout, options=["--name", "/web"])
    name = host.inspect(container)["Name"]
    assert name == "/web"
    for words in (["logs", name], ["exec", name, "true"], ["update", "--restart=no", name], ["stop", "-t", "0", name],
                  ["start", name], ["top", name], ["rename", name, "/other"], ["rm", "-f", "/other"]):
        host.good(*words)
    assert host.run("inspect", "/").returncode != 0


def test_a_host_name_names_its_container(host, layout):
    container = host.launch(layout, options=["--name", "web"])
    own = host.good("exec", "web", "busybox", "hostname").strip()
    assert container.endswith(own) and len(own) == 12
    assert host.inspect(own)["Id"] == container
    assert host.run("inspect", container[-11:]).returncode != 0


def test_exec_leaves_a_terminal_that_stays(host, layout):
    host.launch(layout, options=["--name", "web"])
    host.good("exec", "-dt", "web", "true")
    host.good("exec", "-dit", "web", "sh", "-c", "busybox tty > /told; busybox cat; > /ended")
    wait_until(lambda: "/dev/pts/" in host.run("exec", "web", "cat", "/told").stdout, "it has no terminal")
    shown = host.good("top", "web")
    assert "busybox cat" in shown and host.run("exec", "web", "cat", "/ended").returncode != 0
    host.good("exec", "-dt", "web", "sh", "-c", "busybox seq 100000; > /written")  # nobody reads, nobody waits
    wait_until(lambda: host.run("exec", "web", "cat", "/written").returncode == 0, "it waits for a reader")


# What docker's types have, and what they print where there is nothing.
NOTHING = {
    "{{range .Mounts}}{{.Name}}{{.Driver}};{{end}}": ";",
    "{{.NetworkSettings.SandboxID}}{{.NetworkSettings.Bridge}}{{.NetworkSettings.GlobalIPv6Address}}": "",
    "{{.NetworkSettings.IPPrefixLen}}": "0",
    "{{range .NetworkSettings.Networks}}{{.IPPrefixLen}} {{.Aliases}} {{.GlobalIPv6Address}}{{end}}": "0 [] ",
    "{{.HostConfig.ContainerIDFile}}{{.HostConfig.VolumeDriver}}{{.HostConfig.Cgroup}}": "",
    "{{.HostConfig.DeviceRequests}} {{.HostConfig.GroupAdd}} {{.HostConfig.StorageOpt}}": "[] [] map[]",
    "{{.HostConfig.ConsoleSize}} {{.HostConfig.CpuCount}} {{.HostConfig.CpuPercent}}": "[0 0] 0 0",
    "{{.Config.MacAddress}}{{.Config.NetworkDisabled}} {{.Config.Shell}} {{.Config.ArgsEscaped}}": "false [] false",
    '{{print .Name "," .Path}} {{print .RestartCount 1}}': "/web,sleep 0 1",
}


def test_members_that_are_empty_print_so(host, layout, scratch):
    host.launch(layout, options=["--name", "web", "-v", f"{scratch}:/x"])
    for template, told in NOTHING.items():
        assert host.good("inspect", "-f", template, "web") == told + "\n", template
    for wrong in ("{{.Config.Nothing}}", "{{.MacAddress}}", "{{range .Mounts}}{{.Names}}{{end}}"):
        assert host.run("inspect", "-f", wrong, "web").returncode == 2, wrong
    (stored,) = host.good("images", "-q").split()
    image = "{{.Variant}}{{.OsVersion}}{{.Config.StopSignal}} {{.Config.Shell}}"
    assert host.good("image", "inspect", "-f", image, stored) == " []\n"
    size, virtual = host.good("image", "inspect", "-f", "{{.Size}} {{.VirtualSize}}", stored).split()
    assert size == virtual != "0"


def test_members_that_are_not_empty(host, layout, scratch):
    file = scratch / "id"
    host.launch(layout, options=["--name", "web", "--group-add", "7", "--cidfile", file, "--network", "none"])
    shown = host.inspect("web")
    assert shown["HostConfig"]["GroupAdd"] == ["7"] and shown["HostConfig"]["ContainerIDFile"] == str(file)
    assert os.path.samefile(shown["NetworkSettings"]["SandboxKey"], f"/proc/{shown['State']['Pid']}/ns/net")
    network = json.loads(host.good("network", "inspect", "none"))[0]["Id"]
    assert shown["NetworkSettings"]["Networks"]["none"]["NetworkID"] == network


def test_what_info_and_version_have_of_dockers(host):
    told = json.loads(host.good("info", "--format", "{{json .}}"))
    assert told["Swarm"]["LocalNodeState"] == "inactive" and told["Plugins"]["Volume"] == ["local"]
    assert told["Warnings"] is None and told["ExperimentalBuild"] is False and told["InitBinary"] == "knarr-init"
    with open("/proc/self/cgroup", encoding="utf-8") as lines:
        named = {one for line in lines for one in line.split(":")[1].split(",")}
    if "memory" in named:  # v1
        assert told["MemoryLimit"] is True and told["OomKillDisable"] is True
    assert all(isinstance(told[name], bool) for name in ("SwapLimit", "CPUShares", "CPUSet", "PidsLimit"))
    assert host.good("version", "-f", "{{.Server.APIVersion}}{{.Server.MinAPIVersion}}{{.Client.Context}}") == "default\n"


def test_entrypoint_and_command_are_what_they_were(host, layout, tmp_path):
    host.good("create", "-q", "--name", "mine", "--entrypoint", "sleep", layout, "300")
    shown = host.inspect("mine")
    assert (shown["Config"]["Entrypoint"], shown["Config"]["Cmd"]) == (["sleep"], ["300"])
    assert (shown["Path"], shown["Args"]) == ("sleep", ["300"])
    image = images.write_layout(tmp_path / "own", [images.base_layer()],
                                {"Entrypoint": ["sh", "-c"], "Cmd": ["sleep 1000"], "Volumes": {"/data": {}}})
    host.launch(image, options=["--name", "own", "--init", "-v", "/more"])
    shown = host.inspect("own")
    assert (shown["Config"]["Entrypoint"], shown["Config"]["Cmd"]) == (["sh", "-c"], ["sleep 1000"])
    assert (shown["Path"], shown["Args"]) == ("sh", ["-c", "sleep 1000"]) and shown["HostConfig"]["Init"] is True
    assert host.good("ps", "--format", "{{.Command}}", "--no-trunc") == "\"sh -c 'sleep 1000'\"\n"
    assert set(shown["Config"]["Volumes"]) == {"/data", "/more"} and shown["HostConfig"]["Binds"] == []
    assert len(shown["Mounts"]) == 2
    host.good("create", "-q", "--name", "plain", layout, "true")
    shown = host.inspect("plain")["Config"]
    assert shown["Entrypoint"] is None and shown["Cmd"] == ["true"] and shown["Volumes"] is None


def test_image_inspect_shows_what_there_is(host, layout):
    host.good("run", "--rm", "-q", layout, "true")
    (stored,) = host.good("images", "-q").split()
    done = host.run("image", "inspect", stored, "nosuch")
    assert done.returncode == 1 and "No such image: nosuch" in done.stderr
    assert [one["Id"][:7] for one in json.loads(done.stdout)] == ["sha256:"]
    done = host.run("image", "inspect", "nosuch")
    assert done.returncode == 1 and json.loads(done.stdout) == []
    done = host.run("image", "inspect", "-f", "{{.Os}}", "nosuch", stored)
    assert done.returncode == 1 and done.stdout == "linux\n"


def test_messages_have_dockers_words(host, layout):
    host.launch(layout, options=["--name", "web"])
    told = [(["rm", "web"], "You cannot remove a running container"), (["unpause", "web"], "is not paused"),
            (["inspect", "nosuch"], "No such object: nosuch"),
            (["create", "-q", "--name", "web", layout], 'Conflict. The container name "/web" is already in use')]
    for words, text in told:
        done = host.run(*words)
        assert done.returncode != 0 and text in done.stderr, done
    host.good("pause", "web")
    assert "is already paused" in host.run("pause", "web").stderr
    host.good("unpause", "web")
    host.good("stop", "-t", "0", "web")
    for words in (["exec", "web", "true"], ["kill", "web"], ["pause", "web"]):
        assert "is not running" in host.run(*words).stderr, words
    done = host.run("rm", "-f", "nosuch")
    assert (done.returncode, done.stdout) == (0, "") and "No such container: nosuch" in done.stderr
    assert host.run("delete", "-f", "nosuch").stderr == ""
    assert host.good("volume", "rm", "-f", "nosuch") == "nosuch\n"


def test_options_that_mean_what_is_usual(host, layout):
    host.good("run", "-d", "-q", "--isolation", "default", "--name", "web", layout)
    for words in (["-f", "is-task=false"], ["-f", "isolation=default"], ["-n", "-1"], ["-n=-1"]):
        assert host.good("ps", "--format", "{{.Names}}", *words) == "web\n", words
    assert host.good("ps", "-q", "-f", "is-task=true") == ""
    for level in ("warn", "info", "fatal"):
        host.good("-l", level, "ps")
    host.good("-H", "unix:///var/run/docker.sock", "-c", "default", "ps")
    for words in (["-H", "tcp://far:2375"], ["--context", "far"]):
        done = host.run(*words, "ps")
        assert done.returncode != 0 and "no daemon" in done.stderr, done
    done = host.run("buildx", "ls")
    assert done.returncode != 0 and "hint: " in done.stderr and "not built" in done.stderr


def test_image_prune_has_dockers_filters(host, tmp_path):
    for name in ("keep", "gone"):
        image = images.write_layout(tmp_path / name, [images.base_layer()],
                                    {"Cmd": ["true"], "Labels": {"what": name}})
        host.good("pull", "-q", image)
    labels = ["images", "-q", "--filter", "label=what=keep"]
    (kept,) = host.good(*labels).split()
    host.good("image", "prune", "-af", "--filter", "label=what=none")
    assert len(host.good("images", "-q").split()) == 2
    host.good("image", "prune", "-af", "--filter", "label!=what=keep", "--filter", "until=0s")
    assert host.good("images", "-q").split() == [kept]
    host.good("image", "prune", "-f", "--filter", "dangling=false", "--filter", "label=what")
    assert host.good("images", "-q") == ""
    assert host.run("image", "prune", "-f", "--filter", "name=x").returncode == 2


def test_letters_are_switched_off_too(host, layout):
    host.good("run", "--rm", "-q", layout, "true")
    (stored,) = host.good("images", "-q").split()
    assert "CREATED AT" in host.good("history", "-H=false", stored)
    assert host.run("history", "-H=maybe", stored).returncode == 2
