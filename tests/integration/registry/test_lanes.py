"""One large layer over several connections, where a single one is slow."""

import os
import time

import hostile
import pytest
import small_images as images

MIB = 1024 * 1024
BIG = images.Image({"big": os.urandom(22 * MIB)}, how="none")
LAYER = BIG.layers[0]["digest"]
DATA = BIG.blobs[LAYER]
RATE = 8 * MIB


def throttled(registry, **options):
    throttle = hostile.Throttle(DATA, RATE, **options)
    registry.on(LAYER, throttle, forever=True)
    return throttle


def pulled(puller, name):
    puller.ok("pull", name, "--plain-http")
    assert LAYER in puller.blobs()


def ranges(registry):
    """What was asked for of the layer, in the order of the bytes; None: all of it."""
    return [request[2].get("Range") for request in registry.asked(LAYER)]


def test_a_slow_layer_comes_over_several_connections(puller, registry):
    throttle = throttled(registry)
    pulled(puller, registry.add(BIG))
    assert throttle.most == 4
    # Each byte once.
    assert throttle.sent == len(DATA)
    asked = sorted(tuple(map(int, text.removeprefix("bytes=").split("-"))) for text in ranges(registry))
    assert [first for first, last in asked] == [0, *(last + 1 for first, last in asked[:-1])]


def test_a_registry_without_ranges_gives_it_as_a_whole(puller, registry):
    throttle = throttled(registry, ranges=False)
    pulled(puller, registry.add(BIG))
    assert throttle.most == 1 and throttle.sent == len(DATA) and len(ranges(registry)) == 1


@pytest.mark.parametrize("code", [416, 400])
def test_a_registry_that_refuses_pieces_is_asked_for_all(puller, registry, code):
    registry.on(LAYER, hostile.status(code))
    pulled(puller, registry.add(BIG))
    assert ranges(registry)[1:] == [None]


def broken_off(throttle):
    def step(handler):
        first, last = hostile.range_of(handler, len(DATA))
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(DATA)}")
        handler.send_header("Content-Length", str(last + 1 - first))
        handler.end_headers()
        handler.wfile.write(DATA[first:first + 1000])
        throttle.sent += 1000
        handler.cut()
    return step


def other_range(handler):
    handler.send(206, DATA[:100], Content_Range=f"bytes 0-99/{len(DATA)}")


def longer(handler):
    first, last = hostile.range_of(handler, len(DATA))
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes {first}-{last}/{len(DATA)}")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(DATA[first:])
    handler.close_connection = True


@pytest.mark.parametrize("trouble", [hostile.status(429, Retry_After="0"), hostile.status(500),
                                     hostile.body(DATA), other_range, longer],
                         ids=["429", "500", "all-of-it", "another-range", "longer"])
def test_a_part_that_is_refused_ends_the_lanes_and_not_the_pull(puller, registry, trouble):
    throttle = hostile.Throttle(DATA, 2 * RATE)
    registry.on(LAYER, throttle, throttle, trouble, *[throttle] * 20)
    pulled(puller, registry.add(BIG))


def test_a_part_that_breaks_off_is_fetched_again_and_little_else(puller, registry):
    throttle = hostile.Throttle(DATA, 2 * RATE)
    registry.on(LAYER, throttle, throttle, broken_off(throttle), *[throttle] * 20)
    pulled(puller, registry.add(BIG))
    assert throttle.most > 1
    # What was under way beside it, at most.
    assert throttle.sent <= len(DATA) + 16 * MIB


def test_parts_that_always_break_off_end_in_one_connection(puller, registry):
    """Never more than three times; then as a whole, resumed as ever."""
    throttle = hostile.Throttle(DATA, 2 * RATE)

    def step(handler):
        first = hostile.range_of(handler, len(DATA))[0]
        last = handler.headers.get("Range", "-").rpartition("-")[2]
        if last and first % 3 == 1:
            broken_off(throttle)(handler)
        else:
            throttle(handler)
    registry.on(LAYER, step, forever=True)
    pulled(puller, registry.add(BIG))


def test_the_next_pull_goes_on_where_lanes_were_ended(puller, registry):
    """What was in order is kept, what was ahead of it is not: the digest is right all the same."""
    throttle = throttled(registry)
    name = registry.add(BIG)
    process = puller.start(name, "--plain-http")
    end = time.monotonic() + 60
    while throttle.sent < 12 * MIB:
        assert time.monotonic() < end
        time.sleep(0.01)
    process.kill()
    process.wait()
    process.stdout.close()
    before = len(ranges(registry))
    pulled(puller, name)
    assert any("goes on after" in text for text in puller.notices())
    first = ranges(registry)[before].removeprefix("bytes=").partition("-")[0]
    assert int(first) >= MIB


def test_parts_are_asked_of_the_place_that_it_was_found_at_without_the_login(puller, registry):
    elsewhere = hostile.Registry()
    try:
        elsewhere.blobs.update(BIG.blobs)
        throttle = throttled(elsewhere)
        registry.bearer = ("", "")
        registry.on(f"/blobs/{LAYER}", hostile.status(401, WWW_Authenticate=f'Bearer realm="{registry.url}/token",'
                                                      'service="a, b",scope="repository:a/b:pull"'),
                    *[hostile.redirect(f"{elsewhere.url}/v2/a/b/blobs/{LAYER}")] * 20)
        pulled(puller, registry.add(BIG))
        assert throttle.most == 4
        assert all("Authorization" not in request[2] for request in elsewhere.requests)
        assert len(registry.asked(LAYER)) == 2
    finally:
        elsewhere.close()


def test_a_token_that_runs_out_between_is_renewed(puller, registry):
    """A refused part ends the lanes; the one connection asks for a new token and splits again."""
    registry.bearer = ("", "")
    name = registry.add(BIG)
    throttle = hostile.Throttle(DATA, 2 * RATE)

    def given(handler):
        if registry.may_enter(handler):
            throttle(handler)
    refused = hostile.status(401, WWW_Authenticate=f'Bearer realm="{registry.url}/token",service="a, b",'
                             'scope="repository:a/b:pull"')
    registry.on(LAYER, given, given, given, refused, refused, *[given] * 20)
    pulled(puller, name)


def test_several_large_layers_share_the_connections(puller, registry):
    parts = [{f"big{number}": os.urandom(17 * MIB)} for number in range(3)]
    image = images.Image(*parts, how="none")
    together = hostile.Throttle(b"", RATE)
    for layer in image.layers:
        registry.on(layer["digest"], hostile.Throttle(image.blobs[layer["digest"]], RATE, beside=together), forever=True)
    puller.ok("pull", registry.add(image), "--plain-http")
    assert {layer["digest"] for layer in image.layers} <= puller.blobs()
    assert 3 < together.most <= 8  # six lanes, and one connection each for two that got none
