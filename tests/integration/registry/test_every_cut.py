"""A registry that breaks off at, damages or holds back every twentieth of a blob, and one whose tokens and
redirects never end: the store stays whole, and the next pull goes on with what came."""

import concurrent.futures
import hashlib
import os
import pathlib
import subprocess
import tempfile
import threading

import hostile
import pytest
from small_images import Image, digest_of

PARTS = 20
IMAGE = Image({"data": os.urandom(1_600_000)}, {"etc/x": b"1" * 5000})
LAYER, CONFIG = IMAGE.layers[0]["digest"], IMAGE.config["digest"]
KINDS = {"manifest": ("/manifests/", IMAGE.manifest), "config": (CONFIG, IMAGE.config_bytes),
         "layer": (LAYER, IMAGE.blobs[LAYER])}
LEAST_KEPT = 1 << 20  # less of a blob is not kept for the next pull
UNREAD = 1 << 16  # what nobody took from the connection yet is lost when a pull ends


@pytest.fixture(scope="module", params=["erofs", "dir"])
def driver(request, knarr_path):
    """One snapshot driver after the other, where the machine has it."""
    told = subprocess.run([knarr_path, "info"], capture_output=True, text=True, check=True).stdout
    if request.param == "erofs" and "erofs_layers: no" in told:
        pytest.skip("needs a kernel that mounts EROFS")
    return request.param


def break_off(data, size):
    """Promises everything, sends `size` bytes from where it was asked to begin, at most, hangs up."""
    def step(handler):
        first, last = hostile.range_of(handler, len(data))
        handler.send_response(206 if first else 200)
        if first:
            handler.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - first))
        handler.end_headers()
        handler.wfile.write(data[first:max(first, size)])
        handler.cut()
    return step


def cut(part, data):
    return len(data) * part // PARTS


class Case:
    """A registry and a data root of its own, to be used beside others."""

    def __init__(self, puller_class, probe, directory, driver):
        directory.mkdir()
        self.puller = puller_class(probe, directory)
        self.registry = hostile.Registry()
        self.name = self.registry.add(IMAGE)
        self.words = [self.name, "--plain-http", "--driver", driver]

    def assert_store_is_whole(self):
        for path in self.puller.root.glob("blobs/sha256/*/*"):
            assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()

    def assert_next_pull_works(self):
        self.assert_store_is_whole()
        self.puller.ok("pull", *self.words)
        self.assert_store_is_whole()
        assert self.puller.blobs() == {*IMAGE.blobs, IMAGE.digest}
        left = list(self.puller.root.glob("ingest/*")) + list(self.puller.root.glob("layers/.tmp*"))
        assert not left, left


@pytest.fixture
def in_memory():
    """A directory whose files need not reach a disk, for so many stores."""
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="knarr-it-", dir=place) as directory:
        yield pathlib.Path(directory)


@pytest.fixture
def all_parts(puller, pull_probe, in_memory, driver):
    """Runs a test for each part, several beside each other: most of the time they wait."""
    def run(body):
        def one(part):
            case = Case(type(puller), pull_probe, in_memory / f"part{part}", driver)
            try:
                body(case, part)
            finally:
                case.registry.close()
        with concurrent.futures.ThreadPoolExecutor(PARTS) as pool:
            list(pool.map(one, range(PARTS)))
    return run


def test_one_pull_gets_over_a_cut_of_each_of_its_parts(all_parts):
    def body(case, part):
        for path, data in KINDS.values():
            case.registry.on(path, break_off(data, cut(part, data)))
        case.assert_next_pull_works()
        again = [request[2].get("Range") for request in case.registry.asked(LAYER)]
        at = cut(part, IMAGE.blobs[LAYER])
        assert again == [None, f"bytes={at}-" if at else None], again
    all_parts(body)


def fails_at(case, kind, part, error, step):
    """A pull that ends because of its manifest, config or layer."""
    path, data = KINDS[kind]
    case.registry.on(path, step(data, cut(part, data)))
    words = list(case.words)
    if error == "digest_mismatch" and kind == "manifest":  # by its digest: nothing says what a tag means
        words[0] = case.name.rpartition(":")[0] + "@" + IMAGE.digest
    case.puller.refused(error, "pull", *words, "--retries", "0")
    assert digest_of(data) not in case.puller.blobs()
    case.assert_store_is_whole()


def damage(data, at):
    changed = bytearray(data)
    changed[at] ^= 0x20
    return hostile.body(bytes(changed))


@pytest.mark.parametrize("driver", ["dir"], indirect=True)  # nothing is unpacked before the end
@pytest.mark.parametrize("error, step", [("registry_failed", break_off), ("digest_mismatch", damage)])
def test_a_small_part_that_ends_a_pull_leaves_the_next_one_free(all_parts, error, step):
    def body(case, part):
        for kind in ("manifest", "config"):
            fails_at(case, kind, part, error, step)
        case.assert_next_pull_works()
    all_parts(body)


def test_a_pull_that_ends_at_a_cut_of_a_layer_is_gone_on_with(all_parts):
    def body(case, part):
        fails_at(case, "layer", part, "registry_failed", break_off)
        case.assert_next_pull_works()
        at, again = cut(part, KINDS["layer"][1]), case.registry.asked(LAYER)[1][2].get("Range")
        if again is None:
            assert at < LEAST_KEPT + UNREAD
        else:
            assert max(LEAST_KEPT, at - UNREAD) <= int(again[len("bytes="):-1]) <= at
    all_parts(body)


def test_a_changed_byte_of_a_layer_is_found_wherever_it_is(all_parts):
    def body(case, part):
        fails_at(case, "layer", part, "digest_mismatch", damage)
        case.assert_next_pull_works()
        assert "Range" not in case.registry.asked(LAYER)[-1][2]
    all_parts(body)


def test_a_blob_that_stalls_goes_on_by_a_new_connection(puller, registry, driver):
    event = threading.Event()
    data = IMAGE.blobs[LAYER]

    def step(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:len(data) // 2])
        handler.wfile.flush()
        event.wait(60)
        handler.close_connection = True
    registry.on(LAYER, step)
    puller.ok("pull", registry.add(IMAGE), "--plain-http", "--driver", driver, "--stall", "1")
    event.set()
    assert any("no progress for 1 s" in text for text in puller.notices())
    assert registry.asked(LAYER)[-1][2]["Range"] == f"bytes={len(data) // 2}-"


# --- tokens, redirects ---

class ShortTokens:
    """Tokens that are good for one answer each."""

    def __init__(self, registry):
        self.registry, self.given, self.good = registry, 0, set()
        registry.on("/token", self.give, forever=True)
        registry.on("/v2/", self.check, forever=True)

    def give(self, handler):
        with self.registry.lock:
            self.given += 1
            self.good.add(f"Bearer t{self.given}")
        handler.send(200, b'{"token":"t%d","expires_in":60}' % self.given)

    def check(self, handler):
        with self.registry.lock:
            if handler.headers.get("Authorization") in self.good:
                self.good.discard(handler.headers["Authorization"])
                return NotImplemented
        handler.send(401, WWW_Authenticate=f'Bearer realm="{self.registry.url}/token",service="x",'
                                           'scope="repository:a/b:pull"')
        return None


def test_tokens_that_run_out_after_every_request_are_renewed(puller, registry):
    tokens = ShortTokens(registry)
    puller.ok("pull", registry.add(IMAGE), "--plain-http")
    assert tokens.given >= 2 + len(IMAGE.layers)


def test_a_token_that_runs_out_in_the_middle_of_a_blob_is_renewed(puller, registry):
    tokens = ShortTokens(registry)
    data, name = IMAGE.blobs[LAYER], registry.add(IMAGE)

    def step(handler):
        return break_off(data, 1_200_000)(handler) if tokens.check(handler) is NotImplemented else None
    registry.steps.insert(0, (LAYER, [step] * 2))  # once without a token, once with one
    puller.ok("pull", name, "--plain-http")
    assert registry.asked(LAYER)[-1][2]["Range"] == "bytes=1200000-"


def test_a_registry_that_takes_no_token_is_not_asked_for_ever(puller, registry):
    tokens = ShortTokens(registry)
    name = registry.add(IMAGE)
    registry.steps.insert(0, (LAYER, []))
    registry.on("/manifests/", tokens.check)
    challenge = f'Bearer realm="{registry.url}/token",service="x",scope="repository:a/b:pull"'
    refuse = hostile.status(401, WWW_Authenticate=challenge)
    registry.forever.add(refuse)
    registry.steps.insert(0, ("/blobs/", [refuse]))
    error = puller.refused("unauthorized", "pull", name, "--plain-http")
    assert "refused with the token" in error["message"]
    assert len(registry.asked("/blobs/")) <= 2 * len(IMAGE.blobs)


@pytest.mark.parametrize("what", ["/manifests/", "/blobs/"])
def test_two_registries_that_point_to_each_other_are_left(puller, registry, other, what):
    name = registry.add(IMAGE)
    for one, next_one in ((registry, other), (other, registry)):
        def step(handler, to=next_one):
            hostile.redirect(to.url + handler.path)(handler)
        one.on(what, step, forever=True)
    error = puller.refused("registry_failed", "pull", name, "--plain-http")
    assert "more than 5 redirects" in error["message"]
    most = 1 if what == "/manifests/" else len(IMAGE.blobs)
    assert len(registry.asked(what) + other.asked(what)) <= 6 * most
