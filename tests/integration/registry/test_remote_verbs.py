"""image tags, referrers and delete: what a registry has, without the store."""

import json
import shutil
import subprocess

import pytest

import hostile
from small_images import INDEX, MANIFEST, Image, digest_of, write_layout

SMALL = Image({"bin/true": b"#!"})
TEXT = "application/spdx+json"


def test_tags_are_listed_over_all_pages(knarr, registry):
    registry.page = 2
    for tag in "abcde":
        registry.add(SMALL, tag)
    name = f"{registry.host}/a/b"
    assert knarr.good("image", "tags", "--plain-http", name).split() == list("abcde")
    assert json.loads(knarr.good("image", "tags", "--plain-http", "--json", f"docker://{name}")) == {
        "Repository": name, "Tags": list("abcde")}
    assert len(registry.asked("/tags/list")) == 6


def test_a_next_page_at_another_host_is_not_asked(knarr, registry, other):
    registry.basic = ("me", "pw")
    knarr.good("login", "--plain-http", "-u", "me", "--password-stdin", registry.host, input="pw")
    registry.on("/tags/list", lambda handler: registry.may_enter(handler) and handler.send(
        200, b'{"tags":["a"]}', Link=f'<{other.url}/v2/a/b/tags/list>; rel="next"'), forever=True)
    assert "another place" in knarr.bad("image", "tags", "--plain-http", f"{registry.host}/a/b")
    assert not other.requests


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tags":7}', b'{"tags":["a"'])
def test_a_list_that_is_none_is_an_error(knarr, registry, body):
    registry.on("/tags/list", hostile.body(body), forever=True)
    assert "list of tags" in knarr.bad("image", "tags", "--plain-http", f"{registry.host}/a/b")


def test_tags_of_nothing_are_not_found(knarr, registry):
    registry.on("/tags/list", hostile.status(404), forever=True)
    done = knarr.run("image", "tags", "--plain-http", f"{registry.host}/a/none")
    assert done.returncode != 0 and "404" in done.stderr


def referrers_index():
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": MANIFEST, "digest": digest_of(b"1"), "size": 1, "artifactType": TEXT,
         "annotations": {"a": "b"}},
        {"mediaType": MANIFEST, "digest": digest_of(b"2"), "size": 2, "artifactType": "x/y"}]}).encode()


@pytest.mark.parametrize("how", ["api", "tag"])
def test_referrers_come_from_the_api_or_the_tag_in_its_place(knarr, registry, how):
    name = registry.add(SMALL)
    if how == "api":
        registry.referrers[SMALL.digest] = referrers_index()
    else:
        registry.add_manifest(referrers_index(), INDEX, "sha256-" + SMALL.digest[7:])
    shown = json.loads(knarr.good("image", "referrers", "--plain-http", "--json", name))
    assert shown["subject"] == SMALL.digest
    assert [one["digest"] for one in shown["manifests"]] == [digest_of(b"1"), digest_of(b"2")]
    assert shown["manifests"][0]["annotations"] == {"a": "b"}
    text = knarr.good("image", "referrers", "--plain-http", "--artifact-type", TEXT, name)
    assert digest_of(b"1") in text and digest_of(b"2") not in text


def test_no_referrers_are_an_empty_list(knarr, registry):
    name = registry.add(SMALL)
    assert json.loads(knarr.good("image", "referrers", "--plain-http", "--json", name))[
        "manifests"] == []


def test_delete_is_by_digest_and_says_which(knarr, registry):
    name = registry.add(SMALL)
    registry.bearer = ("", "")
    out = knarr.good("image", "delete", "--plain-http", f"docker://{name}")
    assert out == f"Deleted: {registry.host}/a/b@{SMALL.digest}\n" and not registry.tags
    assert [request[1] for request in registry.requests if request[0] == "DELETE"] == \
        [f"/v2/a/b/manifests/{SMALL.digest}"]
    assert registry.scopes[-1] == ["repository:a/b:pull,delete"]


def test_a_deletion_is_not_sent_to_where_a_registry_points(knarr, registry, other):
    name = registry.add(SMALL)
    hostile.only(registry, "DELETE", hostile.redirect(f"{other.url}/all"), "/manifests/")
    said = knarr.bad("image", "delete", "--plain-http", f"docker://{name}")
    assert f"a redirect to {other.host.partition(':')[0]}: refused" in said
    assert not other.requests and registry.tags


def test_pages_of_referrers_without_end_are_left(knarr, registry):
    name = registry.add(SMALL)
    empty = hostile.body(json.dumps({**json.loads(referrers_index()), "manifests": []}).encode(),
                         Content_Type=INDEX, Link='</v2/a/b/referrers/more>; rel="next"')
    registry.on("/referrers/", *[empty] * 251)
    said = knarr.bad("image", "referrers", "--plain-http", name)
    assert "its referrers fill more than 250 pages" in said
    assert len(registry.asked("/referrers/")) == 250


def test_delete_wants_to_be_told_that_a_registry_is_meant(knarr, registry):
    name = registry.add(SMALL)
    assert "knarr rmi" in knarr.bad("image", "delete", "--plain-http", name)
    assert not registry.requests


def test_a_registry_that_does_not_delete_is_named_with_the_way_out(knarr, registry):
    registry.may_delete = False
    said = knarr.bad("image", "delete", "--plain-http", f"docker://{registry.add(SMALL)}")
    assert "does not delete" in said and "REGISTRY_STORAGE_DELETE_ENABLED" in said


def test_docker_registry(knarr, start_docker_registry, scratch):
    if not shutil.which("skopeo"):
        pytest.skip("needs skopeo")
    host = start_docker_registry(storage={"delete": {"enabled": True}}).host
    write_layout(scratch / "layout", SMALL, "1")
    knarr.good("pull", "--quiet", f"oci:{scratch}/layout:1")
    tags = [f"t{number:03}" for number in range(12)]
    for tag in tags:
        knarr.good("push", "--plain-http", "-q", SMALL.config["digest"], f"{host}/a/b:{tag}")
    listed = subprocess.run(["skopeo", "list-tags", "--tls-verify=false", f"docker://{host}/a/b"],
                            capture_output=True, text=True, check=True).stdout
    ours = json.loads(knarr.good("image", "tags", "--plain-http", "--json", f"{host}/a/b"))
    assert ours["Repository"] == json.loads(listed)["Repository"]
    assert sorted(ours["Tags"]) == sorted(json.loads(listed)["Tags"]) == tags
    assert json.loads(knarr.good("image", "referrers", "--plain-http", "--json",
                                 f"{host}/a/b:t001"))["manifests"] == []
    knarr.good("image", "delete", "--plain-http", f"docker://{host}/a/b:t003")
    assert knarr.run("pull", "--plain-http", f"{host}/a/b:t004").returncode != 0


def test_all_tags_of_a_repository_are_pulled(knarr, registry):
    for tag in ("one", "two"):
        registry.add(SMALL, tag)
    name = f"{registry.host}/a/b"
    assert knarr.good("pull", "-q", "--all-tags", "--plain-http", name) == name + "\n"
    assert knarr.good("images", "--format", "{{.Repository}}:{{.Tag}}", name).split() == [f"{name}:one", f"{name}:two"]
    assert "leave out the tag" in knarr.bad("pull", "-a", "--plain-http", f"{name}:one")


def test_of_all_tags_those_that_can_be_had_are_pulled(knarr, registry):
    registry.add(SMALL, "good")
    registry.on("/tags/list", hostile.body(b'{"name":"a/b","tags":["gone","good"]}'), forever=True)
    name = f"{registry.host}/a/b"
    assert "gone" in knarr.bad("pull", "-q", "-a", "--plain-http", name)
    assert knarr.good("images", "--format", "{{.Tag}}", name).split() == ["good"]
