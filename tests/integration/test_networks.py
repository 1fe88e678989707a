"""docker's verbs on networks, of which there are two."""

import json
import re

import pytest

from background import host, layout  # fixtures

pytestmark = pytest.mark.usefixtures("needs_root")


def test_the_two_are_listed_as_docker_does(host):
    head, *rows = host.good("network", "ls").splitlines()
    assert re.split("  +", head.strip()) == ["NETWORK ID", "NAME", "DRIVER", "SCOPE"]
    assert [row.split()[1:] for row in rows] == [["host", "host", "local"], ["none", "null", "local"]]
    ids = host.good("network", "list", "-q", "--no-trunc").split()
    assert len(set(ids)) == 2 and all(re.fullmatch("[0-9a-f]{64}", one) for one in ids)
    assert host.good("network", "ls", "-q").split() == [one[:12] for one in ids] == [row.split()[0] for row in rows]
    assert host.good("network", "ls", "--format", "{{.Name}}:{{.Driver}}") == "host:host\nnone:null\n"
    lines = [json.loads(line) for line in host.good("network", "ls", "--format", "json").splitlines()]
    assert [line["Name"] for line in lines] == ["host", "none"]
    assert host.good("network", "ls", "--format", r"table {{.Name}}\t{{.ID}}").split()[:2] == ["NAME", "NETWORK"]


@pytest.mark.parametrize("filters, names", [
    (["name=host"], "host"), (["name=o"], "host none"), (["driver=null"], "none"), (["driver=bridge"], ""),
    (["driver=host", "driver=null"], "host none"), (["type=custom"], ""), (["dangling=true"], ""),
    (["name=none", "driver=host"], "")])
def test_filters_are_dockers(host, filters, names):
    words = [word for one in filters for word in ("--filter", one)]
    assert host.good("network", "ls", *words, "--format", "{{.Name}}").split() == names.split()
    assert host.run("network", "ls", "-f", "colour=red").returncode == 2


def test_inspect_shows_who_is_in_it(host, layout):
    alone = host.launch(layout, options=["--name", "alone"])
    shared = host.launch(layout, options=["--name", "shared", "--network", "host"])
    host.good("create", "-q", layout)
    both = json.loads(host.good("network", "inspect", "host", "none"))
    assert [(one["Name"], one["Driver"], list(one["Containers"])) for one in both] == [
        ("host", "host", [shared]), ("none", "null", [alone])]
    assert both[1]["Containers"][alone]["Name"] == "alone"
    assert both[0]["Id"] == host.good("network", "inspect", "-f", "{{.Id}}", "host").strip()
    assert json.loads(host.good("inspect", "--type", "network", "none"))[0]["Id"] == both[1]["Id"]
    assert json.loads(host.good("inspect", both[1]["Id"]))[0]["Name"] == "none"
    missing = host.run("network", "inspect", "nothing")
    assert missing.returncode == 1 and missing.stdout == "[]\n" and "network nothing not found" in missing.stderr


def test_what_cleans_up_succeeds(host):
    for words in (["prune", "-f"], ["prune", "--force", "--filter", "until=24h"], ["rm", "-f", "nothing"]):
        done = host.run("network", *words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), words
    asked = host.run("network", "prune", input="n\n")
    assert asked.returncode == 0 and "WARNING! This will remove all custom networks" in asked.stderr


@pytest.mark.parametrize("words, status, told", [
    (["create", "mine"], 5, "not built"), (["create", "-d", "bridge", "mine"], 5, "no networks but"),
    (["create", "--subnet", "10.0.0.0/8", "mine"], 5, "no networks but"), (["connect", "mine", "web"], 5, "not built"),
    (["connect", "--alias", "x", "mine", "web"], 5, "no networks but"), (["disconnect", "mine", "web"], 5, "not built"),
    (["disconnect", "-f", "mine", "web"], 5, "no networks but"), (["rm", "mine"], 1, "network mine not found"),
    (["rm", "host"], 1, "cannot be removed"), (["rm", "-f", "none"], 1, "cannot be removed")])
def test_what_is_not_built_says_so_and_what_to_do(host, words, status, told):
    done = host.run("network", *words)
    assert (done.returncode, done.stdout) == (status, "") and told in done.stderr, done
    assert "hint: " in done.stderr and ("--network host" in done.stderr or words[0] == "rm")
