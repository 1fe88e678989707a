"""Pulling from a registry that behaves, and from one that does not."""

import base64
import json
import os
import select
import shutil
import signal
import threading
import time

import pytest

import hostile
from small_images import INDEX, Image, digest_of, index_of, wasm_image

SMALL = Image({"bin/true": b"#!"}, {"etc/x": b"1" * 5000})
BIG = Image({"data": os.urandom(3_000_000)})


def layer_of(image):
    return image.layers[0]["digest"]


# --- the good way ---

@pytest.mark.parametrize("how", ["gzip", "zstd", "plain"])
def test_pull_stores_every_blob_and_ends_at_a_hundred_percent(puller, registry, how):
    image = Image({"a": b"x" * 400_000}, {"b": b"y"}, how=how)
    result = puller.ok("pull", registry.add(image), "--plain-http")
    assert result["reference"] == f"{registry.host}/a/b:1"
    assert result["digest"] == image.digest and result["id"] == image.config["digest"]
    assert puller.blobs() == {*image.blobs, image.digest}
    for layer in image.layers:
        for phase in ("downloading", "unpacking"):
            counts = [line["done"] for line in puller.lines
                      if line.get("layer") == layer["digest"] and line.get("phase") == phase]
            assert counts == sorted(counts) and counts[-1] == layer["size"], (phase, counts)
    layers = [puller.root / "layers" / chain[7:] for chain in result["chain"]]
    if "driver erofs" in (layers[0] / "meta").read_text():
        assert b"x" * 400_000 in (layers[0] / "data").read_bytes() and (layers[1] / "image.erofs").exists()
    else:
        assert (layers[0] / "fs/a").read_bytes() == b"x" * 400_000 and (layers[1] / "fs/b").exists()


def test_second_pull_downloads_no_layer_byte(puller, registry):
    name = registry.add(SMALL)
    puller.ok("pull", name, "--plain-http")
    before = len(registry.asked("/blobs/"))
    puller.ok("pull", name, "--plain-http")
    assert len(registry.asked("/blobs/")) == before == 3
    assert [line.get("phase") for line in puller.lines].count("downloading") == 0


def test_a_layer_shared_by_two_images_is_fetched_and_stored_once(puller, registry):
    one, two = Image({"a": b"1"}, {"b": b"2"}), Image({"a": b"1"}, {"c": b"3"})
    puller.ok("pull", registry.add(one, "one"), "--plain-http")
    puller.ok("pull", registry.add(two, "two"), "--plain-http")
    assert len(registry.asked(layer_of(one))) == 1


def test_the_same_layer_twice_in_one_image(puller, registry):
    image = Image({"a": b"1"}, {"a": b"1"})
    puller.ok("pull", registry.add(image), "--plain-http")
    assert len(registry.asked(layer_of(image))) == 1


def test_stored_image_needs_no_registry(puller, registry):
    name = registry.add(SMALL)
    puller.ok("find-or-pull", name, "--plain-http")
    count = len(registry.requests)
    puller.ok("find-or-pull", name, "--plain-http")
    assert count > 0 and len(registry.requests) == count


def test_index_gives_the_platform_that_was_asked_for(puller, registry):
    arm = Image({"arm": b"1"}, architecture="arm64")
    for image in (SMALL, arm):
        registry.add(image)
    text = index_of((SMALL, {"os": "linux", "architecture": "amd64"}),
                    (arm, {"os": "linux", "architecture": "arm64", "variant": "v8"}))
    registry.add_manifest(text, INDEX, "multi")
    name = f"{registry.host}/a/b:multi"
    assert puller.ok("pull", name, "--plain-http", "--platform", "linux/amd64")["digest"] == \
        SMALL.digest
    result = puller.ok("pull", name, "--plain-http", "--platform", "linux/aarch64")
    assert result["digest"] == arm.digest and result["top"] == digest_of(text)


def test_missing_platform_lists_what_exists(puller, registry):
    registry.add(SMALL)
    text = index_of((SMALL, {"os": "linux", "architecture": "s390x"}),
                    (SMALL, {"os": "windows", "architecture": "amd64"}))
    registry.add_manifest(text, INDEX, "multi")
    error = puller.refused("platform_mismatch", "pull", f"{registry.host}/a/b:multi",
                           "--plain-http", "--platform", "linux/amd64")
    assert "linux/s390x, windows/amd64" in error["message"]


def test_single_image_of_another_platform_is_refused(puller, registry):
    error = puller.refused("platform_mismatch", "pull",
                           registry.add(Image({"a": b""}, architecture="s390x")), "--plain-http",
                           "--platform", "linux/amd64")
    assert "linux/s390x" in error["message"] and "--platform" in error["hint"]


# --- logins ---

def write_login(puller, registry, user, password, **more):
    path = puller.root.parent / "auth.json"
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {registry.host: {"auth": auth, **more}}}))
    return path


def test_anonymous_bearer_token_is_fetched_once_for_all_blobs(puller, registry):
    registry.bearer = ("", "")
    puller.ok("pull", registry.add(SMALL), "--plain-http")
    assert len(registry.asked("/token")) == 1
    assert registry.scopes == [["repository:a/b:pull"]]


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_login_of_the_auth_file_is_used(puller, registry, kind):
    setattr(registry, kind, ("me", "p:w"))
    name = registry.add(SMALL)
    puller.refused("unauthorized", "pull", name, "--plain-http")
    puller.ok("pull", name, "--plain-http", "--authfile", write_login(puller, registry, "me", "p:w"))


def test_identity_token_is_posted(puller, registry):
    registry.bearer = ("unused", "refresh me")
    path = puller.root.parent / "auth.json"
    path.write_text(json.dumps({"auths": {registry.host: {"identitytoken": "refresh me"}}}))
    puller.ok("pull", registry.add(SMALL), "--plain-http", "--authfile", path)
    assert registry.asked("/token")[0][0] == "POST"
    assert "refresh" not in registry.asked("/token")[0][1]


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_wrong_password_is_refused_soon_and_never_shown(puller, registry, kind):
    setattr(registry, kind, ("me", "right"))
    error = puller.refused("unauthorized", "pull", registry.add(SMALL), "--plain-http",
                           "--authfile", write_login(puller, registry, "me", "wr0ng"))
    assert "wr0ng" not in json.dumps(error) and len(registry.requests) <= 4


def test_token_that_runs_out_is_renewed(puller, registry):
    registry.bearer = ("", "")
    registry.on("/blobs/", hostile.status(401, WWW_Authenticate=(
        f'Bearer realm="{registry.url}/token",service="a, b",scope="repository:a/b:pull"')))
    puller.ok("pull", registry.add(SMALL), "--plain-http")
    assert len(registry.asked("/token")) == 2


@pytest.mark.parametrize("realm", ["http://192.0.2.1/token", "file:///etc/passwd", "", "ftp://x/"])
def test_token_server_in_an_unsafe_place_gets_nothing(puller, registry, realm):
    registry.on("/v2/", hostile.status(401, WWW_Authenticate=f'Bearer realm="{realm}"'),
                forever=True)
    code, lines = puller.run("pull", registry.add(SMALL), "--plain-http", "--authfile",
                             write_login(puller, registry, "me", "pw"))
    assert code != 0 and lines[-1]["error"] in ("registry_failed", "unauthorized"), lines[-1]


# --- redirects ---

def test_redirect_to_another_host_does_not_get_the_login(puller, registry, other):
    registry.basic = ("me", "pw")
    other.blobs.update(SMALL.blobs)
    digest = layer_of(SMALL)
    registry.on(digest, hostile.redirect(f"{other.url}/v2/x/blobs/{digest}"))
    puller.ok("pull", registry.add(SMALL), "--plain-http", "--authfile",
              write_login(puller, registry, "me", "pw"))
    assert len(other.requests) == 1
    assert not any(name.lower() == "authorization" for name in other.requests[0][2])


@pytest.mark.parametrize("to", ["file:///etc/passwd", "http://192.0.2.1/x", "gopher://127.0.0.1/",
                                "http://user:pw@127.0.0.1/", "", "http://[::1"])
def test_redirect_to_an_unsafe_place_is_refused(puller, registry, to):
    registry.on(layer_of(SMALL), hostile.redirect(to), forever=True)
    error = puller.refused("registry_failed", "pull", registry.add(SMALL), "--plain-http")
    assert layer_of(SMALL) in error["message"]


def test_redirects_in_a_circle_end(puller, registry):
    path = f"/v2/a/b/blobs/{layer_of(SMALL)}"
    registry.on(layer_of(SMALL), hostile.redirect(path), forever=True)
    error = puller.refused("registry_failed", "pull", registry.add(SMALL), "--plain-http")
    assert "redirects" in error["message"]


# --- errors and retries ---

def test_unknown_image_is_not_found_without_control_characters(puller, registry):
    error = puller.refused("image_not_found", "pull", f"{registry.host}/a/none", "--plain-http")
    assert "404" in error["message"] and "\x1b" not in error["message"]


def test_rate_limit_is_waited_for_and_told(puller, registry):
    registry.on("/manifests/", hostile.status(429, Retry_After="1"))
    start = time.monotonic()
    puller.ok("pull", registry.add(SMALL), "--plain-http")
    assert time.monotonic() - start >= 1
    assert "limits our rate" in puller.notices()[0]


def test_long_rate_limit_is_an_error_that_says_so(puller, registry):
    registry.on("/manifests/", hostile.status(429, Retry_After="3600"), forever=True)
    start = time.monotonic()
    error = puller.refused("rate_limited", "pull", registry.add(SMALL), "--plain-http")
    assert "3600 s" in error["hint"] and time.monotonic() - start < 5


def test_a_rate_limit_is_told_in_words(puller, registry):
    registry.on("/manifests/", hostile.status(429, Retry_After="3600", RateLimit_Limit="100;w=21600",
                                              RateLimit_Remaining="0;w=21600"), forever=True)
    error = puller.refused("rate_limited", "pull", registry.add(SMALL), "--plain-http")
    assert "it allows 100 in 6 hours" in error["message"] and "knarr login" in error["hint"]


def test_endless_rate_limit_ends(puller, registry):
    registry.on("/manifests/", hostile.status(429, Retry_After="0"), forever=True)
    puller.refused("rate_limited", "pull", registry.add(SMALL), "--plain-http", "--retries", "3")
    assert len(registry.requests) == 4


def test_server_error_is_tried_again(puller, registry):
    registry.on("/manifests/", hostile.status(500))
    registry.on(layer_of(SMALL), hostile.status(503), hostile.status(502))
    puller.ok("pull", registry.add(SMALL), "--plain-http")
    assert len(puller.notices()) == 3


def test_endless_server_error_ends(puller, registry):
    registry.on("/manifests/", hostile.status(500), forever=True)
    error = puller.refused("registry_failed", "pull", registry.add(SMALL), "--plain-http",
                           "--retries", "2")
    assert "500" in error["message"] and "3 tries" in error["message"]
    assert len(registry.requests) == 3


def test_nobody_answers(puller):
    start = time.monotonic()
    puller.refused("registry_failed", "pull", "127.0.0.1:1/a/b", "--plain-http")
    assert time.monotonic() - start < 5


def test_broken_blob_is_resumed_where_it_broke(puller, registry):
    data = BIG.blobs[layer_of(BIG)]
    registry.on(layer_of(BIG), hostile.half(data))
    puller.ok("pull", registry.add(BIG), "--plain-http")
    first, second = registry.asked(layer_of(BIG))
    assert "Range" not in first[2] and second[2]["Range"] == f"bytes={len(data) // 2}-"


def test_broken_blob_is_mended_when_ranges_are_ignored(puller, registry):
    data = BIG.blobs[layer_of(BIG)]
    registry.on(layer_of(BIG), hostile.half(data), hostile.body(data))
    puller.ok("pull", registry.add(BIG), "--plain-http")


def test_broken_blob_is_mended_when_ranges_are_refused(puller, registry):
    data = BIG.blobs[layer_of(BIG)]
    registry.on(layer_of(BIG), hostile.half(data), hostile.status(416), hostile.body(data))
    puller.ok("pull", registry.add(BIG), "--plain-http")


def test_answer_with_another_range_is_refused(puller, registry):
    data = BIG.blobs[layer_of(BIG)]
    registry.on(layer_of(BIG), hostile.half(data), lambda handler: handler.send(
        206, data[5:], Content_Range=f"bytes 5-{len(data) - 1}/{len(data)}"))
    puller.refused("registry_failed", "pull", registry.add(BIG), "--plain-http")


def test_broken_manifest_is_tried_again(puller, registry):
    registry.on("/manifests/", hostile.half(SMALL.manifest))
    puller.ok("pull", registry.add(SMALL), "--plain-http")


# --- wrong bytes ---

def test_blob_that_is_always_too_short_ends(puller, registry):
    data = BIG.blobs[layer_of(BIG)]
    registry.on(layer_of(BIG), hostile.unframed(data[:1000]), forever=True)
    error = puller.refused("registry_failed", "pull", registry.add(BIG), "--plain-http",
                           "--retries", "2")
    assert f"{len(data)} bytes" in error["message"]


def test_announced_wrong_length_is_refused_before_the_first_byte(puller, registry):
    registry.on(layer_of(SMALL), hostile.body(b"x" * 10), forever=True)
    error = puller.refused("registry_failed", "pull", registry.add(SMALL), "--plain-http")
    assert "10 bytes here" in error["message"]


@pytest.mark.parametrize("step", [hostile.endless, hostile.unframed(b"y" * 3_000_000)])
def test_blob_that_is_too_long_is_cut_off(puller, registry, step):
    registry.on(layer_of(SMALL), step, forever=True)
    error = puller.refused("registry_failed", "pull", registry.add(SMALL), "--plain-http")
    assert "longer than" in error["message"]


@pytest.mark.parametrize("part", ["/manifests/", "config"])
def test_document_that_never_ends_is_cut_off(puller, registry, part):
    where = SMALL.config["digest"] if part == "config" else part
    registry.on(where, hostile.endless, forever=True)
    code, lines = puller.run("pull", registry.add(SMALL), "--plain-http")
    assert code != 0 and lines[-1]["error"] in ("limit_exceeded", "registry_failed"), lines[-1]


def flip(data):
    return bytes([data[0] ^ 1]) + data[1:]


def test_flipped_bit_in_a_layer(puller, registry):
    name = registry.add(SMALL)
    registry.blobs[layer_of(SMALL)] = flip(SMALL.blobs[layer_of(SMALL)])
    error = puller.refused("digest_mismatch", "pull", name, "--plain-http")
    assert layer_of(SMALL) in error["message"]
    assert layer_of(SMALL) not in puller.blobs()


def test_flipped_bit_in_the_configuration(puller, registry):
    name = registry.add(SMALL)
    registry.blobs[SMALL.config["digest"]] = flip(SMALL.config_bytes)
    puller.refused("digest_mismatch", "pull", name, "--plain-http")
    assert not puller.blobs()


def test_flipped_bit_in_a_manifest_asked_for_by_digest(puller, registry):
    registry.add(SMALL)
    registry.tags[SMALL.digest] = (SMALL.manifest.replace(b": 2", b":  2"), "")
    puller.refused("digest_mismatch", "pull", f"{registry.host}/a/b@{SMALL.digest}", "--plain-http")
    assert not puller.blobs()


def test_flipped_bit_in_a_manifest_of_an_index(puller, registry):
    registry.add(SMALL)
    registry.add_manifest(index_of((SMALL, {"os": "linux", "architecture": "amd64"})), INDEX, "m")
    registry.tags[SMALL.digest] = (SMALL.manifest.replace(b"2", b"1", 1), "")
    puller.refused("digest_mismatch", "pull", f"{registry.host}/a/b:m", "--plain-http",
                   "--platform", "linux/amd64")


def test_wrong_diff_id(puller, registry):
    image = Image({"a": b"1"})
    config = json.loads(image.config_bytes)
    config["rootfs"]["diff_ids"] = ["sha256:" + "0" * 64]
    image.config = image.add(json.dumps(config).encode(), image.config["mediaType"])
    image.seal()
    puller.refused("digest_mismatch", "pull", registry.add(image), "--plain-http")
    assert not list(puller.root.glob("layers/[0-9a-f]*"))


def test_layers_and_configuration_must_agree(puller, registry):
    image = Image({"a": b"1"}, {"b": b"2"})
    image.layers.pop()
    image.seal()
    puller.refused("invalid_image", "pull", registry.add(image), "--plain-http")


def test_a_manifest_that_is_given_as_an_index_is_refused(puller, registry):
    name = registry.add(SMALL)
    registry.tags["1"] = (SMALL.manifest, INDEX)
    error = puller.refused("invalid_image", "pull", name, "--plain-http")
    assert "contradicts the registry" in error["message"] and INDEX in error["message"]


def test_warnings_of_a_registry_are_told_once_and_change_nothing(puller, registry):
    warning = '299 - "this registry \x1b[31m moves"'
    registry.on("/blobs/", *[hostile.with_headers(Warning=warning)] * 3)
    registry.on("/manifests/", hostile.with_headers(Warning=warning))
    puller.ok("pull", registry.add(SMALL), "--plain-http")
    assert puller.notices() == ["127.0.0.1 warns: this registry \\x1b[31m moves"]


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b'{"schemaVersion":2}', b"<html>"])
def test_manifest_that_is_none(puller, registry, text):
    registry.tags["1"] = (text, "application/json")
    puller.refused("invalid_image", "pull", f"{registry.host}/a/b:1", "--plain-http")


def test_artifact_is_no_image(puller, registry):
    image = Image({"a": b"1"})
    image.config["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    image.seal()
    error = puller.refused("invalid_image", "pull", registry.add(image), "--plain-http")
    assert "helm" in error["message"]


CONTAINERS_CONFIG = {"architecture": "wasm", "os": "wasip1", "created": "2026-01-02T03:04:05Z", "config": {},
                     "rootfs": {"type": "layers", "diff_ids": ["not looked at"]}}


@pytest.mark.parametrize("config", [None, CONTAINERS_CONFIG], ids=["artifact", "container's config"])
def test_a_module_is_stored_and_recognised_and_not_run(knarr, registry, scratch, config):
    image, module = wasm_image(config)
    name = registry.add(image)
    assert knarr.good("pull", "-q", "--plain-http", name).strip() == name
    (listed,) = json.loads(knarr.good("images", "--json"))
    assert listed["Platform"] == "wasip1/wasm"
    (shown,) = json.loads(knarr.good("image", "inspect", name))
    assert shown["Os"] == "wasip1" and shown["Architecture"] == "wasm" and shown["RootFS"]["Layers"] == []
    assert shown["Wasm"]["Modules"] == [{"MediaType": "application/wasm", "Digest": module, "Size": 2008}]
    assert shown["Wasm"]["ConfigType"] == image.config["mediaType"]
    for words in (["run", "--rm"], ["create"], ["image", "mount"]):
        assert "WebAssembly module" in knarr.bad(*words, name)
    assert json.loads(knarr.good("list", "--json")) == []
    assert "0 missing" in knarr.good("image", "verify", name)
    knarr.good("image", "gc")
    knarr.good("pull", "-q", "--plain-http", name)
    assert len(registry.asked(module)) == 1, "it was kept"
    (blob,) = (knarr.home / "store/blobs").rglob(module.split(":")[1])
    blob.chmod(0o600)
    blob.write_bytes(b"x" * 2008)
    knarr.good("pull", "-q", "--plain-http", name)
    assert len(registry.asked(module)) == 2, "it was damaged"
    assert "oci-archive" in knarr.bad("save", "-o", scratch / "tar", name)
    knarr.good("save", "--format", "oci-archive", "-o", scratch / "tar", name)
    assert f"Deleted: {shown['Id']}" in knarr.good("rmi", name)
    knarr.good("load", "-i", scratch / "tar")
    assert json.loads(knarr.good("images", "--json"))[0]["Platform"] == "wasip1/wasm"


def test_an_image_for_wasm_that_has_files_is_mounted_and_not_run(knarr, registry):
    image = Image({"app.wasm": b"\0asm\1\0\0\0"}, architecture="wasm", os="wasip1")
    name = registry.add(image)
    assert "wasip1/wasm" in knarr.bad("pull", "-q", "--plain-http", name)  # not what was asked for
    knarr.good("pull", "-q", "--plain-http", "--platform", "wasip1/wasm", name)
    assert "WebAssembly module" in knarr.bad("run", "--rm", "--platform", "wasip1/wasm", name)


def test_progress_as_json_ends_with_all_bytes(knarr, registry):
    image = Image({"a": b"1" * 50_000, "b": b"2"})
    told = knarr.run("pull", "--plain-http", "--progress", "json", registry.add(image))
    assert told.returncode == 0, told.stderr
    news = [json.loads(line) for line in told.stderr.splitlines()]
    assert [one["phase"] for one in news][:1] == ["resolving"] and news[-1]["phase"] == "finished"
    total = sum(layer["size"] for layer in image.layers)
    sums = [one["sum"] for one in news if one["phase"] in ("downloading", "unpacking")]
    assert sums[-1]["done"] == sums[-1]["total"] == total
    assert [one["done"] for one in sums] == sorted(one["done"] for one in sums)
    assert "--progress" in knarr.bad("pull", "--progress", "loud", "x.org/y")


# --- stalls, kills ---

def test_stalled_registry_ends_in_a_timeout(puller, registry):
    event = threading.Event()
    start = time.monotonic()
    registry.on("/manifests/", hostile.stall(event, b"{"), forever=True)
    error = puller.refused("timed_out", "pull", registry.add(SMALL), "--plain-http", "--stall", "1")
    event.set()
    assert "no progress for 1 s" in error["message"] and time.monotonic() - start < 10


def wait_for_progress(process, count=1):
    """Reads events until so many bytes of a layer came."""
    for line in process.stdout:
        if json.loads(line).get("phase") == "downloading" and json.loads(line)["done"] >= count:
            return
    pytest.fail("no progress")


def slow(data, event, count=1_000_000):
    def step(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:count])
        handler.wfile.flush()
        event.wait(60)
        handler.close_connection = True
    return step


def helpers_of(pid):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = open(f"/proc/{entry}/stat").read()
            except OSError:
                continue
            if "(knarr-pull)" in stat and int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry))
    return found


def ends(pid):
    """Waits for a process that is not our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 5)[0])
    finally:
        os.close(fd)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_pull_leaves_nothing_visible_and_the_next_one_works(puller, registry, number):
    event = threading.Event()
    name = registry.add(BIG)
    registry.on(layer_of(BIG), slow(BIG.blobs[layer_of(BIG)], event))
    process = puller.start(name, "--plain-http")
    wait_for_progress(process)
    helpers = helpers_of(process.pid)
    assert len(helpers) == 1
    process.send_signal(number)
    process.wait(5)
    for pid in helpers:
        assert ends(pid), "knarr-pull outlived knarr"
    assert layer_of(BIG) not in puller.blobs() and not list(puller.root.glob("refs/*"))
    event.set()
    puller.ok("pull", name, "--plain-http")
    deadline = time.monotonic() + 60
    while list(puller.root.glob("ingest/*")) + list(puller.root.glob("layers/.tmp*")):
        # A process that unpacked may outlive the one that started it for a moment, and hold its lock.
        assert time.monotonic() < deadline
        puller.ok("pull", name, "--plain-http")


PART = 2_000_000


def ended_pull(puller, registry, number):
    """A pull that ends after PART bytes of BIG's layer; its name, and the file that it leaves."""
    event = threading.Event()
    name = registry.add(BIG)
    registry.on(layer_of(BIG), slow(BIG.blobs[layer_of(BIG)], event, PART))
    process = puller.start(name, "--plain-http")
    wait_for_progress(process, PART)
    process.send_signal(number)
    process.wait(60)
    event.set()
    (part,) = puller.root.glob("ingest/*.part-*")
    return name, part


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_next_pull_goes_on_where_one_was_ended(puller, registry, number):
    name, part = ended_pull(puller, registry, number)
    assert part.read_bytes() == BIG.blobs[layer_of(BIG)][:PART]
    puller.ok("pull", name, "--plain-http")
    assert registry.asked(layer_of(BIG))[-1][2]["Range"] == f"bytes={PART}-"
    assert any("goes on after 1.9 MiB of 2.9 MiB" in text for text in puller.notices())
    assert not list(puller.root.glob("ingest/*"))


def test_a_part_that_the_disk_damaged_is_told_and_gone(puller, registry):
    name, part = ended_pull(puller, registry, signal.SIGKILL)
    part.write_bytes(b"?" + part.read_bytes()[1:])
    error = puller.refused("digest_mismatch", "pull", name, "--plain-http")
    assert "pull again" in error["hint"]
    assert not list(puller.root.glob("ingest/*"))
    puller.ok("pull", name, "--plain-http")
    assert "Range" not in registry.asked(layer_of(BIG))[-1][2]


def test_knarr_pull_runs_without_rights_and_apart_from_the_store(puller, registry):
    if os.geteuid() != 0:
        pytest.skip("needs root: the helper becomes another user")
    event = threading.Event()
    registry.on(layer_of(BIG), slow(BIG.blobs[layer_of(BIG)], event))
    process = puller.start(registry.add(BIG), "--plain-http")
    wait_for_progress(process)
    (pid,) = helpers_of(process.pid)
    status = open(f"/proc/{pid}/status").read()
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    process.kill()
    process.wait()
    event.set()
    assert "Uid:\t65534\t65534\t65534\t65534" in status and "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert not [link for link in links if str(puller.root) in link], links


# --- TLS ---

def test_tls_with_a_private_certificate(puller, certificate):
    secure = hostile.Registry(tls=certificate)
    try:
        name = secure.add(SMALL)
        error = puller.refused("registry_failed", "pull", name)
        assert "TLS" in error["message"] and "--tls-ca" in error["hint"]
        puller.ok("pull", name, "--tls-ca", certificate[0])
    finally:
        secure.close()


def test_a_registry_of_this_host_that_speaks_no_tls_is_asked_without_it(puller, registry):
    puller.ok("pull", registry.add(SMALL))


def test_http_1_1_is_spoken_where_http_2_is_offered_too(puller, certificate):
    """Several connections are faster than one: docs/registries.md."""
    secure = hostile.Registry(tls=certificate)
    try:
        puller.ok("pull", secure.add(SMALL), "--tls-ca", certificate[0])
        assert secure.protocols == {"http/1.1"}
    finally:
        secure.close()


def test_https_never_falls_back_to_http(puller, registry, certificate):
    secure = hostile.Registry(tls=certificate)
    try:
        name = secure.add(SMALL)
        registry.blobs.update(SMALL.blobs)
        digest = layer_of(SMALL)
        secure.on(digest, hostile.redirect(f"{registry.url}/v2/a/b/blobs/{digest}"), forever=True)
        puller.refused("registry_failed", "pull", name, "--tls-ca", certificate[0])
        assert not registry.requests
    finally:
        secure.close()


def test_plain_http_is_for_loopback_alone(puller):
    error = puller.refused("invalid_argument", "pull", "registry.invalid/a/b", "--plain-http")
    assert "loopback" in error["message"]


def test_file_without_certificate_is_refused(puller, scratch):
    (scratch / "empty.pem").write_text("nothing\n")
    puller.refused("invalid_argument", "pull", "127.0.0.1:1/a/b", "--tls-ca", scratch / "empty.pem")


def test_knarr_pull_that_dies_at_once_is_told(puller, scratch, registry):
    shutil.copy2("/bin/true", scratch / "knarr-pull")
    os.chmod(scratch, 0o755)
    puller.environment["KNARR_LIBEXEC"] = str(scratch)
    error = puller.refused("internal", "pull", registry.add(SMALL), "--plain-http")
    assert "knarr-pull" in error["message"]


def test_plain_media_type_is_no_obstacle(puller, registry):
    registry.tags["1"] = (SMALL.manifest, "application/json; charset=utf-8")
    registry.blobs.update(SMALL.blobs)
    puller.ok("pull", f"{registry.host}/a/b:1", "--plain-http")


def test_image_of_another_platform_is_pulled_for_this_one(puller, registry):
    arm = Image({"arm": b"1"}, architecture="arm64")
    for image in (SMALL, arm):
        registry.add(image)
    registry.add_manifest(index_of((SMALL, {"os": "linux", "architecture": "amd64"}),
                                   (arm, {"os": "linux", "architecture": "arm64"})), INDEX, "m")
    name = f"{registry.host}/a/b:m"
    for platform, image in (("arm64", arm), ("amd64", SMALL), ("arm64", arm)):
        result = puller.ok("find-or-pull", name, "--plain-http", "--platform", platform)
        assert result["digest"] == image.digest


def test_missing_knarr_pull_is_an_error_with_the_fix(puller, scratch, pull_probe, registry):
    lonely = scratch / "bin"
    lonely.mkdir()
    shutil.copy2(pull_probe, lonely)
    puller.probe = lonely / "pull_probe"
    error = puller.refused("unsupported", "pull", registry.add(SMALL), "--plain-http")
    assert "KNARR_LIBEXEC" in error["hint"]
    puller.environment["KNARR_LIBEXEC"] = str(pull_probe.parent)
    puller.ok("pull", registry.add(SMALL), "--plain-http")
