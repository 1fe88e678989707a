"""What images are called where docker's scripts read it: as docker shows names, and as they were typed."""

import json
import tarfile

import pytest

import images
from background import host, layout  # fixtures

pytestmark = pytest.mark.usefixtures("needs_root")

NAMES = ("busybox:latest", "localhost/box:latest", "localhost:5000/x:1", "quay.example/a/b:2", "user/app:3")


@pytest.fixture
def stored(host, layout):
    """An image under names of all kinds; its ID."""
    identifier = host.good("pull", "-q", layout).strip()
    for name in NAMES:
        host.good("tag", identifier, name)
    return identifier


def pairs(text):
    return sorted(tuple(line.split()[:2]) for line in text.splitlines())


SPLIT = sorted(tuple(name.rsplit(":", 1)) for name in NAMES)


def test_lists_have_dockers_repositories(host, stored):
    assert pairs(host.good("images", "--format", "{{.Repository}} {{.Tag}}")) == SPLIT
    assert pairs(host.good("images", "-n")) == pairs(host.good("images", "--digests", "-n")) == SPLIT
    rows = [json.loads(line) for line in host.good("image", "ls", "--format", "json").splitlines()]
    assert sorted((row["Repository"], row["Tag"]) for row in rows) == SPLIT
    used = host.good("image", "df", "-v").split("REPOSITORY", 1)[1].split("\n", 1)[1]
    assert pairs(used) == SPLIT
    (usage,) = json.loads(host.good("image", "df", "--json"))["Images"]
    (shown,) = json.loads(host.good("image", "inspect", "busybox"))
    assert sorted(usage["RepoTags"]) == sorted(shown["RepoTags"]) == sorted(NAMES)
    assert sorted(one.split("@")[0] for one in shown["RepoDigests"]) == [name for name, _ in SPLIT]
    assert host.good("images", "-q") == stored[7:19] + "\n"
    # A digest in the name: no tag.
    assert pairs(host.good("images", "-n", "user/app")) == [("user/app", "3")]


def test_the_newest_image_stands_first(host, stored, scratch):
    for name, made in (("ancient", "2020-01-01T00:00:00Z"), ("zoo", "2026-05-05T00:00:00Z")):
        host.good("pull", "-q", images.write_layout(scratch / name, [images.base_layer()], {}, created=made))
    order = host.good("images", "--format", "{{.Repository}}").split()
    assert (order[0], order[-1]) == ("localhost/zoo", "localhost/ancient") and len(order) == len(NAMES) + 2
    ids = host.good("images", "-q", "--no-trunc").split()
    assert ids == [one["Id"] for one in json.loads(host.good("images", "--json"))] and ids[1] == stored


def test_a_name_is_found_by_every_spelling(host, stored):
    for name in ("busybox", "library/busybox:latest", "docker.io/busybox", "docker.io/library/busybox:latest",
                 "index.docker.io/library/busybox", stored, stored[7:19]):
        assert json.loads(host.good("image", "inspect", name))[0]["Id"] == stored, name


def test_what_goes_and_comes_is_named_as_docker_does(host, stored, scratch):
    saved = scratch / "saved.tar"
    host.good("save", "-o", saved, *NAMES)
    with tarfile.open(saved) as tar:
        (entry,) = json.load(tar.extractfile("manifest.json"))
    assert sorted(entry["RepoTags"]) == sorted(NAMES)
    (digest,) = {one["Digest"] for one in json.loads(host.good("images", "--json"))}
    assert host.good("rmi", "docker.io/library/busybox") == f"Untagged: busybox:latest\nUntagged: busybox@{digest}\n"
    assert host.good("untag", stored, "docker.io/user/app:3") == "Untagged: user/app:3\n"
    lines = host.good("rmi", "-f", stored).splitlines()
    assert sorted(line for line in lines if not line.startswith("Deleted: sha256:")) == [
        "Untagged: localhost/box:latest", f"Untagged: localhost/box@{digest}", "Untagged: localhost:5000/x:1",
        f"Untagged: localhost:5000/x@{digest}", "Untagged: quay.example/a/b:2", f"Untagged: quay.example/a/b@{digest}"]
    assert sorted(host.good("load", "-q", "-i", saved).splitlines()) == sorted(f"Loaded image: {name}" for name in NAMES)
    pruned = host.good("image", "prune", "-af").splitlines()
    told = [f"untagged: {one}" for name in NAMES for one in (name, f"{name.rsplit(':', 1)[0]}@{digest}")]
    assert pruned[0] == "Deleted Images:" and sorted(pruned[1:11]) == sorted(told)
    assert pruned[11] == f"deleted: {stored}" and pruned[12].startswith("deleted: sha256:")
    host.good("load", "-q", "-i", saved)
    host.good("untag", stored)
    # One without a name: docker tells of what is deleted alone.
    gone = host.good("rmi", stored).splitlines()
    assert gone and all(line.startswith("Deleted: sha256:") for line in gone)


TYPED = {  # what is typed, what `ps` shows of it
    "busybox": "busybox", "busybox:latest": "busybox:latest", "docker.io/library/busybox": "busybox",
    "docker.io/library/busybox:latest": "busybox:latest", "user/app:3": "user/app:3",
    "localhost:5000/x:1": "localhost:5000/x:1", "localhost/box": "localhost/box"}


def test_a_container_keeps_what_was_typed(host, stored):
    typed = dict(TYPED)
    typed[stored] = typed[stored[7:]] = typed[stored[7:19]] = stored[7:19]
    typed[stored[7:16]] = stored[7:16]
    digest = json.loads(host.good("images", "--json"))[0]["Digest"]
    typed[f"busybox@{digest}"] = "busybox"
    for name, shown in typed.items():
        container = host.good("create", "-q", name).strip()
        assert host.inspect(container)["Config"]["Image"] == name
        assert host.inspect(container)["Image"] == stored
        ps = ["ps", "-a", "--filter", f"id={container}"]
        assert host.good(*ps, "--format", "{{.Image}}") == shown + "\n", name
        assert json.loads(host.good(*ps, "--format", "json"))["Image"] == shown
        assert host.good(*ps, "--noheading").split()[1] == shown
        assert host.good(*ps, "--no-trunc", "--format", "{{.Image}}") == name + "\n"
        spellings = ["busybox", "library/busybox", "docker.io/library/busybox"]
        spellings = spellings if "busybox" in name else [name]
        for spelling in (*spellings, name, shown, stored, stored[7:], stored[7:19]):
            found = host.good("ps", "-aq", "--no-trunc", "--filter", f"ancestor={spelling}").split()
            assert found == [container], (name, spelling)
        for other in ("busybox:1", "box", "user", "f" * 12):
            assert host.good("ps", "-aq", "--filter", f"ancestor={other}") == "", (name, other)
        host.good("rm", container)


def test_of_a_layout_the_name_that_it_is_stored_by_is_kept(host, layout):
    container = host.launch(layout)
    assert host.inspect(container)["Config"]["Image"] == "localhost/box:latest"
    assert host.good("ps", "--format", "{{.Image}}") == "localhost/box:latest\n"
    assert host.good("ps", "-q", "--no-trunc", "--filter", "ancestor=localhost/box") == container + "\n"


def test_events_have_what_was_typed(host, stored):
    container = host.launch("busybox", "true", options=["--name", "job"])
    host.wait_ended(container)
    seen = ["events", "--since", "1h", "--until", "0s", "--filter"]
    told = [json.loads(line) for line in host.good(*seen, "event=start", "--format", "json").splitlines()]
    assert [(one["from"], one["Actor"]["Attributes"]["image"]) for one in told] == [("busybox", "busybox")]
    for name in ("busybox", "busybox:latest", "docker.io/library/busybox"):
        assert len(host.good(*seen, f"image={name}").splitlines()) == 3, name
    assert host.good(*seen, "image=busybox:1") == ""


def test_a_record_of_an_earlier_build_has_the_name_as_docker_shows_it(host, stored):
    container = host.good("create", "-q", "--name", "old", "docker.io/library/busybox").strip()
    path = host.root / container / "state.json"
    record = json.loads(path.read_text())
    assert record["image"] == "docker.io/library/busybox:latest"
    assert record["life"]["asked"].pop("image") == "docker.io/library/busybox"
    path.write_text(json.dumps(record))
    assert host.inspect("old")["Config"]["Image"] == "busybox:latest"
    assert host.good("ps", "-a", "--format", "{{.Image}}") == "busybox:latest\n"
    assert host.good("ps", "-aq", "--no-trunc", "--filter", "ancestor=busybox") == container + "\n"
    del record["life"]["asked"]
    path.write_text(json.dumps(record))
    assert host.inspect("old")["Config"]["Image"] == "busybox:latest"
    host.good("start", "old")
    assert host.state("old")["Running"]
    assert host.good("ps", "--format", "{{.Image}}") == "busybox:latest\n"


def test_a_container_that_starts_again_keeps_it(host, stored):
    container = host.launch("busybox", "true")
    host.wait_ended(container)
    host.good("start", container)
    host.wait_ended(container)
    assert host.inspect(container)["Config"]["Image"] == "busybox"
