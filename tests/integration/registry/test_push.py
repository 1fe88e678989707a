"""Pushing: what the registry lacks, in order, resumed, byte for byte; what goes wrong is told."""

import json
import os
import shutil
import subprocess

import pytest

import hostile
from small_images import INDEX, Image, digest_of, index_of, wasm_image, write_layout

SMALL = Image({"bin/true": b"#!"}, {"etc/x": b"1" * 5000})
BIG = Image({"data": os.urandom(12_000_000)})
ARM = Image({"arm": b"1"}, architecture="arm64")


def layer_of(image):
    return image.layers[0]["digest"]


@pytest.fixture
def stored(knarr, registry, scratch):
    """Loads an image under the name that it gets at the registry."""
    def load(image, name=None):
        if not (scratch / f"layout{image.digest[7:15]}").exists():
            write_layout(scratch / f"layout{image.digest[7:15]}", image, "1")
        knarr.good("pull", "--quiet", f"oci:{scratch}/layout{image.digest[7:15]}:1")
        name = name or f"{registry.host}/a/b:1"
        knarr.good("tag", image.config["digest"][7:], name)
        return name
    return load


def asked(registry, *methods):
    return [request for request in registry.requests if request[0] in methods]


def test_everything_arrives_byte_for_byte_and_the_name_last(knarr, registry, stored):
    name = stored(SMALL)
    done = knarr.run("push", "--plain-http", name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"1: digest: {SMALL.digest} size: {len(SMALL.manifest)}\n"
    assert registry.blobs == SMALL.blobs and registry.tags["1"][0] == SMALL.manifest
    assert registry.requests[-1][0] == "PUT" and registry.requests[-1][1].endswith("/manifests/1")
    for layer in SMALL.layers:
        assert f"{layer['digest'][7:19]}: Pushed" in done.stderr


def test_what_the_registry_has_is_not_sent_again(knarr, registry, stored):
    name = stored(SMALL)
    knarr.good("push", "--plain-http", name)
    before = len(asked(registry, "PATCH", "POST"))
    done = knarr.run("push", "--plain-http", name)
    assert "Layer already exists" in done.stderr
    assert len(asked(registry, "PATCH", "POST")) == before == 3


def test_a_destination_a_digest_file_and_quiet(knarr, registry, stored, scratch):
    stored(SMALL, "local/name:7")
    to = f"{registry.host}/other:2"
    out = knarr.good("push", "--plain-http", "--quiet", "--digestfile", scratch / "digest",
                     "local/name:7", f"docker://{to}")
    assert out == to + "\n" and (scratch / "digest").read_text() == SMALL.digest
    assert "2" in registry.tags


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_the_login_is_used_and_the_token_is_for_pushing(knarr, registry, stored, kind):
    setattr(registry, kind, ("me", "pw"))
    name = stored(SMALL)
    assert "hint: " in knarr.bad("push", "--plain-http", name)
    knarr.good("login", "--plain-http", "-u", "me", "--password-stdin", registry.host, input="pw")
    knarr.good("push", "--plain-http", name)
    if kind == "bearer":
        assert registry.scopes[-1] == ["repository:a/b:pull,push"]


def test_a_token_that_runs_out_between_is_renewed(knarr, registry, stored):
    registry.bearer = ("", "")
    name = stored(BIG)
    challenge = f'Bearer realm="{registry.url}/token",service="a, b"'
    hostile.only(registry, "PATCH", hostile.status(401, WWW_Authenticate=challenge))
    registry.on("/manifests/", hostile.status(401, WWW_Authenticate=challenge))
    knarr.good("push", "--plain-http", name)
    assert len(registry.asked("/token")) >= 3 and registry.blobs == BIG.blobs


def test_blobs_are_mounted_from_a_repository_that_has_them(knarr, registry, stored):
    stored(SMALL, f"{registry.host}/team/source:1")
    name = stored(SMALL)
    registry.elsewhere = {("team/source", digest): data for digest, data in SMALL.blobs.items()}
    registry.bearer = ("", "")
    done = knarr.run("push", "--plain-http", name)
    assert done.returncode == 0 and "Mounted from team/source" in done.stderr, done.stderr
    assert not asked(registry, "PATCH") and registry.blobs == SMALL.blobs
    assert registry.scopes[-1] == ["repository:a/b:pull,push", "repository:team/source:pull"]


def test_a_mount_that_is_refused_is_a_push(knarr, registry, stored):
    stored(SMALL, f"{registry.host}/team/source:1")
    name = stored(SMALL)
    registry.on("?mount=", *[hostile.status(403)] * 3)
    knarr.good("push", "--plain-http", name)
    assert registry.blobs == SMALL.blobs


@pytest.mark.parametrize("part", range(1, 20, 3))
def test_a_broken_transfer_goes_on_where_the_registry_is(knarr, registry, stored, part):
    data = BIG.blobs[layer_of(BIG)]
    at = len(data) * part // 20
    name = stored(BIG)
    hostile.only(registry, "PATCH", hostile.take_part(at))
    knarr.good("push", "--plain-http", name)
    assert registry.blobs == BIG.blobs
    big = [request for request in asked(registry, "PATCH")]
    sent = sum(int(request[2]["Content-Length"]) for request in big)
    assert len(big) == 2 and sent <= 2 * len(data) - at
    assert big[1][2]["Content-Range"] == f"{len(data) - int(big[1][2]['Content-Length'])}-{len(data) - 1}"


def test_an_upload_that_the_registry_forgot_starts_anew(knarr, registry, stored):
    name = stored(BIG)

    def forget(handler):
        registry.uploads.clear()
        handler.cut()
    hostile.only(registry, "PATCH", forget)
    knarr.good("push", "--plain-http", name)
    assert registry.blobs == BIG.blobs


def test_what_is_too_large_for_one_request_goes_in_pieces(knarr, registry, stored):
    name = stored(BIG)
    hostile.only(registry, "PATCH", hostile.status(413))
    done = knarr.run("push", "--plain-http", name)
    assert done.returncode == 0 and "in pieces" in done.stderr, done.stderr
    assert registry.blobs == BIG.blobs
    pieces = [int(request[2]["Content-Length"]) for request in asked(registry, "PATCH")][1:]
    assert len(pieces) >= 3 and max(pieces) <= 4 << 20


def test_a_registry_that_takes_nothing_is_not_fed_for_ever(knarr, registry, stored):
    name = stored(BIG)

    def take_nothing(handler):
        if handler.command != "PATCH":
            return NotImplemented
        handler.body(int(handler.headers["Content-Length"]))
        handler.send_response(202)
        handler.send_header("Location", handler.path)
        handler.send_header("Range", "0-0")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    registry.on("/blobs/uploads/upload", take_nothing, forever=True)
    done = knarr.run("push", "--plain-http", name)
    assert done.returncode != 0 and "tries" in done.stderr, done.stderr
    assert len(asked(registry, "PATCH")) <= 12  # of two blobs
    assert not registry.blobs.get(layer_of(BIG))


@pytest.mark.parametrize("loses", ["at the end", "in between"])
def test_a_registry_that_loses_what_it_had_is_not_fed_for_ever(knarr, registry, stored, loses):
    """Each time it takes all, or says so: that is no progress a second time."""
    name = stored(BIG)
    size = len(BIG.blobs[layer_of(BIG)])
    told = []

    def lose(handler):
        if loses == "at the end" and handler.command == "PUT":
            handler.body()
            handler.cut()
        elif loses == "in between" and handler.command == "PATCH":
            handler.cut()
        elif loses == "in between" and handler.command == "GET":
            told.append(None)
            handler.send(204, Location=handler.path, Range=f"0-{size // 2}" if len(told) % 2 else "0-0")
        else:
            return NotImplemented
        return None
    registry.on("/blobs/uploads/upload", lose, forever=True)
    done = knarr.run("push", "--plain-http", name)
    assert done.returncode != 0 and "tries" in done.stderr, done.stderr
    assert len(asked(registry, "PATCH")) <= 20
    assert not registry.blobs.get(layer_of(BIG))


def test_server_errors_are_tried_again(knarr, registry, stored):
    name = stored(SMALL)
    registry.on("/blobs/uploads/", hostile.status(503), hostile.status(500))
    registry.on("/manifests/", hostile.status(502))
    knarr.good("push", "--plain-http", name)
    assert registry.blobs == SMALL.blobs and "1" in registry.tags


def test_a_push_that_fails_half_way_says_what_is_there(knarr, registry, stored):
    name = stored(SMALL)
    registry.on("/manifests/", hostile.status(403), forever=True)
    said = knarr.bad("push", "--plain-http", name)
    assert "3 of 3 blobs and 0 of 1 manifests are there" in said and "push again" in said
    assert "1" not in registry.tags


def test_another_digest_of_the_manifest_is_an_error(knarr, registry, stored):
    name = stored(SMALL)
    wrong = "sha256:" + "0" * 64
    registry.on("/manifests/", lambda handler: (handler.body(), handler.send(
        201, Docker_Content_Digest=wrong)))
    assert wrong in knarr.bad("push", "--plain-http", name)


def test_another_digest_of_a_blob_is_an_error(knarr, registry, stored):
    name = stored(SMALL)
    registry.on(layer_of(SMALL), hostile.status(200, Docker_Content_Digest="sha256:" + "1" * 64))
    assert "1" * 64 in knarr.bad("push", "--plain-http", name)
    assert "1" not in registry.tags


def test_a_damaged_blob_is_not_taken_and_the_way_out_is_told(knarr, registry, stored):
    name = stored(SMALL)
    hexa = layer_of(SMALL)[7:]
    path = next((knarr.home / "store/blobs/sha256").glob(f"*/{hexa}"))
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    said = knarr.bad("push", "--plain-http", name)
    assert "DIGEST_INVALID" in said and layer_of(SMALL) in said and "1" not in registry.tags


def index_image(knarr, registry):
    for image in (SMALL, ARM):
        registry.add(image)
    text = index_of((SMALL, {"os": "linux", "architecture": "amd64"}),
                    (ARM, {"os": "linux", "architecture": "arm64"}))
    registry.add_manifest(text, INDEX, "m")
    return f"{registry.host}/a/b:m", text


def test_an_index_goes_whole_when_all_its_variants_are_stored(knarr, registry, other):
    name, text = index_image(knarr, registry)
    for platform in ("linux/amd64", "linux/arm64"):
        knarr.good("pull", "--plain-http", "--quiet", "--platform", platform, name)
    out = knarr.good("push", "--plain-http", name, f"{other.host}/x/y:3")
    assert out == f"3: digest: {digest_of(text)} size: {len(text)}\n"
    assert other.tags["3"][0] == text
    assert other.blobs == {**SMALL.blobs, **ARM.blobs}
    for image in (SMALL, ARM):
        assert other.tags[image.digest][0] == image.manifest


def test_a_part_of_an_index_goes_as_that_part_and_says_so(knarr, registry, other):
    name, _ = index_image(knarr, registry)
    knarr.good("pull", "--plain-http", "--quiet", "--platform", "linux/arm64", name)
    assert "arm" not in other.tags
    to = f"{other.host}/x/y:3"
    assert "not all of the index" in knarr.bad("push", "--plain-http", "--all-platforms", name, to)
    done = knarr.run("push", "--plain-http", name, to)
    assert done.returncode == 0 and "only linux/arm64 is stored" in done.stderr, done.stderr
    assert other.tags["3"][0] == ARM.manifest


@pytest.mark.parametrize("words, said", [
    ([], "IMAGE"), (["a", "b", "c"], "DESTINATION"), (["nobody/has:it"], "not"),
    (["--all-platforms", "--platform", "linux/amd64", "x"], "exclude"),
])
def test_bad_words(knarr, words, said):
    assert said in knarr.bad("push", *words)


def test_an_image_without_a_name_wants_a_destination(knarr, registry, stored):
    stored(SMALL)
    said = knarr.bad("push", "--plain-http", SMALL.config["digest"])
    assert "knarr push IMAGE" in said and not registry.requests


def test_a_destination_with_another_digest_is_refused(knarr, registry, stored):
    name = stored(SMALL)
    said = knarr.bad("push", "--plain-http", name, f"{registry.host}/x@sha256:{'0' * 64}")
    assert SMALL.digest in said and not registry.requests


# --- WebAssembly ---

WASM_CONFIG = {"architecture": "wasm", "os": "wasip1", "created": "2026-01-02T03:04:05Z", "config": {},
               "rootfs": {"type": "layers", "diff_ids": ["not looked at"]}}


def stored_bytes(knarr):
    return {"sha256:" + path.name: path.read_bytes() for path in (knarr.home / "store/blobs/sha256").glob("*/*")}


@pytest.mark.parametrize("config", [None, WASM_CONFIG], ids=["artifact", "container's config"])
@pytest.mark.parametrize("where", ["own", "docker-registry"])
def test_a_module_is_pushed_and_comes_back_byte_for_byte(knarr, registry, start_docker_registry, config, where):
    """As the CNCF's artifact, whose config is no image's, and as an image."""
    host = registry.host if where == "own" else start_docker_registry().host
    source = hostile.Registry()
    try:
        image, module = wasm_image(config)
        name = source.add(image)
        knarr.good("pull", "-q", "--plain-http", name)
        before = stored_bytes(knarr)
        assert before == {**image.blobs, image.digest: image.manifest}
        pushed = knarr.good("push", "--plain-http", name, f"{host}/modules/m:2")
        assert pushed == f"2: digest: {image.digest} size: {len(image.manifest)}\n"
    finally:
        source.close()
    if where == "own":
        assert registry.blobs == image.blobs and registry.tags["2"][0] == image.manifest
    knarr.good("rmi", name)
    assert stored_bytes(knarr) == {}
    knarr.good("pull", "-q", "--plain-http", f"{host}/modules/m:2")
    assert stored_bytes(knarr) == before
    (shown,) = json.loads(knarr.good("image", "inspect", f"{host}/modules/m:2"))
    assert shown["Id"] == image.config["digest"]
    assert shown["Wasm"]["Modules"] == [{"MediaType": "application/wasm", "Digest": module, "Size": 2008}]
    assert "Layer already exists" in knarr.run("push", "--plain-http", f"{host}/modules/m:2").stderr


# --- the real thing ---

@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_docker_registry_with_tls_and_a_login(knarr, start_docker_registry, htpasswd, certificate,
                                              scratch, form):
    if not shutil.which("skopeo"):
        pytest.skip("needs skopeo")
    paths = {"certificate": str(certificate[0]), "key": str(certificate[1])}
    host = start_docker_registry(http={"tls": paths}, **htpasswd).host
    write_layout(scratch / "layout", BIG, "1")
    source = f"oci:{scratch}/layout:1"
    if form == "v2s2":
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--format", "v2s2", source,
                        f"dir:{scratch}/dir"], check=True)
        plain = start_docker_registry().host
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false",
                        f"dir:{scratch}/dir", f"docker://{plain}/x:1"], check=True)
        knarr.good("pull", "--plain-http", "--quiet", f"{plain}/x:1")
        source = f"{plain}/x:1"
    else:
        knarr.good("pull", "--quiet", source)
        source = BIG.config["digest"]
    trust = ["--tls-ca", certificate[0]]
    knarr.good("login", *trust, "-u", "me", "--password-stdin", host, input="pass word")
    name = f"{host}/team/app:1"
    out = knarr.good("push", *trust, source, name)
    raw = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", "--authfile",
                          knarr.auth_file, f"docker://{name}"], capture_output=True, check=True).stdout
    assert digest_of(raw) in out
    if form == "v2s2":
        assert json.loads(raw)["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    # Once more into another repository: everything is mounted or there.
    knarr.good("tag", source, name)
    done = knarr.run("push", *trust, source, f"{host}/other/app:1")
    assert done.returncode == 0 and "Mounted from team/app" in done.stderr, done.stderr
    knarr.good("rmi", name)
    knarr.good("pull", "--quiet", *trust, f"{host}/other/app:1")


def test_all_tags_of_a_repository_are_pushed(knarr, registry, stored):
    name = f"{registry.host}/a/b"
    other = Image({"other": b"1"})
    for image, tag in ((SMALL, "one"), (SMALL, "two"), (other, "another")):
        stored(image, f"{name}:{tag}")
    knarr.good("tag", f"{name}:one", f"{name}/deeper:1")
    out = knarr.good("push", "-a", "--plain-http", name).splitlines()
    assert [line.split(" size:")[0] for line in out] == [
        f"{tag}: digest: {image.digest}" for tag, image in (("another", other), ("one", SMALL), ("two", SMALL))]
    assert {tag for tag in registry.tags if ":" not in tag} == {"one", "two", "another"}
    assert knarr.good("image", "push", "-q", "--all-tags", "--plain-http", name).split() == [
        f"{name}:another", f"{name}:one", f"{name}:two"]


def test_of_all_tags_those_that_can_be_pushed_are(knarr, registry, stored):
    name = f"{registry.host}/a/b"
    for tag in ("bad", "good", "late"):
        stored(SMALL, f"{name}:{tag}")
    registry.on("/manifests/bad", hostile.status(403), forever=True)
    done = knarr.run("push", "-a", "--plain-http", name)
    assert done.returncode != 0 and "bad" in done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["good", "late"]


def test_of_all_tags_failures_are_told_in_their_order(knarr, registry, stored):
    name = f"{registry.host}/a/b"
    for tag in ("bad", "good", "worse"):
        stored(SMALL, f"{name}:{tag}")
        if tag != "good":
            registry.on(f"/manifests/{tag}", hostile.status(403), forever=True)
    done = knarr.run("push", "-a", "-q", "--plain-http", name)
    assert done.returncode != 0 and done.stdout == f"{name}:good\n"
    assert 0 <= done.stderr.find("/bad") < done.stderr.find("/worse") or (
        0 <= done.stderr.find(":bad") < done.stderr.find(":worse")), done.stderr


@pytest.mark.parametrize("words, said", [
    (["NAME:one"], "tag can't be used with --all-tags/-a"), (["NAME/none"], "does not exist locally with the tag"),
    (["NAME", "elsewhere/x"], "DESTINATION"), (["--digestfile", "x", "NAME"], "--digestfile")])
def test_all_tags_with_bad_words(knarr, registry, stored, words, said):
    stored(SMALL, f"{registry.host}/a/b:one")
    words = [word.replace("NAME", f"{registry.host}/a/b") for word in words]
    assert said in knarr.bad("push", "--all-tags", "--plain-http", *words)
    assert not registry.requests
