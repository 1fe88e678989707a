"""One time for the whole of a pull or push, whatever it is spent on."""

import os
import threading

import hostile
import pytest
import small_images as images

OVER = "the 1 s for the whole operation (--timeout) are over"
IMAGE = images.Image({"x": os.urandom(100_000)})
LAYER = IMAGE.layers[0]


@pytest.fixture
def event():
    value = threading.Event()
    yield value
    value.set()


def trickle(event, size):
    """Progress without end: a byte now and then of a blob that is never whole."""
    def step(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        while not event.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()
        handler.close_connection = True
    return step


def hold(event):
    """Takes no byte of an upload and does not answer."""
    def step(handler):
        event.wait(60)
        handler.close_connection = True
    return step


def over(knarr, *words):
    done = knarr.run(*words, "--timeout", "1s")
    assert done.returncode == 7 and OVER in done.stderr, done.stderr
    assert "hint: what came whole is kept" in done.stderr and "--timeout TIME" in done.stderr
    return done.stderr


def test_a_layer_that_trickles_ends_with_the_time_of_the_whole(knarr, registry, event):
    name = registry.add(IMAGE)
    registry.on(f"/blobs/{LAYER['digest']}", trickle(event, LAYER["size"]), forever=True)
    assert LAYER["digest"] in over(knarr, "pull", "-q", "--plain-http", name)
    assert knarr.good("images", "-q") == ""


def test_waits_between_tries_count(knarr, registry):
    registry.on("/manifests/", hostile.status(503, Retry_After="20"), forever=True)
    over(knarr, "pull", "-q", "--plain-http", registry.add(IMAGE))
    assert len(registry.asked("/manifests/")) == 1


def test_a_push_that_is_not_taken_ends_too(knarr, registry, event):
    name = registry.add(IMAGE)
    knarr.good("pull", "-q", "--plain-http", name)
    registry.blobs.clear()
    hostile.only(registry, "PATCH", hold(event))
    hostile.only(registry, "PUT", hold(event))
    assert "manifests are there" in over(knarr, "push", "-q", "--plain-http", name)


def test_a_program_that_keeps_logins_and_does_not_answer_counts(knarr, registry, scratch):
    directory = scratch / "programs"
    directory.mkdir()
    program = directory / "docker-credential-slow"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    knarr.environment["PATH"] = f"{directory}:{os.environ['PATH']}"
    auth = scratch / "auth.json"
    auth.write_text('{"credHelpers": {"%s": "slow"}}' % registry.host)
    knarr.environment["REGISTRY_AUTH_FILE"] = str(auth)
    assert "asking for the login" in over(knarr, "pull", "-q", "--plain-http", registry.add(IMAGE))
    assert registry.requests == []


@pytest.mark.parametrize("time", ["0", "8d", "-1s", "x", "169h"])
def test_a_time_that_is_none_is_refused(knarr, time):
    refused = knarr.bad("pull", f"--timeout={time}", "127.0.0.1:1/a")
    assert "--timeout" in refused and "168h" in refused
