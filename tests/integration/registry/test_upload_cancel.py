"""Uploads that nobody goes on with are given back to the registry, soon and without a word."""

import os
import signal
import subprocess
import threading
import time

import pytest

import hostile
from small_images import Image, write_layout

BIG = Image({"data": os.urandom(12_000_000)})
LAYER = BIG.layers[0]["digest"]
HELD = 60  # seconds: half of it is no time that a busy machine needs


@pytest.fixture
def event():
    value = threading.Event()
    yield value
    value.set()


@pytest.fixture
def name(knarr, registry, scratch):
    write_layout(scratch / "layout", BIG, "1")
    knarr.good("pull", "-q", f"oci:{scratch}/layout:1")
    knarr.good("tag", BIG.config["digest"][7:], f"{registry.host}/a/b:1")
    return f"{registry.host}/a/b:1"


def hold(event, begun=None):
    """Takes a part of an upload, and no more until the event is set."""
    def step(handler):
        handler.body(100_000)
        if begun:
            begun.set()
        event.wait(HELD)
        handler.close_connection = True
    return step


def answers(registry, **steps):
    """How requests of these methods about an upload are answered, each time."""
    def step(handler):
        return steps[handler.command](handler) if handler.command in steps else NotImplemented
    registry.on("/blobs/uploads/upload", step, forever=True)


def given_back(registry):
    return [request for request in registry.requests if request[0] == "DELETE"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_gives_it_back_at_once(knarr, registry, name, event, number):
    begun = threading.Event()
    hostile.only(registry, "PATCH", hold(event, begun))
    with subprocess.Popen(knarr.command("push", "-q", "--plain-http", name), env=knarr.environment,
                          stderr=subprocess.PIPE, text=True) as process:
        assert begun.wait(60)
        process.send_signal(number)
        process.wait(HELD / 2)
        assert process.returncode == 130, process.stderr.read()
    assert not event.is_set(), "the registry went on first"
    assert not registry.uploads and given_back(registry)


def test_ctrl_c_ends_all_tags(knarr, registry, name, event):
    begun = threading.Event()
    knarr.good("tag", name, f"{name}-more")
    hostile.only(registry, "PATCH", hold(event, begun))
    with subprocess.Popen(knarr.command("push", "-a", "-q", "--plain-http", name.rpartition(":")[0]),
                          env=knarr.environment, stderr=subprocess.PIPE, text=True) as process:
        assert begun.wait(60)
        process.send_signal(signal.SIGINT)
        process.wait(HELD / 2)
        said = process.stderr.read()
    assert process.returncode == 130 and said.count("knarr push:") == 1 and "stopped on request" in said, said
    assert not registry.uploads and not registry.tags


def test_the_end_of_the_time_gives_it_back(knarr, registry, name, event):
    hostile.only(registry, "PATCH", hold(event))
    done = knarr.run("push", "-q", "--plain-http", "--timeout", "1s", name)
    assert done.returncode == 7 and "--timeout" in done.stderr, done.stderr
    assert not registry.uploads and given_back(registry)


def test_a_failure_gives_back_what_is_beside_it(knarr, registry, name, event):
    """The layer is on its way when the configuration is refused."""
    begun = threading.Event()
    hostile.only(registry, "PATCH", hold(event, begun))
    registry.on(BIG.config["digest"], lambda handler: (begun.wait(60), handler.send(403))[1])
    assert "403" in knarr.bad("push", "-q", "--plain-http", name)
    assert begun.is_set() and not registry.uploads and given_back(registry)


def test_a_registry_that_does_not_answer_is_not_waited_for_long(knarr, registry, name, event):
    answers(registry, DELETE=hold(event), PATCH=hostile.status(403))
    start = time.monotonic()
    assert "403" in knarr.bad("push", "-q", "--plain-http", name)
    assert 1.9 < time.monotonic() - start < HELD / 2 and given_back(registry)


@pytest.mark.parametrize("answer", [401, 404, 405, 500])
def test_how_it_went_is_not_told(knarr, registry, name, answer):
    answers(registry, DELETE=hostile.status(answer), PATCH=hostile.status(403))
    said = knarr.bad("push", "-q", "--plain-http", name)
    assert "answered 403" in said and f"answered {answer}" not in said and given_back(registry)


def test_one_that_is_begun_anew_is_given_back_though_the_push_succeeds(knarr, registry, name):
    hostile.only(registry, "PATCH", hostile.status(413))
    knarr.good("push", "-q", "--plain-http", name)
    assert registry.blobs == BIG.blobs and not registry.uploads and len(given_back(registry)) == 1


def test_what_went_well_is_not_given_back(knarr, registry, name):
    knarr.good("push", "-q", "--plain-http", name)
    registry.on("/manifests/", hostile.status(403), forever=True)
    knarr.bad("push", "-q", "--plain-http", name)
    assert not given_back(registry)


@pytest.mark.parametrize("where", ["home", "elsewhere"])
def test_another_host_is_asked_to_delete_nothing(knarr, registry, other, name, where):
    """What the registry says where the upload is may be anybody's, and our own machine's."""
    registry.basic = ("me", "pw")
    knarr.good("login", "--plain-http", "-u", "me", "--password-stdin", registry.host, input="pw")
    if where == "elsewhere":
        other.uploads["upload0"] = bytearray()
        registry.on("/blobs/uploads/", hostile.status(202, Location=f"{other.url}/v2/a/b/blobs/uploads/upload0"),
                    forever=True)
    place = other if where == "elsewhere" else registry
    hostile.only(place, "PATCH", hostile.status(403))
    knarr.bad("push", "-q", "--plain-http", name)
    assert bool(given_back(place)) == (where == "home")
    assert all("Authorization" in request[2] for request in given_back(place))


def test_docker_registry_keeps_nothing(knarr, start_docker_registry, name):
    """Of a blob that it refuses for its digest."""
    one = start_docker_registry()
    path = next((knarr.home / "store/blobs/sha256").glob(f"*/{LAYER[7:]}"))
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    assert "DIGEST_INVALID" in knarr.bad("push", "-q", "--plain-http", name, f"{one.host}/a/b:1")
    uploads = one.directory / "data/docker/registry/v2/repositories/a/b/_uploads"
    assert not list(uploads.glob("*/data"))  # an empty directory stays, as after each DELETE
