"""manifest inspect: what a registry has under a name, as docker prints it, and nothing is stored."""

import base64
import json
import os
import shutil
import subprocess

import pytest

import hostile
from small_images import CONFIG, INDEX, MANIFEST, Image, digest_of, index_of, write_layout

SMALL = Image({"bin/true": b"#!"}, {"etc/x": b"1"})
ARM = Image({"arm": b"1"}, architecture="arm64")
LIST = index_of((SMALL, {"architecture": "amd64", "os": "linux"}),
                (ARM, {"architecture": "arm64", "os": "linux", "variant": "v8"}))


def add_list(registry, tag="all"):
    for image in (SMALL, ARM):
        registry.add(image, digest_of(image.manifest)[7:15])
    return registry.add_manifest(LIST, INDEX, tag) or f"{registry.host}/a/b:{tag}"


def inspect(knarr, *words):
    return json.loads(knarr.good("manifest", "inspect", "--plain-http", *words))


def test_a_manifest_comes_as_it_is_and_nothing_is_stored(knarr, registry):
    name = registry.add(SMALL)
    shown = knarr.good("manifest", "inspect", "--plain-http", name)
    assert json.loads(shown) == json.loads(SMALL.manifest) and shown.startswith('{\n\t"schemaVersion": 2,\n')
    assert inspect(knarr, "docker://" + name) == inspect(knarr, f"{name}@{SMALL.digest}") == json.loads(SMALL.manifest)
    assert knarr.good("images", "-q") == "" and not any("/blobs/" in path for _, path, *_ in registry.requests)


def test_a_list_comes_as_it_is(knarr, registry):
    name = add_list(registry)
    shown = knarr.good("manifest", "inspect", "--plain-http", name)
    assert json.loads(shown) == json.loads(LIST) and shown.startswith('{\n   "schemaVersion": 2,\n')


def test_verbose_tells_digest_and_platform(knarr, registry):
    shown = inspect(knarr, "-v", registry.add(SMALL))
    assert shown == {
        "Ref": f"{registry.host}/a/b:1", "Raw": base64.b64encode(SMALL.manifest).decode(),
        "Descriptor": {"mediaType": MANIFEST, "digest": SMALL.digest, "size": len(SMALL.manifest),
                       "platform": {"architecture": "amd64", "os": "linux"}},
        "OCIManifest": json.loads(SMALL.manifest)}
    both = inspect(knarr, "--verbose", add_list(registry))
    assert [one["Ref"].partition("@")[2] for one in both] == [SMALL.digest, ARM.digest]
    assert both[1]["Descriptor"]["platform"] == {"architecture": "arm64", "os": "linux", "variant": "v8"}
    assert both[1]["OCIManifest"] == json.loads(ARM.manifest)


def test_what_is_not_there_is_told_in_dockers_words(knarr, registry):
    done = knarr.run("manifest", "inspect", "--plain-http", f"{registry.host}/a/b:none")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no such manifest: {registry.host}/a/b:none" in done.stderr and "hint: " in done.stderr
    for words in ([], ["a", "b"], ["UPPER"]):
        assert knarr.run("manifest", "inspect", *words).returncode == 2
    for verb in ("create", "annotate", "push", "rm"):
        assert "not built" in knarr.bad("manifest", verb, "x") and "buildah" in knarr.bad("manifest", verb, "x")


def test_another_manifest_than_the_list_names_is_an_error(knarr, registry):
    name = add_list(registry)
    registry.on(f"/manifests/{ARM.digest}", hostile.body(SMALL.manifest, Content_Type=MANIFEST), forever=True)
    said = knarr.bad("manifest", "inspect", "-v", "--plain-http", name)
    assert f"it is {SMALL.digest}, not {ARM.digest}" in said
    registry.on(f"/blobs/{SMALL.config['digest']}", hostile.body(b"{}"), forever=True)
    said = knarr.bad("manifest", "inspect", "-v", "--plain-http", registry.add(SMALL))
    assert SMALL.config["digest"] in said


def test_a_long_list_is_not_fetched(knarr, registry):
    entries = [{"mediaType": MANIFEST, "digest": digest_of(str(number).encode()), "size": 2} for number in range(257)]
    registry.add_manifest(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode(), INDEX, "long")
    assert len(inspect(knarr, f"{registry.host}/a/b:long")["manifests"]) == 257
    assert "more than 256" in knarr.bad("manifest", "inspect", "-v", "--plain-http", f"{registry.host}/a/b:long")


def test_no_control_of_a_terminal_gets_through(knarr, registry):
    image = Image({"a": b"1"})
    value = {**json.loads(image.manifest), "annotations": {"a": "\x9b31m\x7f\u00e9", "b": "\x1b\u202e\u2066"}}
    text = json.dumps(value, ensure_ascii=False).encode()
    registry.add(image)
    registry.add_manifest(text, MANIFEST, "1")
    for words in ([], ["-v"]):
        shown = knarr.good("manifest", "inspect", "--plain-http", *words, f"{registry.host}/a/b:1")
        assert not set("\x9b\x1b\u202e\u2066") & set(shown) and "\x7f" not in shown and "\u00e9" in shown
        (told,) = [one for one in (json.loads(shown), json.loads(shown).get("OCIManifest")) if one and "annotations" in one]
        assert told == value


def list_of(registry, *texts, **more):
    """The name of a list of what is stored as it is, whatever it is."""
    for text in texts:
        registry.add_manifest(text, MANIFEST)
    entries = [{"mediaType": MANIFEST, "digest": digest_of(text), "size": len(text), **more} for text in texts]
    registry.add_manifest(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode(), INDEX, "of")
    return f"{registry.host}/a/b:of"


@pytest.mark.parametrize("text", [
    b'{"x":1}},\x1b]0;PWNED\x07{"Ref":"forged"', b'{"x":1}', b'[]', b'', b'[' * 20_000,
    SMALL.manifest[:-1] + b',"x":' + b'[' * 64 + b']' * 64 + b'}', LIST])
def test_what_is_no_manifest_is_refused(knarr, registry, text):
    done = knarr.run("manifest", "inspect", "-v", "--plain-http", list_of(registry, SMALL.manifest, text))
    assert done.returncode != 0 and done.stdout == "" and len(done.stderr) < 1000
    assert digest_of(text) in done.stderr and "\x1b" not in done.stderr


def test_a_list_in_a_list_is_shown(knarr, registry):
    name = add_list(registry)
    entry = {"mediaType": INDEX, "digest": digest_of(LIST), "size": len(LIST)}
    registry.add_manifest(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode(), INDEX, "outer")
    (one,) = inspect(knarr, "-v", name.replace(":all", ":outer"))
    assert one["OCIManifest"] == json.loads(LIST)
    registry.add_manifest(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode(), INDEX, "none")
    assert knarr.good("manifest", "inspect", "-v", "--plain-http", name.replace(":all", ":none")) == "[]\n"


def test_another_size_than_the_list_says_is_an_error(knarr, registry):
    size = len(SMALL.manifest) + 1
    said = knarr.bad("manifest", "inspect", "-v", "--plain-http", list_of(registry, SMALL.manifest, size=size))
    assert SMALL.digest in said and f"it has {size - 1} bytes, the list says {size}" in said


@pytest.mark.parametrize("sizes", [[1 << 20] * 16 + [1], [1, (1 << 64) - 1]])
def test_a_list_of_much_is_not_fetched(knarr, registry, sizes):
    entries = [{"mediaType": MANIFEST, "digest": digest_of(b"%d" % number), "size": size}
               for number, size in enumerate(sizes)]
    registry.add_manifest(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode(), INDEX, "much")
    said = knarr.bad("manifest", "inspect", "-v", "--plain-http", f"{registry.host}/a/b:much")
    assert "more than 16777216 bytes" in said or "size" in said
    assert not registry.asked("/manifests/sha256")


def test_an_artifact_has_no_platform(knarr, registry):
    image = Image({"a": b"1"})
    image.config = image.add(b"[]", "application/vnd.example.config+json")
    image.seal()
    shown = inspect(knarr, "-v", registry.add(image))
    assert "platform" not in shown["Descriptor"] and shown["OCIManifest"]["config"] == image.config
    assert CONFIG != image.config["mediaType"]


@pytest.mark.parametrize("kind", ["oci", "v2s2", "list"])
def test_docker_prints_the_same(knarr, docker_registry, scratch, kind):
    if not shutil.which("docker") or not shutil.which("skopeo"):
        pytest.skip("needs docker and skopeo (Debian packages)")
    name = f"{docker_registry}/a/b:1"
    variants = [(SMALL, "amd64"), (ARM, "arm64")] if kind == "list" else [(SMALL, "amd64")]
    for image, architecture in variants:
        write_layout(scratch / architecture, image, "1")
        subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", "--format", kind if kind != "list" else "v2s2",
                        f"oci:{scratch}/{architecture}:1", f"docker://{docker_registry}/a/b:{architecture}"], check=True)
        if kind != "list":
            name = f"{docker_registry}/a/b:{architecture}"
    environment = {**os.environ, "HOME": str(scratch)}
    def docker(*words):
        return subprocess.run(["docker", "manifest", *words], env=environment, capture_output=True, text=True, check=True,
                              timeout=60).stdout
    if kind == "list":
        docker("create", "--insecure", name, *(f"{docker_registry}/a/b:{one}" for _, one in variants))
        docker("push", "--insecure", "--purge", name)
    for words in ([], ["-v"]):
        assert knarr.good("manifest", "inspect", "--insecure", *words, name) == docker("inspect", "--insecure", *words, name)
