"""What pull prints: docker's last lines."""

import json

import pytest

from small_images import Image

ONE = Image({"a": b"1"})
TWO = Image({"a": b"2"})


@pytest.fixture
def hub(knarr, registry, scratch):
    """The registry stands for Docker Hub, whose names are shown without it."""
    path = scratch / "registries.conf"
    path.write_text(f'[[registry]]\nprefix = "docker.io"\nlocation = "{registry.host}"\ninsecure = true\n')
    knarr.environment["CONTAINERS_REGISTRIES_CONF"] = str(path)
    return registry


def test_the_last_lines_are_dockers(knarr, hub):
    hub.add(ONE)
    newer, same = "Status: Downloaded newer image for a/b:1", "Status: Image is up to date for a/b:1"
    assert knarr.good("pull", "a/b:1").splitlines() == [f"Digest: {ONE.digest}", newer, "docker.io/a/b:1"]
    again = knarr.good("pull", "docker.io/a/b:1")
    assert again.splitlines() == [f"Digest: {ONE.digest}", same, "docker.io/a/b:1"]
    assert knarr.good("pull", "-q", "a/b:1") == "docker.io/a/b:1\n"
    hub.add(TWO)
    assert knarr.good("pull", "a/b:1").splitlines() == [f"Digest: {TWO.digest}", newer, "docker.io/a/b:1"]
    hub.add(ONE)  # all of it is here, and yet the name means another image
    assert newer in knarr.good("pull", "a/b:1").splitlines()
    pinned = f"a/b@{ONE.digest}"
    assert knarr.good("pull", pinned).splitlines()[1:] == [
        f"Status: Downloaded newer image for {pinned}", f"docker.io/{pinned}"]
    assert f"Status: Image is up to date for {pinned}" in knarr.good("pull", pinned)


def test_all_tags_end_with_the_repository(knarr, hub):
    for tag in ("one", "two"):
        hub.add(ONE, tag)
    digest = f"Digest: {ONE.digest}"
    name = f"{hub.host}/a/b"
    assert knarr.good("pull", "-a", "--plain-http", name).splitlines() == [
        digest, digest, f"Status: Downloaded newer image for {name}", name]
    assert f"Status: Image is up to date for {name}\n" in knarr.good("pull", "-a", "--plain-http", name)
    assert knarr.good("pull", "-aq", "--plain-http", name) == name + "\n"


def test_what_was_pulled_can_be_used_by_what_was_printed(knarr, hub):
    hub.add(ONE)
    name = knarr.good("pull", "-q", "a/b:1").strip()
    assert knarr.good("images", "--format", "{{.Repository}}:{{.Tag}}") == "a/b:1\n"
    assert knarr.good("rmi", name).startswith(f"Untagged: a/b:1\nUntagged: a/b@{ONE.digest}\nDeleted: ")


def test_what_goes_is_told_as_docker_does(knarr, hub):
    hub.add(ONE, "1")
    hub.add(ONE, "2")
    for name in ("a/b:1", "a/b:2", f"a/b@{ONE.digest}"):
        knarr.good("pull", "-q", name)
    knarr.good("tag", "a/b:1", "mine:1")
    (shown,) = json.loads(knarr.good("image", "inspect", "a/b:1"))
    assert shown["RepoDigests"] == [f"a/b@{ONE.digest}", f"mine@{ONE.digest}"]
    assert sorted(shown["RepoTags"]) == ["a/b:1", "a/b:2", "mine:1"]
    assert knarr.good("rmi", "a/b:1") == "Untagged: a/b:1\n"
    # The last tag there, and with it what was pulled by digest.
    assert knarr.good("rmi", "a/b:2") == f"Untagged: a/b:2\nUntagged: a/b@{ONE.digest}\n"
    assert json.loads(knarr.good("image", "inspect", "mine:1"))[0]["RepoDigests"] == [f"mine@{ONE.digest}"]
    chain = shown["RootFS"]["Layers"][0]  # of one layer
    assert knarr.good("rmi", "mine:1").splitlines() == [
        "Untagged: mine:1", f"Untagged: mine@{ONE.digest}", f"Deleted: {shown['Id']}", f"Deleted: {chain}"]
    assert knarr.good("images", "-q") == ""
    knarr.good("pull", "-q", "a/b:1")
    knarr.good("pull", "-q", f"a/b@{ONE.digest}")
    assert knarr.good("rmi", f"a/b@{ONE.digest}") == f"Untagged: a/b@{ONE.digest}\n"
    assert knarr.good("images", "--format", "{{.Repository}}:{{.Tag}}") == "a/b:1\n"
