"""Mirrors and settings of registries: registries.conf, hosts.toml, certs.d."""

import json
import os
import shutil
import subprocess

import pytest

import hostile
from small_images import Image

SMALL = Image({"bin/true": b"#!"}, {"etc/x": b"1" * 5000})
NAME = "registry.invalid/a/b:1"


@pytest.fixture
def mirror(other):
    return other


@pytest.fixture
def conf(knarr, scratch):
    def write(text):
        (scratch / "registries.conf").write_text(text)
        knarr.environment["CONTAINERS_REGISTRIES_CONF"] = str(scratch / "registries.conf")
    return write


@pytest.fixture
def hosts(knarr, scratch):
    """Writes a hosts.toml for the registry of NAME; what pull wants to find it by."""
    def write(text, name="registry.invalid"):
        (scratch / "hosts" / name).mkdir(parents=True)
        (scratch / "hosts" / name / "hosts.toml").write_text(text)
        return ["--hosts-dir", scratch / "hosts"]
    return write


def with_mirror(registry, mirror):
    """registries.conf in which `registry` stands behind the name, and `mirror` before it."""
    return f"""[[registry]]
prefix = "registry.invalid"
location = "{registry.host}"
insecure = true
[[registry.mirror]]
location = "{mirror.host}"
insecure = true
"""


def references(knarr):
    return [name for image in json.loads(knarr.good("images", "--json"))
            for name in image["References"]]


# --- registries.conf ---

def test_a_mirror_is_asked_first_and_the_name_stays(knarr, mirror, conf):
    mirror.add(SMALL)
    conf(f"""[[registry]]
prefix = "registry.invalid/a"
[[registry.mirror]]
location = "{mirror.host}/a"
insecure = true
""")
    done = knarr.run("pull", "--quiet", NAME)
    assert done.returncode == 0, done.stderr
    assert references(knarr) == [NAME]
    assert {request[1] for request in mirror.requests} >= {"/v2/a/b/manifests/1"}


def test_an_insecure_registry_is_warned_of(knarr, mirror, conf):
    mirror.add(SMALL)
    conf(f'[[registry]]\nlocation = "{mirror.host}"\ninsecure = true\n')
    done = knarr.run("pull", f"{mirror.host}/a/b:1")
    assert done.returncode == 0 and "warning" in done.stderr and mirror.host in done.stderr


def test_an_insecure_registry_with_tls_is_spoken_with_by_tls(knarr, conf, certificate):
    secure = hostile.Registry("127.0.0.3", tls=certificate)
    try:
        conf(f'[[registry]]\nlocation = "{secure.host}"\ninsecure = true\n')
        knarr.good("pull", "--quiet", secure.add(SMALL))
    finally:
        secure.close()


def test_a_login_is_refused_and_not_tried_again_without_encryption(knarr, mirror, conf, certificate):
    """A 401 over TLS is an answer: the way without TLS is for where nobody speaks it."""
    secure = hostile.Registry("127.0.0.3", tls=certificate)
    try:
        secure.basic = ("me", "pw")
        conf(f'[[registry]]\nlocation = "{secure.host}"\ninsecure = true\n')
        said = knarr.bad("pull", secure.add(SMALL))
        assert "wants a login" in said
    finally:
        secure.close()


def test_what_a_mirror_lacks_comes_from_the_registry(knarr, registry, mirror, conf):
    registry.add(SMALL)
    mirror.add(SMALL)
    del mirror.blobs[SMALL.layers[1]["digest"]]
    conf(with_mirror(registry, mirror))
    done = knarr.run("pull", NAME)
    assert done.returncode == 0 and f"asking {registry.host.split(':')[0]}" in done.stderr, done.stderr
    assert len(registry.asked("/blobs/")) == 1 and not registry.asked("/manifests/")


@pytest.mark.parametrize("trouble", ["gone", "500", "401", "404", "429", "broken"])
def test_a_mirror_in_trouble_is_left_for_the_registry(knarr, registry, mirror, conf, trouble):
    registry.add(SMALL)
    if trouble == "gone":
        mirror.close()
    elif trouble == "broken":
        mirror.on("/v2/", lambda handler: handler.cut(), forever=True)
    else:
        mirror.on("/v2/", hostile.status(int(trouble)), forever=True)
    conf(with_mirror(registry, mirror))
    knarr.good("pull", "--quiet", NAME)
    if trouble == "gone":
        mirror.server.server_close()


def test_a_blob_that_breaks_off_at_a_mirror_goes_on_at_the_registry(knarr, registry, mirror, conf):
    image = Image({"data": os.urandom(3_000_000)})
    layer = image.layers[0]["digest"]
    registry.add(image)
    mirror.add(image)
    mirror.on(layer, *[hostile.half(image.blobs[layer])] * 1, hostile.status(404), forever=False)
    conf(with_mirror(registry, mirror))
    knarr.good("pull", "--quiet", NAME)
    (request,) = registry.asked(layer)
    assert request[2]["Range"] == f"bytes={len(image.blobs[layer]) // 2}-"


@pytest.mark.parametrize("use, by_tag, by_digest", [("all", 1, 1), ("digest-only", 0, 1),
                                                    ("tag-only", 1, 0)])
def test_mirrors_for_some_references_only(knarr, registry, mirror, conf, use, by_tag, by_digest):
    for one in (registry, mirror):
        one.add(SMALL)
    conf(with_mirror(registry, mirror) + f'pull-from-mirror = "{use}"\n')
    knarr.good("pull", "--quiet", NAME)
    assert bool(mirror.requests) == bool(by_tag)
    mirror.requests.clear()
    knarr.good("rmi", NAME)
    knarr.good("pull", "--quiet", f"registry.invalid/a/b@{SMALL.digest}")
    assert bool(mirror.requests) == bool(by_digest)


def test_a_mirror_gets_its_own_login_and_no_other(knarr, registry, mirror, conf):
    registry.basic = ("me", "mine")
    mirror.basic = ("you", "yours")
    for one in (registry, mirror):
        one.add(SMALL)
    for one, user, password in ((registry, "me", "mine"), (mirror, "you", "yours")):
        knarr.good("login", "--plain-http", "-u", user, "--password-stdin", one.host, input=password)
    del mirror.blobs[SMALL.layers[0]["digest"]]
    conf(with_mirror(registry, mirror))
    mirror.requests.clear()
    knarr.good("pull", "--quiet", NAME)
    sent = {request[2].get("Authorization") for request in mirror.requests}
    assert len(sent - {None}) == 1 and sent != {None}


def test_pushes_go_past_the_mirrors(knarr, registry, mirror, conf):
    registry.add(SMALL)
    conf(with_mirror(registry, mirror))
    knarr.good("pull", "--quiet", NAME)
    mirror.requests.clear()
    knarr.good("push", NAME, "registry.invalid/a/b:2")
    assert not mirror.requests and "2" in registry.tags


def test_a_blocked_registry_is_not_asked(knarr, mirror, conf):
    mirror.add(SMALL)
    conf(f'[[registry]]\nlocation = "{mirror.host}"\nblocked = true\n')
    assert "blocked" in knarr.bad("pull", "--plain-http", f"{mirror.host}/a/b:1")
    assert not mirror.requests


@pytest.mark.parametrize("text, said", [
    ('[[registry]]\nprefix = 7\n', "line 2"), ('[[registry]]\n', "neither prefix nor location"),
    ('[registry]\nlocation = "x"\n', "[[registry]]"), ('[[registry]\n', "line 1"),
    ('[[registry]]\nlocation = "registry.invalid"\n[[registry.mirror]]\ninsecure = true\n', "no location"),
    ('[[registry]]\nprefix = "registry.invalid"\nlocation = "https://x"\n', "without https"),
    ('[registries.search]\nregistries = ["a"]\n', "version 1"),
])
def test_a_file_that_cannot_be_understood_is_an_error(knarr, conf, text, said):
    conf(text)
    assert said in knarr.bad("pull", NAME)


def test_plain_http_beyond_this_host_needs_the_files_word(knarr):
    said = knarr.bad("pull", "--plain-http", NAME)
    assert "loopback" in said and "insecure = true" in said


# --- containerd's hosts.toml ---

def test_hosts_are_asked_in_their_order_with_the_name_of_the_registry(knarr, registry, mirror, hosts):
    registry.add(SMALL)
    mirror.on("/manifests/", hostile.status(404), forever=True)
    words = hosts(f"""server = "{registry.url}"
[host."{mirror.url}"]
  capabilities = ["pull", "resolve"]
""")
    done = knarr.run("pull", *words, NAME)
    assert done.returncode == 0 and "without TLS" in done.stderr, done.stderr
    assert mirror.requests[0][1] == "/v2/a/b/manifests/1?ns=registry.invalid"
    assert registry.requests[0][1] == "/v2/a/b/manifests/1"


def test_a_host_that_may_not_resolve_gets_no_tags(knarr, registry, mirror, hosts):
    for one in (registry, mirror):
        one.add(SMALL)
    words = hosts(f'server = "{registry.url}"\n[host."{mirror.url}"]\ncapabilities = ["pull"]\n')
    knarr.good("pull", "--quiet", *words, NAME)
    assert not mirror.asked("/manifests/1") and len(mirror.asked("/blobs/")) == 3


def test_a_path_may_stand_for_the_api(knarr, mirror, hosts):
    mirror.add(SMALL)
    words = hosts(f'[host."{mirror.url}/cache/v2"]\noverride_path = true\n')
    knarr.good("pull", "--quiet", *words, NAME)
    assert mirror.requests[0][1].startswith("/cache/v2/a/b/manifests/1")


def test_certificates_of_the_directory_are_trusted(knarr, hosts, certificate, scratch):
    secure = hostile.Registry("127.0.0.1", tls=certificate)
    try:
        secure.add(SMALL)
        words = hosts(f'server = "{secure.url}"\nca = "ca.pem"\n')
        shutil.copy(certificate[0], scratch / "hosts/registry.invalid/ca.pem")
        knarr.good("pull", "--quiet", *words, NAME)
    finally:
        secure.close()


def test_skip_verify_is_warned_of(knarr, hosts, certificate):
    secure = hostile.Registry("127.0.0.3", tls=certificate)
    try:
        secure.add(SMALL)
        done = knarr.run("pull", *hosts(f'server = "{secure.url}"\nskip_verify = true\n'), NAME)
        assert done.returncode == 0 and "not checked" in done.stderr
    finally:
        secure.close()


@pytest.mark.parametrize("text, said", [
    ("server = 7\n", "server"), ('[host."ftp://x"]\n', "neither http nor https"),
    ('[host."https://x".header]\nHost = "b"\n', "set by knarr itself"), ("host = 1\n[x", "line"),
    ('[host."https://x"]\nca = 7\n', "neither a text nor an array"),
])
def test_a_hosts_file_that_cannot_be_understood_is_an_error(knarr, hosts, text, said):
    assert said in knarr.bad("pull", *hosts(text), NAME)


def test_headers_go_to_their_host_and_to_nobody_that_it_points_to(knarr, registry, mirror, hosts):
    """Not to where a blob is redirected to, not to the token server, not to the next host."""
    elsewhere = hostile.Registry("127.0.0.4")
    try:
        for one in (registry, mirror, elsewhere):
            one.add(SMALL)
        mirror.bearer = ("", "")
        token = hostile.Registry("127.0.0.5")
        token.url, token.bearer = mirror.url, ("", "")
        mirror.on("/manifests/", hostile.status(
            401, WWW_Authenticate=f'Bearer realm="http://{token.host}/token",service="a, b",scope="repository:a/b:pull"'))
        first, second = (layer["digest"] for layer in SMALL.layers[:2])
        authorized = dict(Authorization="Bearer token-for-you")

        def to_elsewhere(handler):
            handler.send(307, Location=f"{elsewhere.url}/v2/a/b/blobs/{first}")
        mirror.on(f"/blobs/{first}", to_elsewhere)
        mirror.on(f"/blobs/{second}", hostile.status(404))
        words = hosts(f"""server = "{registry.url}"
[host."{mirror.url}"]
  skip_verify = true
[host."{mirror.url}".header]
  X-Key = "s3cret"
  X-Two = ["a", "b"]
  Authorization = "Basic none"
""")
        done = knarr.run("pull", *words, NAME)
        assert done.returncode == 0 and "s3cret" not in done.stdout + done.stderr, done.stderr
        assert len(mirror.requests) >= 4
        assert all(request[2]["X-Key"] == "s3cret" for request in mirror.requests)
        # The operator's word for a login gives way to the login that the registry gave.
        assert [request[2]["Authorization"] for request in mirror.requests[:2]] == [
            "Basic none", authorized["Authorization"]]
        for other in (elsewhere, token, registry):
            assert other.requests
            for _, path, headers, form in other.requests:
                assert "X-Key" not in headers and "X-Two" not in headers, (other.host, path)
                assert "Basic none" not in headers.values() and "s3cret" not in path + form
    finally:
        elsewhere.close()
        token.close()


# --- certificates, docker's way ---

@pytest.fixture
def mutual(scratch, certificate):
    """A registry that wants a client's certificate, and the directory with one."""
    directory = scratch / "certs"
    directory.mkdir()
    for key, subject in (("client", "/CN=client"),):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject, "-days", "2",
                        "-out", directory / f"{key}.cert", "-keyout", directory / f"{key}.key"],
                       check=True, capture_output=True)
    shutil.copy(certificate[0], directory / "ca.crt")
    value = hostile.Registry(tls=certificate, clients=directory / "client.cert")
    yield value, directory
    value.close()


def test_a_clients_certificate_is_shown_where_it_is_wanted(knarr, mutual):
    registry, directory = mutual
    name = registry.add(SMALL)
    assert knarr.run("pull", "--tls-ca", directory / "ca.crt", name).returncode != 0
    knarr.good("pull", "--quiet", "--cert-dir", directory, name)


def test_a_certificate_without_its_key_is_an_error(knarr, mutual):
    registry, directory = mutual
    (directory / "client.key").unlink()
    assert "the key beside" in knarr.bad("pull", "--cert-dir", directory, registry.add(SMALL))


def test_tls_verify_false_is_podmans_word_for_insecure(knarr, certificate):
    secure = hostile.Registry("127.0.0.3", tls=certificate)
    try:
        name = secure.add(SMALL)
        assert "TLS" in knarr.bad("pull", name)
        done = knarr.run("pull", "--tls-verify=false", name)
        assert done.returncode == 0 and "not checked" in done.stderr
    finally:
        secure.close()
