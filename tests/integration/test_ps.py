"""ps: the processes of a container, as the host's ps(1) shows them or as numbers."""

import json
import os

import pytest
from oci import wait_until


@pytest.fixture
def running(host):
    """A container of four processes."""
    container = host.new_id()
    host.ok("run", "-d", "-b", host.bundle("children", "3", "wait-signal").directory, container)
    wait_until(lambda: len(host.processes()) == 4, "the children are not there")
    return container


def table(text):
    heading, *lines = (line.split() for line in text.splitlines())
    return [dict(zip(heading, line)) for line in lines]


def test_the_table_is_that_of_ps_about_these_processes(host, running):
    text = host.ok("ps", running).stdout
    assert text.split()[:3] == ["UID", "PID", "PPID"]
    assert {int(line["PID"]) for line in table(text)} == set(host.processes())
    assert text.count("/witness children 3") == 4


def test_json_is_an_array_of_pids(host, running):
    for words in (("--format", "json", running), ("-f", "json", running), ("--json", running),
                  (running, "--format", "json"), (running, "--format=json")):
        assert set(json.loads(host.ok("ps", *words).stdout)) == set(host.processes())


def test_what_follows_the_id_are_options_of_ps(host, running):
    text = host.ok("ps", running, "-e", "-o", "pid,comm").stdout
    assert text.split()[:2] == ["PID", "COMMAND"]
    assert {(int(line["PID"]), line["COMMAND"]) for line in table(text)} == \
        {(pid, "witness") for pid in host.processes()}
    assert "no column PID" in host.refused("ps", running, "-e", "-o", "comm")
    assert "--nonsense" in host.refused("ps", running, "--nonsense")


def test_processes_of_exec_and_of_cgroups_below_are_shown_too(host, running):
    exec_ = host.start_process("exec", running, "/witness", "wait-signal")
    wait_until(lambda: len(json.loads(host.ok("ps", "--json", running).stdout)) == 5,
               "the further process is not shown")
    pids = set(json.loads(host.ok("ps", "--json", running).stdout))
    assert pids == {pid for pid in host.processes() if pid != exec_.pid}
    exec_.terminate()
    exec_.wait(timeout=20)


def test_a_container_that_does_not_run_has_none(host, running):
    host.ok("kill", running, "KILL")
    wait_until(lambda: host.status(running) == "stopped", "it did not stop")
    assert table(host.ok("ps", running).stdout) == []
    assert json.loads(host.ok("ps", "--json", running).stdout) == []
    assert "does not exist" in host.refused("ps", host.new_id())


def test_without_a_program_ps_the_numbers_are_there_all_the_same(host, running, monkeypatch):
    empty = host.directory / "empty"
    empty.mkdir()
    monkeypatch.setitem(os.environ, "PATH", str(empty))
    message = host.refused("ps", running)
    assert "no program ps in PATH" in message and "procps" in message
    assert set(json.loads(host.ok("ps", "--json", running).stdout)) == set(host.processes())


def test_without_an_id_it_lists_containers(host, running):
    assert host.ok("ps", "-a", "--json").stdout == host.ok("list", "--json").stdout
    assert host.ok("ps", "-q").stdout == running + "\n"
    host.ok("kill", running, "KILL")
    wait_until(lambda: host.status(running) == "stopped", "it did not stop")
    assert host.ok("ps", "-q").stdout == ""
    assert host.ok("ps", "-aq").stdout == running + "\n"
