"""`system df`, `stats` and `system prune`, in docker's words and numbers."""

import json
import re

import pytest

import images
from background import host, layout  # fixtures

pytestmark = pytest.mark.usefixtures("needs_root")


def rows(host):
    """The rows of `system df` by their names: total, active, size, reclaimable."""
    found = [json.loads(line) for line in host.good("system", "df", "--format", "json").splitlines()]
    return {row["Type"]: tuple(row[key] for key in ("TotalCount", "Active", "Size", "Reclaimable")) for row in found}


def test_system_df_counts_what_is_there(host, layout):
    assert rows(host) == {"Images": ("0", "0", "0B", "0B"), "Containers": ("0", "0", "0B", "0B"),
                          "Local Volumes": ("0", "0", "0B", "0B"), "Build Cache": ("0", "0", "0B", "0B")}
    write = "head -c 2097152 /dev/zero > /f; head -c 1048576 /dev/zero > /data/f; sync; "
    runs = host.launch(layout, "sh", "-c", write + "echo done; exec sleep 1000", options=["--name", "web", "-v", "data:/data"])
    while "done" not in host.good("logs", runs):
        pass
    host.good("run", "-q", "--name", "ended", layout, "sh", "-c", "head -c 1048576 /dev/zero > /f")
    host.good("volume", "create", "unused")
    found = rows(host)
    assert found["Images"][:2] == ("1", "1") and re.fullmatch(r"\d+(\.\d+)?MB", found["Images"][2])
    assert found["Containers"][:2] == ("2", "1") and re.fullmatch(r"3\.1\d+MB", found["Containers"][2])
    assert re.fullmatch(r"1\.0\d+MB \(33%\)", found["Containers"][3]), found
    assert found["Local Volumes"][:2] == ("2", "1") and re.fullmatch(r"1\.0\d+MB", found["Local Volumes"][2])
    assert found["Local Volumes"][3].endswith("B (0%)") and found["Build Cache"] == ("0", "0", "0B", "0B")
    lines = host.good("system", "df").splitlines()
    assert lines[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
    assert [re.split("  +", line)[0] for line in lines[1:]] == list(found)
    assert host.good("system", "df", "--format", "{{.Type}}:{{.TotalCount}}").splitlines()[1:3] == \
        ["Containers:2", "Local Volumes:2"]
    whole = host.good("system", "df", "-v")
    parts = [whole.index(f"{part} space usage:\n\n") for part in ("Images", "Containers", "Local Volumes")]
    assert parts == sorted(parts) and "\nBuild cache usage: 0B\n\nCACHE ID" in whole
    assert re.search(r"^[0-9a-f]{12} .* 1 +2\.1\d*MB .* web$", whole, re.M) and re.search("^data +1 +1", whole, re.M)
    each = json.loads(host.good("system", "df", "-v", "--format", "json"))
    assert {kind: len(each[kind]) for kind in each} == {"BuildCache": 0, "Containers": 2, "Images": 1, "Volumes": 2}
    assert sorted(one["Links"] for one in each["Volumes"]) == ["0", "1"]
    assert host.good("system", "df", "-v", "--format", "{{range .Containers}}{{.Names}} {{end}}").split() == ["ended", "web"] \
        or each["Containers"][0]["Names"] == "web"
    assert host.run("system", "df", "-v", "--format", "{{.Nothing}}").returncode == 2


def test_stats_show_the_machines_memory_where_there_is_no_limit(host, layout):
    host.launch(layout, options=["--name", "free"])
    host.launch(layout, options=["--name", "bound", "--memory", "64m"])
    used = {row["Name"]: row for row in map(json.loads, host.good("stats", "--no-stream", "--format", "json").splitlines())}
    if used["bound"]["MemUsage"] is None:
        pytest.skip("no memory controller")
    total = int(re.search(r"MemTotal: +(\d+) kB", open("/proc/meminfo").read())[1]) * 1024
    number, unit = re.fullmatch(r"[\d.]+(?:B|KiB|MiB|GiB) / ([\d.]+)([GMT]iB)", used["free"]["MemUsage"]).groups()
    assert abs(float(number) * 1024 ** (" MGT".index(unit[0]) + 1) / total - 1) < 0.01
    assert used["bound"]["MemUsage"].endswith(" / 64MiB") and used["free"]["MemPerc"].endswith("%")


def test_one_filter_prunes_everything_by_label_and_age(host, scratch):
    for name, labels in (("web", {"tier": "web"}), ("db", {"tier": "db"}), ("bare", {})):
        image = images.write_layout(scratch / name, [images.base_layer()], {"Cmd": ["true"], "Labels": labels})
        host.good("pull", "-q", image)
    names = sorted(host.good("images", "--format", "{{.Repository}}").split())
    assert len(names) == 3
    prune = ["system", "prune", "-a", "-f", "--filter"]
    host.good(*prune, "label=tier=none")
    host.good(*prune, "until=2020-01-01", "--filter", "label!=nothing")
    assert sorted(host.good("images", "--format", "{{.Repository}}").split()) == names
    assert host.good(*prune, "label=tier=web").count(":latest\n") == 1
    assert host.good(*prune, "label!=tier").count(":latest\n") == 1
    assert len(host.good("images", "-q").split()) == 1
    for noun in ("container", "image", "volume", "network", "system"):
        assert host.run(noun, "prune", "-f", "--filter", "colour=red").returncode == 2, noun
        asked = host.run(noun, "prune", input="n\n")
        assert asked.stderr.startswith("WARNING! This will remove ") and "nothing is removed" in asked.stderr
    assert host.good("image", "prune", "-af", "--filter", "label=tier").count(":latest\n") == 1


def test_cpus_that_are_not_there_are_refused_in_dockers_words(host, layout):
    available = open("/sys/devices/system/cpu/online").read().strip()
    host.good("create", "-q", "--name", "web", layout)
    for words in (["run", "--rm", "-q"], ["run", "-d", "-q"], ["create", "-q"], ["run", "-q"]):
        for option, what in (("--cpuset-cpus", "CPUs"), ("--cpuset-mems", "memory nodes")):
            failed = host.run(*words, option, "1000", layout, "true")
            assert failed.returncode == 125 and f"Requested {what} are not available - requested 1000, available: " in \
                failed.stderr and f"with {option}" in failed.stderr, words
    assert f"requested 1000, available: {available}" in host.run("update", "--cpuset-cpus", "1000", "web").stderr
    assert len(host.containers()) == 1
