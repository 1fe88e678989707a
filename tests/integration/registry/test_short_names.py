"""Names without a registry: aliases and registries to search of podman's registries.conf."""

import json

import hostile
import pytest
import small_images as images

ONE = images.Image({"who": b"one"})
OTHER = images.Image({"who": b"other"})


@pytest.fixture
def conf(knarr, scratch):
    def write(*registries, search=(), text=""):
        path = scratch / "registries.conf"
        known = "".join(f'[[registry]]\nlocation = "{one.host}"\ninsecure = true\n' for one in registries)
        path.write_text(f"unqualified-search-registries = {json.dumps(list(search))}\n{text}\n{known}")
        knarr.environment["CONTAINERS_REGISTRIES_CONF"] = str(path)
    return write


def names(knarr):
    return sorted(name for image in json.loads(knarr.good("images", "--json")) for name in image["References"])


def test_an_alias_is_pulled_found_pushed_and_removed_by_its_short_name(knarr, registry, conf):
    registry.add(ONE, "2")
    conf(registry, text=f'[aliases]\n"tool" = "{registry.host}/a/b"')
    assert knarr.good("pull", "-q", "tool:2") == f"{registry.host}/a/b:2\n"
    assert names(knarr) == [f"{registry.host}/a/b:2"]
    identifier = json.loads(knarr.good("images", "--json"))[0]["Id"]
    assert json.loads(knarr.good("image", "inspect", "tool:2"))[0]["Id"] == identifier
    registry.tags.clear()
    knarr.good("push", "tool:2")
    assert "2" in registry.tags
    knarr.good("save", "-o", knarr.home / "saved", "tool:2")
    knarr.good("rmi", "tool:2")
    assert names(knarr) == []
    assert f"{registry.host}/a/b:2" in knarr.good("load", "-i", knarr.home / "saved")
    # What it is not an alias of is as ever.
    assert "not stored" in knarr.bad("rmi", "tool:3")


def test_a_single_registry_to_search_stands_for_the_missing_one(knarr, registry, conf):
    registry.add(ONE)
    conf(registry, search=[registry.host])
    knarr.good("pull", "-q", "a/b:1")
    assert names(knarr) == [f"{registry.host}/a/b:1"]
    before = len(registry.requests)
    knarr.good("image", "inspect", "a/b:1")
    assert len(registry.requests) == before


def test_several_are_not_guessed_among(knarr, registry, other, conf):
    other.add(ONE)
    conf(registry, other, search=[registry.host, other.host])
    said = knarr.bad("pull", "a/b:1")
    assert registry.host in said and other.host in said and "short-name-mode" in said
    assert registry.requests == other.requests == [] and names(knarr) == []


@pytest.mark.parametrize("mode", ["permissive", "disabled"])
def test_they_are_asked_in_their_order_where_the_file_says_so(knarr, registry, other, conf, mode):
    other.add(ONE)
    conf(registry, other, search=[registry.host, other.host], text=f'short-name-mode = "{mode}"')
    done = knarr.run("pull", "a/b:1")
    assert done.returncode == 0 and f"asking for {other.host}/a/b:1" in done.stderr, done.stderr
    assert names(knarr) == [f"{other.host}/a/b:1"]
    registry.add(OTHER)
    knarr.good("pull", "-q", "a/b:1")
    assert names(knarr) == sorted([f"{registry.host}/a/b:1", f"{other.host}/a/b:1"])


def test_one_that_is_in_trouble_is_an_error_and_no_reason_to_take_anothers(knarr, registry, other, conf):
    other.add(OTHER)
    registry.on("/manifests/", hostile.status(500), forever=True)
    conf(registry, other, search=[registry.host, other.host], text='short-name-mode = "permissive"')
    assert "500" in knarr.bad("pull", "--timeout", "2s", "a/b:1")
    assert other.requests == [] and names(knarr) == []


def test_a_name_that_was_given_here_is_found_whatever_is_searched(knarr, registry, conf):
    registry.add(ONE)
    conf(registry, search=[registry.host])
    knarr.good("pull", "-q", "a/b:1")
    knarr.good("tag", "a/b:1", "mine:7")
    assert "docker.io/library/mine:7" in names(knarr)
    knarr.good("image", "inspect", "mine:7")
    knarr.good("untag", "mine:7", "mine:7")
    assert names(knarr) == [f"{registry.host}/a/b:1"]


@pytest.mark.parametrize("text, said", [
    ('[aliases]\n"x" = "y"', "no name with a registry"), ('[aliases]\n"x:1" = "r.io/y"', "has a registry, a tag"),
    ('short-name-mode = "ask"', "none of enforcing"),
])
def test_what_cannot_be_understood_is_an_error(knarr, conf, text, said):
    conf(text=text)
    assert said in knarr.bad("pull", "x") and said in knarr.bad("image", "inspect", "x")


def test_a_registry_to_search_is_a_host(knarr, conf):
    conf(search=["https://r.io"])
    assert "no registry to search" in knarr.bad("pull", "x")
