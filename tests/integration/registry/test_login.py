"""login and logout: tried at the registry, kept where podman and docker look, helpers asked."""

import base64
import json
import os
import pty
import shutil
import stat
import subprocess

import pytest

from small_images import Image

SMALL = Image({"bin/true": b"#!"})


def login(knarr, host, *words, user="me", password="pass word", **options):
    return knarr.run("login", "--plain-http", "-u", user, "--password-stdin", *words, host,
                     input=password + "\n", **options)


def logged_in(path):
    return json.loads(path.read_text())["auths"]


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_good_login_is_kept_for_the_caller_alone_and_used_by_pull(knarr, registry, kind):
    setattr(registry, kind, ("me", "pass word"))
    name = registry.add(SMALL)
    assert knarr.run("pull", "--plain-http", name).returncode != 0
    done = login(knarr, registry.host)
    assert done.returncode == 0 and done.stdout == "Login Succeeded!\n", done.stderr
    assert stat.S_IMODE(knarr.auth_file.stat().st_mode) == 0o600
    kept = base64.b64decode(logged_in(knarr.auth_file)[registry.host]["auth"]).decode()
    assert kept == "me:pass word"
    assert knarr.good("login", "--get-login", registry.host) == "me\n"
    knarr.good("pull", "--plain-http", "--quiet", name)


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_bad_login_is_not_kept_and_never_shown(knarr, registry, kind):
    setattr(registry, kind, ("me", "right"))
    done = login(knarr, registry.host, password="wr0ng")
    assert done.returncode != 0 and "wr0ng" not in done.stderr
    assert "refused" in done.stderr and not knarr.auth_file.exists()


def test_a_bearer_login_asks_for_no_repository(knarr, registry):
    registry.bearer = ("me", "pw")
    assert login(knarr, registry.host, password="pw").returncode == 0
    assert registry.scopes == [[]]


def test_the_other_entries_and_settings_of_the_file_stay(knarr, registry):
    knarr.auth_file.parent.mkdir()
    knarr.auth_file.write_text(json.dumps({"HttpHeaders": {"A": "b"}, "auths": {
        "other.example": {"auth": "YTox"}, registry.host: {"auth": "b2xkOm9sZA=="}}}))
    knarr.auth_file.chmod(0o644)
    registry.basic = ("me", "pass word")
    assert login(knarr, registry.host).returncode == 0
    file = json.loads(knarr.auth_file.read_text())
    assert file["HttpHeaders"] == {"A": "b"} and file["auths"]["other.example"] == {"auth": "YTox"}
    assert stat.S_IMODE(knarr.auth_file.stat().st_mode) == 0o600
    assert not [path for path in knarr.auth_file.parent.iterdir() if ".tmp" in path.name]


def test_a_file_that_cannot_be_understood_is_left_alone(knarr, registry):
    knarr.auth_file.parent.mkdir()
    knarr.auth_file.write_text("{ not json")
    done = login(knarr, registry.host)
    assert done.returncode != 0 and str(knarr.auth_file) in done.stderr
    assert knarr.auth_file.read_text() == "{ not json"


def test_a_link_to_the_file_stays_a_link(knarr, registry, scratch):
    (scratch / "real.json").write_text("{}")
    (scratch / "link.json").symlink_to("real.json")
    assert login(knarr, registry.host, "--authfile", scratch / "link.json").returncode == 0
    assert (scratch / "link.json").is_symlink()
    assert registry.host in logged_in(scratch / "real.json")


def test_the_environment_names_the_file(knarr, registry, scratch):
    knarr.environment["REGISTRY_AUTH_FILE"] = str(scratch / "mine.json")
    assert login(knarr, registry.host).returncode == 0
    assert registry.host in logged_in(scratch / "mine.json")
    knarr.good("logout", registry.host)
    assert logged_in(scratch / "mine.json") == {}


def test_logout_forgets_one_or_all(knarr, registry, other):
    for host in (registry.host, other.host):
        assert login(knarr, host).returncode == 0
    assert registry.host in knarr.good("logout", registry.host)
    assert list(logged_in(knarr.auth_file)) == [other.host]
    again = knarr.run("logout", registry.host)
    assert (again.returncode, again.stdout) == (0, "") and "not logged in" in again.stderr
    assert other.host in knarr.good("logout", "--all")
    assert logged_in(knarr.auth_file) == {}
    assert "not logged in" in knarr.bad("login", "--get-login", other.host)


def test_logout_names_a_login_that_docker_made(knarr, scratch):
    (scratch / ".docker").mkdir()
    (scratch / ".docker/config.json").write_text(json.dumps({"auths": {"r.example": {"auth": "YTox"}}}))
    assert knarr.good("login", "--get-login", "r.example") == "a\n"
    assert "another file" in knarr.bad("logout", "r.example")


def test_the_hub_has_dockers_name_in_dockers_file(knarr, scratch):
    """Read by docker and knarr both; nothing is sent there."""
    (scratch / "config.json").write_text(json.dumps(
        {"auths": {"https://index.docker.io/v1/": {"auth": "YTox"}}}))
    knarr.environment["REGISTRY_AUTH_FILE"] = str(scratch / "config.json")
    assert knarr.good("login", "--get-login") == "a\n"
    knarr.good("logout")
    assert logged_in(scratch / "config.json") == {}


def test_a_path_has_a_login_of_its_own(knarr, registry):
    registry.basic = ("me", "pass word")
    assert login(knarr, registry.host + "/a").returncode == 0
    assert list(logged_in(knarr.auth_file)) == [registry.host + "/a"]
    knarr.good("pull", "--plain-http", "--quiet", registry.add(SMALL))
    knarr.good("logout", registry.host + "/a")
    assert logged_in(knarr.auth_file) == {}


def test_a_registry_that_asks_nobody_says_so(knarr, registry):
    done = login(knarr, registry.host)
    assert done.returncode == 0 and "not tried" in done.stderr


@pytest.mark.parametrize("words", [
    ["no_registry"], ["127.0.0.1:1", "more"], ["--password-stdin", "127.0.0.1:1"],
    ["-u", "me", "-p", "x", "--password-stdin", "127.0.0.1:1"], ["127.0.0.1:1"],
    ["-u", "a:b", "-p", "x", "127.0.0.1:1"], ["-u", "me", "127.0.0.1:1"],
])
def test_bad_words_are_refused_before_anything_is_asked(knarr, words):
    knarr.bad("login", "--plain-http", *words)
    assert not knarr.auth_file.exists()


def test_a_password_on_the_command_line_is_warned_of(knarr, registry):
    done = knarr.run("login", "--plain-http", "-u", "me", "-p", "pw", registry.host)
    assert done.returncode == 0 and "warning" in done.stderr


def test_what_is_missing_is_asked_for_and_the_password_is_not_shown(knarr, registry):
    registry.basic = ("me", "s3cret")
    master, slave = pty.openpty()
    process = subprocess.Popen(knarr.command("login", "--plain-http", registry.host), stdin=slave,
                               stdout=slave, stderr=slave, env=knarr.environment,
                               start_new_session=True)
    os.close(slave)
    seen = b""

    def until(text):
        nonlocal seen
        while text not in seen:
            seen += os.read(master, 1024)
    until(b"Username: ")
    os.write(master, b"me\n")
    until(b"Password: ")
    os.write(master, b"s3cx\x7fret\n")
    until(b"Login Succeeded!")
    assert process.wait(60) == 0
    assert b"s3c" not in seen
    os.close(master)


# --- helper programs ---

HELPER = """#!/usr/bin/python3
import json, pathlib, sys
kept = pathlib.Path(__file__).with_name("kept.json")
logins = json.loads(kept.read_text()) if kept.exists() else {}
verb, text = sys.argv[1], sys.stdin.read()
with pathlib.Path(__file__).with_name("asked").open("a") as log:
    print(verb, file=log)
if verb == "get":
    if text not in logins:
        print("credentials not found in native keychain")
        sys.exit(1)
    print(json.dumps({"ServerURL": text, **logins[text]}))
elif verb == "store":
    login = json.loads(text)
    logins[login.pop("ServerURL")] = login
elif verb == "erase":
    logins.pop(text, None)
elif verb == "list":
    print(json.dumps({server: login["Username"] for server, login in logins.items()}))
kept.write_text(json.dumps(logins))
"""


@pytest.fixture
def helper(knarr, scratch):
    """A docker-credential-test in PATH; its directory."""
    directory = scratch / "bin"
    directory.mkdir()
    (directory / "docker-credential-test").write_text(HELPER)
    (directory / "docker-credential-test").chmod(0o755)
    knarr.environment["PATH"] = f"{directory}:{os.environ['PATH']}"
    knarr.auth_file.parent.mkdir()
    return directory


@pytest.mark.parametrize("how", ["credHelpers", "credsStore"])
def test_a_helper_keeps_the_login(knarr, registry, helper, how):
    registry.basic = ("me", "pass word")
    knarr.auth_file.write_text(json.dumps(
        {"credHelpers": {registry.host: "test"}} if how == "credHelpers" else {"credsStore": "test"}))
    done = login(knarr, registry.host)
    assert done.returncode == 0 and "docker-credential-test" in done.stderr, done.stderr
    assert json.loads((helper / "kept.json").read_text()) == {
        registry.host: {"Username": "me", "Secret": "pass word"}}
    assert "auths" not in json.loads(knarr.auth_file.read_text())
    knarr.good("pull", "--plain-http", "--quiet", registry.add(SMALL))
    knarr.good("logout", registry.host)
    assert json.loads((helper / "kept.json").read_text()) == {}


def test_logout_of_all_empties_the_helpers_too(knarr, registry, helper):
    knarr.auth_file.write_text(json.dumps({"credsStore": "test"}))
    login(knarr, registry.host)
    assert registry.host in knarr.good("logout", "--all")
    assert json.loads((helper / "kept.json").read_text()) == {}


def test_a_helper_that_fails_is_an_error_in_its_own_words(knarr, registry, helper):
    (helper / "docker-credential-test").write_text("#!/bin/sh\necho the vault is shut >&2\nexit 3\n")
    knarr.auth_file.write_text(json.dumps({"credHelpers": {registry.host: "test"}}))
    assert "the vault is shut" in knarr.bad("pull", "--plain-http", registry.add(SMALL))
    assert not registry.requests


def test_a_missing_helper_is_told_where_it_is_needed_and_only_there(knarr, registry, scratch):
    knarr.auth_file.parent.mkdir()
    knarr.auth_file.write_text(json.dumps({"credHelpers": {registry.host: "gone"}}))
    assert "docker-credential-gone" in knarr.bad("pull", "--plain-http", registry.add(SMALL))
    knarr.auth_file.write_text(json.dumps({"credsStore": "gone"}))
    knarr.good("pull", "--plain-http", "--quiet", registry.add(SMALL))


@pytest.mark.parametrize("name", ["../x", "a b", "-rf", "x;id", ""])
def test_a_helpers_name_is_a_name(knarr, registry, name):
    knarr.auth_file.parent.mkdir()
    knarr.auth_file.write_text(json.dumps({"credHelpers": {registry.host: name}}))
    assert "credHelpers" in knarr.bad("pull", "--plain-http", registry.add(SMALL))


# --- the real thing ---

def test_docker_registry_with_tls_and_a_login(knarr, start_docker_registry, htpasswd, certificate):
    paths = {"certificate": str(certificate[0]), "key": str(certificate[1])}
    host = start_docker_registry(http={"tls": paths}, **htpasswd).host
    words = ["login", "--tls-ca", certificate[0], "-u", "me", "--password-stdin", host]
    assert "TLS" in knarr.bad("login", "-u", "me", "--password-stdin", host, input="pass word")
    assert "refused the login of me" in knarr.bad(*words, input="wrong")
    knarr.good(*words, input="pass word")


def test_podman_and_skopeo_understand_what_is_kept(knarr, start_docker_registry, htpasswd):
    if not shutil.which("skopeo"):
        pytest.skip("needs skopeo")
    host = start_docker_registry(**htpasswd).host
    assert login(knarr, host).returncode == 0
    shown = subprocess.run(["skopeo", "login", "--get-login", "--authfile", knarr.auth_file, host],
                           capture_output=True, text=True, check=True).stdout
    assert shown == "me\n"


# --- a registry on this host that speaks no TLS ---

def secrets_told(registry):
    return [headers[name] for _, _, headers, _ in registry.requests for name in headers
            if name.lower() in ("authorization", "x-secret")]


def test_without_a_login_one_that_speaks_no_tls_is_asked_quietly(knarr, registry):
    done = knarr.run("pull", registry.add(SMALL))
    assert done.returncode == 0 and "TLS" not in done.stderr and "waiting" not in done.stderr, done.stderr


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_login_goes_without_tls_by_the_callers_word_alone(knarr, registry, kind):
    setattr(registry, kind, ("me", "pass word"))
    name = registry.add(SMALL)
    done = knarr.run("login", "-u", "me", "--password-stdin", registry.host, input="pass word\n")
    assert done.returncode != 0 and "--plain-http" in done.stderr, done.stderr
    assert login(knarr, registry.host).returncode == 0
    registry.requests.clear()
    assert "a login goes without only with --plain-http" in knarr.bad("pull", name)
    assert not secrets_told(registry)
    knarr.good("pull", "--plain-http", "--quiet", name)
    assert secrets_told(registry)


def test_where_tls_is_asked_for_nothing_goes_without(knarr, registry, certificate, scratch):
    registry.basic = ("me", "pass word")
    name = registry.add(SMALL)
    assert login(knarr, registry.host).returncode == 0
    registry.requests.clear()
    own = scratch / "certs"
    own.mkdir()
    shutil.copy2(certificate[0], own / "ca.crt")
    hosts = scratch / "hosts" / registry.host
    hosts.mkdir(parents=True)
    for text in (f'server = "https://{registry.host}"\n',
                 f'server = "https://{registry.host}"\nca = "{certificate[0]}"\n',
                 f'ca = "{certificate[0]}"\n',
                 '[header]\nX-Secret = "mine"\n'):
        (hosts / "hosts.toml").write_text(text)
        assert "TLS" in knarr.bad("pull", "--hosts-dir", scratch / "hosts", name), text
    assert "TLS" in knarr.bad("pull", "--tls-ca", certificate[0], name)
    assert "TLS" in knarr.bad("pull", "--cert-dir", own, name)
    assert not registry.requests
