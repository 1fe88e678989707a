"""Manifests with a subject, at registries that do not list them: the client keeps the list, under a tag."""

import json

import pytest

import hostile
from small_images import INDEX, MANIFEST, Image, digest_of, write_layout

SUBJECT = Image({"bin/true": b"#!"})
TAG = "sha256-" + SUBJECT.digest[7:]


def referrer(name, **more):
    """An image that is about SUBJECT."""
    image = Image({name: b"about it"})
    document = {**json.loads(image.manifest), "subject": SUBJECT.descriptor(), **more}
    image.manifest = json.dumps(document).encode()
    image.digest = digest_of(image.manifest)
    return image


SBOM = referrer("sbom", artifactType="application/spdx+json", annotations={"org.example.of": "it"})
PLAIN = referrer("plain")
VARIANT = Image({"other": b"1"})


@pytest.fixture
def push(knarr, registry, scratch):
    def run(image, host=None, tag="x"):
        layout = scratch / f"layout{image.digest[7:15]}"
        if not layout.exists():
            write_layout(layout, image, "1")
            knarr.good("pull", "-q", f"oci:{layout}:1")
        return knarr.run("push", "--plain-http", image.config["digest"], f"{host or registry.host}/a/b:{tag}")
    return run


def listed(registry):
    text, media_type = registry.tags[TAG]
    assert media_type == INDEX
    return json.loads(text)["manifests"]


def entry(image, **more):
    return {**image.descriptor(), **more}


ENTRIES = [entry(SBOM, artifactType="application/spdx+json", annotations={"org.example.of": "it"}),
           entry(PLAIN, artifactType=PLAIN.config["mediaType"])]


def writes(registry):
    return [request for request in registry.asked(f"/manifests/{TAG}") if request[0] == "PUT"]


def test_the_list_begins_and_grows_and_has_each_once(registry, push, knarr):
    for image in (SBOM, PLAIN, SBOM, PLAIN):
        done = push(image)
        assert done.returncode == 0, done.stderr
    assert listed(registry) == ENTRIES and len(writes(registry)) == 2
    assert writes(registry)[0][2]["Content-Type"] == INDEX
    registry.add(SUBJECT)
    shown = json.loads(knarr.good("image", "referrers", "--plain-http", "--json", f"{registry.host}/a/b:1"))
    assert [one["digest"] for one in shown["manifests"]] == [SBOM.digest, PLAIN.digest]


def test_who_pushes_is_told_of_each_list_that_is_written(registry, push):
    told = [push(image).stderr for image in (SBOM, PLAIN, SBOM)]
    for image, text in zip((SBOM, PLAIN), told):
        assert f"{image.digest} was put into the one under the tag {TAG}" in text, text
    assert TAG not in told[2], "nothing was written"


def test_a_registry_that_lists_them_itself_is_left_alone(registry, push):
    registry.lists_subjects = True
    done = push(SBOM)
    assert done.returncode == 0 and not registry.asked(TAG) and "under the tag" not in done.stderr


@pytest.mark.parametrize("subject", ["v2:stable", "sha256:abc"])
def test_a_subject_does_not_choose_the_tag(registry, push, subject):
    image = referrer("evil", subject={**SUBJECT.descriptor(), "digest": subject})
    done = push(image)
    assert done.returncode != 0 and f'"{subject}" is not a digest of sha256 or sha512' in done.stderr
    assert all(request[0] != "PUT" or "/blobs/" in request[1] for request in registry.requests)


def test_a_manifest_without_a_subject_has_no_list(registry, push):
    assert push(SUBJECT).returncode == 0 and not registry.asked("/manifests/sha256-")


def test_what_others_have_in_the_list_stays(registry, push):
    other = {"mediaType": MANIFEST, "digest": digest_of(b"1"), "size": 1, "data": "AA=="}
    registry.add_manifest(b"1", MANIFEST)
    registry.add_manifest(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [other],
                                      "annotations": {"by": "them"}}).encode(), INDEX, TAG)
    assert push(SBOM).returncode == 0
    assert listed(registry) == [other, ENTRIES[0]]
    assert json.loads(registry.tags[TAG][0])["annotations"] == {"by": "them"}


@pytest.mark.parametrize("text, kind", [
    (SUBJECT.manifest, MANIFEST),
    (b'{"schemaVersion":2,"manifests":[]}', "application/vnd.docker.distribution.manifest.list.v2+json"),
    (b"{", INDEX)])
def test_a_tag_that_is_no_index_is_not_written_over(registry, push, text, kind):
    registry.add_manifest(text, kind, TAG)
    done = push(SBOM, tag="kept")
    assert done.returncode != 0 and "list of what refers to " + SUBJECT.digest in done.stderr, done.stderr
    assert registry.tags[TAG] == (text, kind) and registry.tags["kept"][0] == SBOM.manifest
    assert not writes(registry)


def overwrite(registry):
    """Another client's list, which it read before ours was there, comes after it."""
    def step(handler):
        if handler.command != "PUT":
            return NotImplemented
        handler.body()
        registry.add_manifest(PLAIN.manifest, MANIFEST)
        registry.add_manifest(json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                                          "manifests": [ENTRIES[1]]}).encode(), INDEX, TAG)
        handler.send(201)
        return None
    return step


def test_a_list_that_another_wrote_meanwhile_is_written_again(registry, push):
    hostile.only(registry, "PUT", overwrite(registry), part=TAG)
    done = push(SBOM)
    assert done.returncode == 0, done.stderr
    assert listed(registry) == [ENTRIES[1], ENTRIES[0]] and len(writes(registry)) == 2


def test_a_list_that_never_keeps_ours_is_an_error(registry, push):
    registry.on(TAG, overwrite(registry), forever=True)
    done = push(SBOM)
    assert done.returncode != 0 and "written 8 times" in done.stderr and "hint: " in done.stderr, done.stderr
    assert len(writes(registry)) == 8


def test_an_index_may_have_a_subject_too(registry, knarr, scratch):
    """Its subject's list has the index, not what is in it."""
    document = {"schemaVersion": 2, "mediaType": INDEX, "artifactType": "t/x", "subject": SUBJECT.descriptor(),
                "manifests": [VARIANT.descriptor(platform={"os": "linux", "architecture": "amd64"})]}
    text = json.dumps(document).encode()
    source = hostile.Registry()
    try:
        source.add(VARIANT)
        source.add_manifest(text, INDEX, "m")
        knarr.good("pull", "-q", "--plain-http", f"{source.host}/a/b:m")
        knarr.good("push", "-q", "--plain-http", f"{source.host}/a/b:m", f"{registry.host}/a/b:m")
    finally:
        source.close()
    assert listed(registry) == [{"mediaType": INDEX, "digest": digest_of(text), "size": len(text),
                                 "artifactType": "t/x"}]


def test_deleting_takes_it_out_of_the_list(registry, push, knarr):
    registry.bearer = ("", "")
    for image in (SBOM, PLAIN):
        assert push(image).returncode == 0
    knarr.good("image", "delete", "--plain-http", f"docker://{registry.host}/a/b@{SBOM.digest}")
    assert listed(registry) == ENTRIES[1:] and SBOM.digest not in registry.tags
    assert registry.scopes[-1] == ["repository:a/b:pull,push"]
    knarr.good("image", "delete", "--plain-http", f"docker://{registry.host}/a/b@{PLAIN.digest}")
    assert listed(registry) == []


def test_deleting_leaves_the_list_to_a_registry_that_keeps_it(registry, push, knarr):
    assert push(SBOM).returncode == 0
    registry.referrers[SUBJECT.digest] = registry.tags[TAG][0]
    before = len(registry.asked(TAG))
    knarr.good("image", "delete", "--plain-http", f"docker://{registry.host}/a/b@{SBOM.digest}")
    assert len(registry.asked(TAG)) == before


def test_deleting_what_is_in_no_list_is_no_error(registry, push, knarr):
    assert push(SBOM).returncode == 0
    del registry.tags[TAG]
    knarr.good("image", "delete", "--plain-http", f"docker://{registry.host}/a/b@{SBOM.digest}")
    assert len(writes(registry)) == 1


def test_a_list_that_cannot_be_written_after_deleting_is_told(registry, push, knarr):
    assert push(SBOM).returncode == 0
    hostile.only(registry, "PUT", hostile.status(403), part=TAG)
    said = knarr.bad("image", "delete", "--plain-http", f"docker://{registry.host}/a/b@{SBOM.digest}")
    assert "is deleted, but still in the list of what refers to " + SUBJECT.digest in said
    assert SBOM.digest not in registry.tags


def test_docker_registry_which_has_no_api(start_docker_registry, push, knarr):
    host = start_docker_registry(storage={"delete": {"enabled": True}}).host
    for image, tag in ((SUBJECT, "it"), (SBOM, "sbom"), (PLAIN, "plain")):
        done = push(image, host, tag)
        assert done.returncode == 0, done.stderr

    def found():
        shown = json.loads(knarr.good("image", "referrers", "--plain-http", "--json", f"{host}/a/b:it"))
        return [(one["digest"], one["artifactType"]) for one in shown["manifests"]]
    both = [(SBOM.digest, "application/spdx+json"), (PLAIN.digest, PLAIN.config["mediaType"])]
    assert found() == both
    knarr.good("image", "delete", "--plain-http", f"docker://{host}/a/b:sbom")
    assert found() == both[1:]
    knarr.good("image", "delete", "--plain-http", f"docker://{host}/a/b:plain")
    assert found() == []
