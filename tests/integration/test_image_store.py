"""The store's upkeep: gc, prune, verify and df, beside pulls and beside processes that are killed."""

import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

import images

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture
def host(knarr_path, scratch):
    return images.Host(knarr_path, scratch)


def layer_of(text, bulk=0):
    layer = images.Layer().directory("etc").add("etc/text", text.encode())
    if bulk:
        layer.add("bulk", random.Random(text).randbytes(bulk))
    return layer.bytes()


@pytest.fixture(scope="session")
def base():
    return images.base_layer()


@pytest.fixture
def layout(scratch, base):
    return images.write_layout(scratch / "box", [base, layer_of("one")], {"Cmd": ["true"]})


def blobs(host):
    return {path.name: path for path in (host.data / "blobs/sha256").glob("*/*")}


def verify(host, *words):
    result = host.run("image", "verify", "--json", *words)
    assert result.returncode in (0, 6), result.stderr
    report = json.loads(result.stdout)
    assert (result.returncode == 0) == (not report["Damaged"] and not report["Missing"])
    return report


def test_verify_finds_any_changed_byte_and_the_next_pull_mends_it(host, layout):
    host.good("pull", "-q", layout)
    clean = verify(host)
    assert clean["Blobs"] == len(blobs(host)) == 4
    assert clean["Bytes"] == sum(path.stat().st_size for path in blobs(host).values())
    for name, path in sorted(blobs(host).items()):
        whole = path.read_bytes()
        for at in {0, len(whole) // 2, len(whole) - 1}:
            data = bytearray(whole)
            data[at] ^= 1 << (at % 8)
            path.write_bytes(data)
            (found,) = verify(host, "--keep")["Damaged"]
            assert found["Digest"] == f"sha256:{name}"
            assert path.exists()
        (found,) = verify(host)["Damaged"]
        assert found["Digest"] == f"sha256:{name}"
        assert not path.exists()
        (kept,) = (host.data / "quarantine").iterdir()
        assert kept.read_bytes() == bytes(data)
        (missing,) = [lack for lack in verify(host)["Missing"]
                      if lack["Digest"] == f"sha256:{name}"]
        assert missing["Images"]
        host.good("pull", "-q", layout)
        assert path.read_bytes() == whole
        assert verify(host)["Missing"] == []
        assert "1 quarantined" in host.good("image", "gc")
        assert list((host.data / "quarantine").iterdir()) == []


def test_verify_tells_people_which_image_needs_what(host, layout):
    host.good("pull", "-q", layout)
    victim = max(blobs(host).values(), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-1])
    result = host.run("image", "verify", "localhost/box:latest")
    assert result.returncode == 6
    assert result.stdout.startswith(f"damaged sha256:{victim.name}: its bytes are sha256:")
    assert "needed by localhost/box:latest" in result.stdout
    assert "4 blobs" in result.stdout and "1 damaged, 0 missing" in result.stdout
    assert "hint: " in result.stderr


def test_verify_of_an_unknown_image_is_an_error(host):
    result = host.run("image", "verify", "nothing")
    assert result.returncode == 3 and "nothing" in result.stderr


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
def test_a_pull_mends_what_it_finds_damaged(host, layout, which):
    """Without a verify before: the layers are not unpacked yet, so their blobs are read."""
    identifier = host.good("pull", "-q", layout).strip()
    by_size = sorted(blobs(host).values(), key=lambda path: path.stat().st_size)
    victim = {"layer": by_size[-1],
              "config": next(p for p in by_size if p.name == identifier[7:]),
              "manifest": next(p for p in by_size if b"schemaVersion" in p.read_bytes())}[which]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 0x20
    victim.write_bytes(data)
    for layer in (host.data / "layers").glob("[!.]*"):
        subprocess.run(["rm", "-r", layer], check=True)
    result = host.run("pull", layout)
    assert result.returncode == 0, result.stderr
    if which == "layer":
        assert "damaged" in result.stderr
    assert verify(host)["Damaged"] == []
    host.good("run", "--rm", layout, "true")


def test_gc_removes_what_nothing_needs_and_nothing_else(host, layout, scratch, base):
    host.good("pull", "-q", layout)
    before = set(blobs(host))
    other = images.write_layout(scratch / "other", [base, layer_of("two")])
    host.good("pull", "-q", other)
    # A reference that went without its blobs, as a moved tag leaves it.
    for ref in (host.data / "refs").iterdir():
        if b"other" in ref.read_bytes():
            ref.unlink()
    removed = json.loads(host.good("image", "gc", "--json"))
    assert removed["Blobs"] == 3 and removed["Layers"] == 1 and removed["SpaceReclaimed"] > 0
    assert set(blobs(host)) == before
    assert json.loads(host.good("image", "gc", "--json")) == {
        "Blobs": 0, "Layers": 0, "Quarantined": 0, "SpaceReclaimed": 0}
    assert verify(host)["Missing"] == []


def test_prune_all_spares_what_containers_use_and_asks_first(host, layout, scratch, base):
    used = host.good("pull", "-q", layout).strip()
    host.good("run", layout, "true")
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    other = images.write_layout(scratch / "other", [base, layer_of("two")], created=now)
    host.good("pull", "-q", other)
    asked = host.run("image", "prune", "-a")
    assert asked.returncode == 0 and "[y/N]" in asked.stderr
    assert len(json.loads(host.good("images", "--json"))) == 2
    assert "untagged" not in host.good("image", "prune", "-f"), "both have names"
    assert "untagged" not in host.good("image", "prune", "-af", "--filter", "until=24h")
    out = host.run("image", "prune", "-a", input="y\n").stdout
    assert "untagged: localhost/other:latest" in out and "Total reclaimed space: " in out
    (left,) = json.loads(host.good("images", "--json"))
    assert left["Id"] == used
    assert host.run("image", "prune", "-f", "--filter", "name=x").returncode == 2


def test_df_counts_shared_blobs_once(host, layout, scratch, base):
    host.good("pull", "-q", layout)
    host.good("pull", "-q", images.write_layout(scratch / "other", [base, layer_of("two")]))
    host.good("run", layout, "true")
    usage = json.loads(host.good("image", "df", "--json"))
    pictures, layers, garbage = usage["Usage"]
    assert pictures["TotalCount"] == 2 and pictures["Active"] == 1
    assert pictures["Size"] == sum(path.stat().st_size for path in blobs(host).values())
    assert layers["TotalCount"] == 3 and layers["Active"] == 2
    assert garbage["TotalCount"] == 0
    one, two = usage["Images"]
    assert one["SharedSize"] == two["SharedSize"] > one["UniqueSize"] > 0
    assert one["SharedSize"] + one["UniqueSize"] == one["Size"]
    assert [one["Containers"], two["Containers"]] == [1, 0]
    (container,) = host.containers()
    host.good("delete", container["id"])
    assert json.loads(host.good("image", "df", "--json"))["Usage"][0]["Reclaimable"] == \
        pictures["Size"]
    table = host.good("image", "df", "-v").splitlines()
    assert table[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
    assert "(100%)" in table[1] and "UNIQUE SIZE" in table[5]


def test_gc_beside_a_pull_takes_nothing_from_it(breakable_knarr, scratch, base):
    host = images.Host(breakable_knarr, scratch)
    layers = [base, layer_of("a", 200_000), layer_of("b", 200_000)]
    layout = images.write_layout(scratch / "slow", layers)
    # A pull that stops before its reference is written: everything is stored, nothing refers to it.
    assert "pull.ref" in host.run("pull", layout, fault="pull.ref").stderr
    assert blobs(host), "the blobs of the pull that failed"
    assert json.loads(host.good("image", "gc", "--json"))["Blobs"] > 0, "its lease has ended"
    pulls = [subprocess.Popen(host.command("pull", "-q", layout), stdout=subprocess.PIPE)]
    rounds = 0
    while pulls[0].poll() is None:
        host.good("image", "gc")
        rounds += 1
    assert pulls[0].returncode == 0 and rounds > 0
    assert verify(host)["Missing"] == []
    host.good("run", "--rm", layout, "true")


def test_gc_beside_runs_takes_no_layer_from_a_container(host, scratch, base):
    layout = images.write_layout(scratch / "box", [base, layer_of("x")])
    host.good("pull", "-q", layout)
    runs = [subprocess.Popen(host.command("run", "--rm", "localhost/box:latest", "cat", "etc/text"),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(4)]
    while any(run.poll() is None for run in runs):
        host.good("image", "gc")
    for run in runs:
        out, err = run.communicate()
        assert run.returncode == 0 and out == "x", err


def test_killed_at_random_moments_the_store_verifies_clean(host, scratch, base):
    """kill -9 at random moments of two parallel pulls beside gc; KNARR_KILLS says how often."""
    count = int(os.environ.get("KNARR_KILLS", "25"))
    seed = int(os.environ.get("KNARR_SEED", "5"))
    dice = random.Random(seed)
    layouts = [images.write_layout(scratch / name, [base, layer_of(name, 1_000_000),
                                                    layer_of("shared", 500_000)])
               for name in ("left", "right")]
    start = time.monotonic()
    host.good("pull", "-q", layouts[0])
    whole = time.monotonic() - start
    host.good("rmi", "localhost/left:latest")
    for _ in range(count):
        pulls = [subprocess.Popen(host.command("pull", "-q", layout), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) for layout in layouts]
        collector = subprocess.Popen(host.command("image", "gc"), stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True)
        for victim in dice.sample([*pulls, collector], 3):
            time.sleep(dice.uniform(0, whole))  # the moment is what is random here
            victim.send_signal(signal.SIGKILL)
        for process in (*pulls, collector):
            process.wait()
        report = verify(host)
        assert report["Damaged"] == [] and report["Missing"] == [], f"seed {seed}"
        if dice.random() < 0.5:
            for image in json.loads(host.good("images", "--json")):
                host.good("rmi", image["Id"])
    for image in json.loads(host.good("images", "--json")):
        host.good("rmi", image["Id"])
    host.good("image", "gc")
    assert blobs(host) == {}, "an orphan blob after gc"
    for place in ("layers", "ingest", "leases", "quarantine", "refs"):
        assert list((host.data / place).iterdir()) == [], place
    for layout in layouts:
        host.good("run", "--rm", layout, "true")
    assert verify(host)["Missing"] == []
    assert pathlib.Path(host.data).stat().st_mode & 0o777 == 0o700


def test_a_data_root_behind_a_link_of_somebody_elses_is_refused(host, knarr_path, scratch, layout):
    """Another user's link could lead root to a store that the user has made, or away from its own."""
    def images_of(path):
        return subprocess.run([knarr_path, "--root", host.root, "--data-root", path, "images", "-q"],
                              capture_output=True, text=True, timeout=60, check=False)
    host.good("pull", layout)
    open_place = scratch / "open"
    open_place.mkdir()
    own, theirs = open_place / "own", open_place / "theirs"
    own.symlink_to(host.data)
    theirs.symlink_to(own)
    assert images_of(theirs).returncode == 0 and images_of(theirs).stdout
    os.chown(theirs, 12345, 12345, follow_symlinks=False)
    for path in (theirs, theirs / "below", f"{open_place}/../open/theirs"):
        refused = images_of(path)
        assert refused.returncode != 0 and refused.stdout == ""
        assert "user 12345" in refused.stderr and str(theirs) in refused.stderr and "--data-root" in refused.stderr
    behind = scratch / "behind"
    behind.symlink_to(theirs)
    assert images_of(behind).returncode != 0, "a link of ours that leads through theirs"
    for words in (["run", "--rm", layout, "true"], ["volume", "create", "data"], ["volume", "ls"]):
        done = subprocess.run([knarr_path, "--root", host.root, "--data-root", theirs, *words],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0 and "user 12345" in done.stderr, words
    assert not (host.data / "below").exists() and images_of(own).returncode == 0


def test_a_data_root_below_a_directory_of_somebody_elses_is_refused(host, knarr_path, scratch, layout):
    def done(*words):
        return subprocess.run([knarr_path, "--root", host.root, "--data-root", scratch / "above" / "in" / "data", *words],
                              capture_output=True, text=True, timeout=60, check=False)
    above = scratch / "above"
    (above / "in").mkdir(parents=True)
    for owner, mode, word in ((12345, 0o755, "user 12345"), (0, 0o777, "mode 0777")):
        os.chown(above, owner, owner)
        above.chmod(mode)
        for words in (["run", "--rm", layout, "true"], ["pull", layout], ["images"], ["volume", "create", "data"]):
            refused = done(*words)
            assert refused.returncode != 0 and f"{above}" in refused.stderr and word in refused.stderr, words
            assert "--data-root" in refused.stderr
    assert list((above / "in").iterdir()) == []
    os.chown(above, 0, 0)
    above.chmod(0o1777)
    assert done("run", "--rm", "-q", layout, "true").returncode == 0
    subprocess.run([knarr_path, "--root", host.root, "--data-root", above / "in" / "data", "rmi", "-f", "-a"], check=False,
                   capture_output=True)
