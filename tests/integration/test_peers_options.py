"""Whoever replaces runc or crun by knarr keeps their options: each is known, or its absence documented.
Those of docker and podman are known, or refused with the reason."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from oci import wait_until

VERBS = ["checkpoint", "create", "delete", "events", "exec", "features", "kill", "list", "pause", "ps", "restore",
         "resume", "run", "spec", "start", "state", "update"]
# What knarr lacks on purpose; docs/cli.md, "Differences from runc and crun", says so.
LACKS = {"--usage", "-?", "-V", "--criu"}
# A row of a help text: "  -b value, --bundle value  ..." (runc), "  -b, --bundle=DIR  ..." (crun, knarr).
ROW = re.compile(r"^ {1,8}(-\S.*?)(?:  |$)", re.M)
NAME = re.compile(r"(?<![^ ,])--?[A-Za-z0-9?][A-Za-z0-9-]*")


def options_of(text):
    return {name for row in ROW.findall(text) for name in NAME.findall(row)}


def peers():
    cached = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "knarr/peers/bin")
    found = [shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") for name in ("crun", "runc")]
    return [path for path in found if path] + [str(path) for path in sorted(cached.glob("*"))]


def help_of(program, *words):
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else ""


def test_every_option_of_runc_and_crun_is_known(knarr_path):
    programs = peers()
    if not programs:
        pytest.skip("neither crun nor runc (Debian packages) on this machine")
    missing = {}
    for program in programs:
        for words in [[], *([verb] for verb in VERBS)]:
            theirs = options_of(help_of(program, *words))
            ours = options_of(help_of(str(knarr_path), *words))
            assert ours, words
            if lacks := theirs - ours - LACKS:
                missing[program, *words] = lacks
        assert "--bundle" in options_of(help_of(program, "create")), "its help is not understood"
    assert missing == {}


def test_a_config_beside_the_bundle(host):
    bundle = host.bundle("exit", "3")
    other = host.directory / "other.json"
    (bundle.directory / "config.json").rename(other)
    container = host.new_id()
    done = host.knarr("run", "-b", bundle.directory, "-f", "other.json", container, cwd=host.directory)
    assert done.returncode == 3, done.stderr
    host.ok("create", "--config", other, "--no-subreaper", "-b", bundle.directory, container)
    host.ok("delete", container)
    for words in (["--config", "missing.json"], ["--config", ""], []):
        message = host.refused("create", *words, "-b", bundle.directory, container, cwd=host.directory)
        assert (words[1] if words else "config.json") in message
    host.assert_clean()


def test_kill_and_delete_by_regular_expression(host):
    web, wall, database = (f"{host.new_id()}-{name}" for name in ("web", "wall", "db"))
    for container in (web, wall, database):
        host.ok("create", "-b", host.bundle("wait-signal").directory, container)
        host.ok("start", container)
    host.ok("kill", "--regex", f"^{host.token}.*-w", "KILL")
    host.ok("kill", "-r", "no-such-thing")
    assert host.knarr("kill", "-r", "(").returncode == 2
    for container in (web, wall):
        host.ok("delete", "--force", "-r", f"{container}$")
    assert host.status(database) == "running"
    host.ok("delete", "--force", database)
    host.assert_clean()


def test_kill_by_regular_expression_tries_all_and_tells_failures(host):
    lives, ended = (f"{host.new_id()}-pair" for _ in range(2))
    for container in (lives, ended):
        host.ok("create", "-b", host.bundle("wait-signal").directory, container)
        host.ok("start", container)
    host.ok("kill", ended, "KILL")
    wait_until(lambda: host.status(ended) == "stopped", "it does not stop")
    assert "is stopped" in host.refused("kill", "--regex", "[-]pair$", "KILL")
    wait_until(lambda: host.status(lives) == "stopped", "the other one was not tried")
    host.ok("delete", "-r", "[-]pair$")


def test_the_log_level_and_the_logs_place(host):
    bundle = host.bundle("exit", "0")
    bundle.config["process"]["capabilities"] = {"bounding": ["CAP_FROM_THE_FUTURE"]}
    bundle.save()
    def stderr(*words):
        return host.ok(*words, "run", "-b", bundle.directory, host.new_id()).stderr
    assert "warning" in stderr() and "warning" in stderr("--log-level", "warning")
    assert stderr("--log-level", "error") == ""
    assert "level=debug" in stderr("--log-level=debug")
    assert host.knarr("--log-level", "loud", "list").returncode == 2
    log = host.directory / "log"
    stderr("--log", f"file:{log}", "--log-format", "json")
    assert json.loads(log.read_text().splitlines()[0])["level"] == "warning"
    for place in ("journald:knarr", "syslog:knarr"):
        assert "only files" in host.refused("--log", place, "list", cwd=host.directory)
        assert not (host.directory / place).exists()


def test_spec_may_write_under_another_name(host):
    host.ok("spec", "--file", "mine.json", cwd=host.directory)
    assert json.loads((host.directory / "mine.json").read_text())["ociVersion"]
    assert "is there already" in host.refused("spec", "-f", "mine.json", cwd=host.directory)
    assert host.knarr("spec", "-f", "../mine.json", cwd=host.directory).returncode == 2
    assert not (host.directory / "config.json").exists()


def test_mounts_into_a_running_container_are_refused_in_words(host):
    message = host.refused("mounts", "add", "x", "y")
    assert "not built" in message and "config.json" in message


OF_DOCKER = ["attach", "cp", "create", "diff", "events", "exec", "inspect", "kill", "logs", "pause", "port", "ps",
             "rename", "restart", "rm", "run", "start", "stats", "stop", "top", "unpause", "update", "wait"]
# What stands in a help text for another option, or has another meaning here.
OTHERS = {"--help", "-h"}


@pytest.mark.parametrize("peer", ["docker", "podman"])
def test_every_option_of_docker_and_podman_is_known_or_refused_with_the_reason(knarr_path, peer):
    program = shutil.which(peer)
    if not program:
        pytest.skip(f"no {peer} (Debian package) on this machine")
    silent, seen = {}, 0
    for verb in OF_DOCKER:
        theirs, ours = options_of(help_of(program, verb)), options_of(help_of(str(knarr_path), verb))
        assert ours, verb
        seen += len(theirs)
        for option in sorted(theirs - ours - OTHERS):
            done = subprocess.run([knarr_path, verb, option, "x"], capture_output=True, text=True, timeout=60, check=False)
            if done.returncode == 0 or f"option {option}: " not in done.stderr or "unknown" in done.stderr:
                silent.setdefault(verb, []).append(option)
    assert seen > 150, "their help is not understood"
    assert silent == {}


def test_a_refused_option_says_why_and_what_does_it(host):
    message = host.refused("run", "--link", "db", "image")
    assert "no network" in message and "--network host" in message
    assert "Windows" in host.refused("run", "--cpu-count=2", "image")
    assert "unknown option" in host.refused("run", "--no-such-thing", "image")
