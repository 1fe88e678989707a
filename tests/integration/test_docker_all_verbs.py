"""Each verb of docker's is there, or says what does its job; docs/cli.md has them in one table."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from background import host, layout  # fixtures

# Docker 24's, by management word.
VERBS = {
    "": "attach build builder checkpoint commit compose config container context cp create diff events exec export "
        "history image images import info inspect kill load login logout logs manifest network node pause plugin port "
        "ps pull push rename restart rm rmi run save search secret service stack start stats stop swarm system tag top "
        "trust unpause update version volume wait buildx",
    "builder": "build prune",
    "container": "attach commit cp create diff exec export inspect kill logs ls pause port prune rename restart rm run "
                 "start stats stop top unpause update wait",
    "context": "create export import inspect ls rm show update use",
    "image": "build history import inspect load ls prune pull push rm save tag",
    "manifest": "annotate create inspect push rm",
    "network": "connect create disconnect inspect ls prune rm",
    "plugin": "create disable enable inspect install ls push rm set upgrade",
    "system": "df events info prune",
    "trust": "inspect key revoke sign signer",
    "volume": "create inspect ls prune rm update",
}
PATHS = [f"{word} {verb}".strip() for word, verbs in VERBS.items() for verb in verbs.split()]


def told(host, path):
    """None when a verb neither is there nor says what is in its place."""
    done = host.run(*path.split(), "--help")
    if done.returncode == 0:
        refuses = "\nIs an error that says so" in done.stdout
        return ("not built" if refuses else "there") if done.stdout.startswith("usage: knarr ") else None
    done = host.run(*path.split(), "x")
    if done.returncode == 2:
        done = host.run(*path.split()[:1], "x")  # all of its verbs
    is_told = done.returncode == 5 and "not built" in done.stderr and "hint: " in done.stderr
    return "not built" if is_told and "shows what is built" not in done.stderr else None


def test_each_verb_is_there_or_says_what_is_in_its_place(host):
    assert [path for path in PATHS if not told(host, path)] == []
    assert told(host, "run") == told(host, "context show") == "there"
    assert told(host, "swarm") == told(host, "volume update") == told(host, "image build") == "not built"
    assert told(host, "nosuch") is None


def test_the_table_says_of_each_verb_what_is_so(host):
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs/cli.md").read_text()
    table = text.partition("## Docker's verbs\n")[2].partition("\n## ")[0]
    said = {}
    for line in table.splitlines():
        names, _, there = line.removeprefix("| ").partition(" | ")
        for part in names.split(";"):
            first, *others = re.findall(r"`([^`]*)`", part) or [""]
            word = first.rpartition(" ")[0]
            verbs = [first, *(f"{word} {other}".strip() for other in others)]
            if "`container` with each" in part:
                verbs = [f"container {verb}" for verb in said if verb not in ("ps", "events")]
                verbs += ["container ls", "container prune"]
            said |= {verb: "not built" if there.startswith("not built") else "there" for verb in verbs}
    paths = [path for path in PATHS if path not in VERBS or path in said]  # else named with its verbs
    assert {path: said.get(path) for path in paths} == {path: told(host, path) for path in paths}


def test_docker_on_this_machine_has_no_others():
    program = shutil.which("docker")
    if not program:
        pytest.skip("no docker (Debian package) on this machine")
    for word, ours in VERBS.items():
        done = subprocess.run([program, *word.split(), "--help"], capture_output=True, text=True, timeout=60, check=False)
        verbs = done.stdout.partition("Options:\n")[0] if word else done.stdout.partition("Global Options")[0]
        theirs = set(re.findall(r"^  ([a-z]+)\*? {2,}\S", verbs, re.M))
        assert done.returncode == 0 and (theirs or word), word
        assert theirs <= set(ours.split()), (word, theirs - set(ours.split()))


def test_the_context_is_default(host):
    assert host.good("context", "show") == "default\n"
    assert host.good("context", "ls", "-q") == host.good("context", "list", "--format", "{{.Name}}") == "default\n"
    rows = host.good("context", "ls").splitlines()
    assert rows[0].split("  ")[0] == "NAME" and rows[1].startswith("default *   ") and len(rows) == 2
    assert json.loads(host.good("context", "ls", "--format", "json"))["Current"] is True
    (shown,) = json.loads(host.good("context", "inspect"))
    assert shown["Name"] == "default" and shown["Endpoints"]["docker"] == {"Host": "", "SkipTLSVerify": False}
    assert host.good("context", "inspect", "-f", "{{.Endpoints.docker.Host}}", "default") == "\n"
    done = host.run("context", "use", "default")
    assert (done.returncode, done.stdout, done.stderr) == (0, "default\n", 'Current context is now "default"\n')
    for words in (["use", "far"], ["inspect", "far"]):
        done = host.run("context", *words)
        assert done.returncode == 1 and 'context "far": context not found' in done.stderr
        assert "no daemon" in done.stderr and "hint: default" in done.stderr


def test_there_are_no_plugins(host):
    assert host.good("plugin", "ls").split() == ["ID", "NAME", "DESCRIPTION", "ENABLED"]
    for words in (["-q"], ["--format", "json"], ["--format", "{{.Name}}", "--filter", "enabled=true"]):
        assert host.good("plugin", "ls", *words) == ""
    done = host.run("plugin", "inspect", "x")
    assert (done.returncode, done.stdout) == (1, "[]\n") and "No such plugin: x" in done.stderr


def test_what_builds_images_is_named(host):
    for words in (["build", "-t", "x", "."], ["buildx", "build", "."], ["image", "build", "."], ["builder", "build"]):
        done = host.run(*words)
        assert done.returncode == 5 and "not built yet" in done.stderr and "knarr load -i" in done.stderr, done


def test_options_about_the_daemon_change_nothing(host):
    tls = ["--tls", "--tlscacert", "/none/ca.pem", "--tlscert=/none/cert.pem", "--tlskey", "/none/key.pem"]
    assert host.good(*tls, "--tlsverify", "ps", "-q") == host.good("--tlsverify=false", "ps", "-q") == ""
    assert host.run("--tlscacert").returncode == 2


@pytest.mark.usefixtures("needs_root")
def test_names_of_runtimes_and_drivers(host, layout):
    for name in ("runc", "crun", "io.containerd.runc.v2", "knarr"):
        host.good("run", "--rm", "-q", "--runtime", name, "--volume-driver", "local", "-v", "data:/d", layout, "true")
    host.good("volume", "create", "--driver", "local", "data")
    host.good("volume", "rm", "data")
    for words, text in ((["--runtime", "kata"], "--runtime kata"), (["--volume-driver", "nfs"], "volume driver nfs"),
                        (["--mount", "type=volume,target=/d,volume-driver=nfs"], "volume driver nfs")):
        for verb in ("run", "create"):
            done = host.run(verb, "-q", *words, layout, "true")
            assert done.returncode == 125 and text in done.stderr and "hint: " in done.stderr, done
    assert host.run("volume", "create", "--driver", "nfs", "data").returncode != 0
    assert host.good("volume", "ls", "-q") == ""
