"""What containers are called where nobody says it: two words, as with docker."""

import json
import os
import pathlib
import re
import subprocess

import pytest

import background
import images
from background import host, layout  # fixtures
from oci import wait_until

pytestmark = pytest.mark.usefixtures("needs_root")

GENERATED = re.compile(r"[a-z]+_[a-z]+")


def name_of(host, container):
    return host.good("inspect", "-f", "{{.Name}}", container).strip()[1:]


def links(host):
    """The names that are taken, and by whom."""
    place = host.root / ".names"
    return {path.name: os.readlink(path) for path in place.iterdir() if path.is_symlink()} if place.exists() else {}


def test_every_container_of_an_image_has_a_name(host, layout, scratch):
    created = host.good("create", "-q", layout).strip()
    detached = host.launch(layout)
    host.good("run", "-q", layout, "true")
    host.good("run", "-q", "--rm", layout, "true")
    rows = dict(row.split() for row in host.good("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}}").splitlines())
    assert set(rows) > {created, detached} and len(rows) == 3 and len(set(rows.values())) == 3
    assert all(GENERATED.fullmatch(name) for name in rows.values())
    assert {name: container for container, name in rows.items()} == links(host)
    name = rows[detached]
    assert host.inspect(detached)["Name"] == "/" + name == host.inspect(name)["Name"]
    assert re.search(rf" {name}$", host.good("ps"), re.M)
    events = host.good("events", "--since", "1h", "--until", "0s", "--filter", f"container={name}",
                       "--format", "{{.Action}} {{.Actor.Attributes.name}}").splitlines()
    assert events == [f"create {name}", f"start {name}"]
    for words in (["exec", name, "true"], ["logs", "/" + name], ["stop", "-t", "0", name], ["start", name], ["rm", "-f", name]):
        host.good(*words)
    assert name not in links(host) and detached not in links(host).values()


def test_a_name_goes_where_rename_and_rm_say(host, layout):
    first, second = host.launch(layout), host.launch(layout)
    old, taken = name_of(host, first), name_of(host, second)
    refused = host.run("rename", first, taken)
    assert refused.returncode != 0 and "Conflict. The container name" in refused.stderr and second in refused.stderr
    host.good("rename", old, "web")
    assert links(host) == {"web": first, taken: second}
    again = host.good("create", "-q", "--name", old, layout).strip()
    host.good("rm", "-f", taken)
    host.good("rename", "web", taken)
    assert links(host) == {taken: first, old: again} and name_of(host, first) == taken


def test_names_of_bundles_stay_theirs(host, layout, knarr_path):
    """An ID that somebody chose is a name that nobody else may have."""
    container = host.launch(layout, options=["--name", "web"])
    os.mkdir(host.root / "other", 0o700)  # as a bundle's container has it
    taken = host.run("create", "-q", "--name", "other", layout)
    assert taken.returncode == 125 and "Conflict" in taken.stderr
    assert host.run("rename", "web", "other").returncode != 0
    os.rmdir(host.root / "other")
    assert links(host) == {"web": container}


def test_links_that_stand_for_nothing_keep_no_name(host, layout):
    container = host.launch(layout, options=["--name", "web"])
    gone = "0" * len(container)
    for name, target in (("stale", gone), ("wrong", container), ("bad", "../..")):
        os.symlink(target, host.root / ".names" / name)
    assert host.run("inspect", "--type", "container", "wrong").returncode != 0
    assert host.run("rm", "stale").returncode != 0
    other = host.good("create", "-q", "--name", "stale", layout).strip()
    host.good("rename", "web", "bad")
    assert links(host) == {"bad": container, "stale": other, "wrong": container}
    os.symlink(gone, host.root / ".names" / "web")
    host.good("recover")
    assert links(host) == {"bad": container, "stale": other}


def test_recover_makes_the_links_that_are_missing(host, layout):
    container = host.launch(layout, options=["--name", "web"])
    (host.root / ".names" / "web").unlink()
    host.good("recover")
    assert links(host) == {"web": container}
    assert host.run("create", "-q", "--name", "web", layout).returncode == 125


@pytest.mark.parametrize("options", [[], ["--name", "web"]])
def test_a_create_that_fails_frees_its_name(breakable_knarr, scratch, layout, options):
    host = background.Host(breakable_knarr, scratch)
    for point in ("create.recorded", "run_image.data", "create.data", "create.child", "run.gate"):
        failed = host.run("run", "-d", "-q", *options, layout, "sleep", "9", env={**os.environ, "KNARR_FAULT": point})
        assert failed.returncode != 0, point
        assert links(host) == {}, point
    assert host.run("run", "-q", *options, layout, "not-there").returncode == 127
    assert links(host) == {}
    host.end()


def test_many_at_once_have_names_of_their_own(host, layout):
    """Two of one name in a row: one waits for no other, and has another."""
    started = [subprocess.Popen([*host.command("create", "-q", layout)], stdout=subprocess.PIPE, text=True)
               for _ in range(12)]
    ids = [process.communicate()[0].strip() for process in started]
    assert all(process.returncode == 0 for process in started)
    assert sorted(links(host).values()) == sorted(ids) and len(links(host)) == 12
    wished = [subprocess.Popen([*host.command("create", "-q", "--name", "web", layout)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True) for _ in range(8)]
    told = [process.communicate() for process in wished]
    assert sorted(process.returncode for process in wished) == [0] + [125] * 7
    winner = next(out.strip() for out, _ in told if out)
    assert all("Conflict. The container name" in err for out, err in told if not out)
    assert links(host)["web"] == winner


def test_no_name_costs_a_look_at_all_containers(host, layout):
    """Who makes or finds one by name reads no record but its own, however many there are."""
    container, other = host.launch(layout), host.good("create", "-q", layout).strip()
    name, record = name_of(host, container), host.root / other / "state.json"
    aside = record.with_name("aside")
    record.rename(aside)
    os.mkfifo(record)  # who opens it to read waits until the timeout
    try:
        for words in (["create", "-q", layout], ["create", "-q", "--name", "web", layout], ["exec", name, "true"],
                      ["rename", name, "www"], ["run", "--rm", "-q", layout, "true"], ["rm", "web"]):
            host.good(*words, timeout=20)
        with pytest.raises(subprocess.TimeoutExpired):
            host.run("ps", timeout=1)
    finally:
        aside.rename(record)


def test_errors_come_in_the_order_of_the_arguments(host, layout):
    host.launch(layout, options=["--name", "web"])
    for words in (["rm"], ["stop"], ["start"], ["restart"], ["wait"], ["pause"], ["kill"], ["inspect"],
                  ["update", "--pids-limit", "9"], ["volume", "rm"], ["volume", "inspect"], ["image", "inspect"],
                  ["rmi"], ["network", "rm"], ["network", "inspect"], ["container", "inspect"]):
        failed = host.run(*words, "a-a", "b-b", "web" if words[0] == "kill" else "d-d", "c-c")
        told = [line for line in failed.stderr.splitlines() if not line.startswith("hint")]
        wanted = ["a-a", "b-b", "c-c"] if words[0] == "kill" else ["a-a", "b-b", "d-d", "c-c"]
        assert failed.returncode == (1 if words[0] in ("image", "start", "update") else failed.returncode) != 0, words
        assert len(told) == len(wanted), (words, failed.stderr)
        assert all(name in line for name, line in zip(wanted, told)), (words, failed.stderr)


@pytest.mark.parametrize("words,shown", [
    (["sleep", "1000"], '"sleep 1000"'),
    (["sh", "-c", "sleep 1000 # é"], "\"sh -c 'sleep 1000 #…\""),
    (["sh", "-c", 'exec sleep "100"'], r'''"sh -c 'exec sleep \"…"'''),
])
def test_ps_shows_a_command_as_docker_does(host, layout, words, shown):
    host.launch(layout, *words)
    assert host.good("ps", "--format", "{{.Command}}") == shown + "\n"
    assert json.loads(host.good("ps", "--format", "json"))["Command"] == shown
    heading, row = host.good("ps").splitlines()
    assert row[heading.index("COMMAND"):].startswith(shown + " ")
    assert row[heading.index("CREATED"):].startswith("Less than") or "ago" in row[heading.index("CREATED"):]
    whole = host.good("ps", "--no-trunc", "--format", "{{.Command}}")
    quoted = " ".join(f"'{word}'" if " " in word else word for word in words).replace('"', '\\"')
    assert whole == f'"{quoted}"\n'
