"""Fixtures for pulling: a registry that obeys the test, a store, and the probe."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import hostile  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Puller:
    """A data root and the program that pulls into it."""

    def __init__(self, probe, directory):
        self.probe, self.root = probe, directory / "data"
        self.environment = {**os.environ, "HOME": str(directory), "XDG_RUNTIME_DIR": str(directory)}
        for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_CONFIG_HOME"):
            self.environment.pop(name, None)

    def command(self, verb, *args):
        return [str(self.probe), str(self.root), verb, *map(str, args)]

    def start(self, *args, **options):
        return subprocess.Popen(self.command("pull", *args), env=self.environment, text=True,
                                stdout=subprocess.PIPE, **options)

    def run(self, verb, *args, timeout=60):
        """The exit code, and the values that were printed, last one last."""
        done = subprocess.run(self.command(verb, *args), env=self.environment, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode >= 0, f"died of signal {-done.returncode}"
        assert not done.stderr, done.stderr
        if verb == "inspect" and done.returncode == 0:
            return 0, [json.loads(done.stdout)]
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def ok(self, verb, *args, **options):
        code, lines = self.run(verb, *args, **options)
        assert code == 0, lines[-1]
        self.lines = lines
        return lines[-1]

    def refused(self, error, verb, *args, **options):
        """The error that the verb ends with; nothing must be stored under a reference."""
        code, lines = self.run(verb, *args, **options)
        self.lines = lines
        assert code != 0 and lines[-1].get("error") == error, lines[-1]
        assert lines[-1]["message"] and lines[-1]["hint"], lines[-1]
        assert not list(self.root.glob("refs/*")), "a reference to a broken image"
        left = [path for path in self.root.glob("ingest/*") if ".part-" not in path.name]
        assert not left, "something staged was left"
        return lines[-1]

    def blobs(self):
        return {"sha256:" + path.name for path in self.root.glob("blobs/sha256/*/*")}

    def notices(self):
        return [line["text"] for line in self.lines if line.get("phase") == "waiting"]


@pytest.fixture(scope="session")
def pull_probe():
    path = pathlib.Path(os.environ.get("KNARR_PULL_PROBE", ROOT / "build/dev/bin/pull_probe"))
    if not path.exists():
        pytest.fail(f"{path} is not built: cmake --build --preset dev --target pull_probe knarr-pull")
    return path


@pytest.fixture
def puller(pull_probe, scratch):
    return Puller(pull_probe, scratch)


@pytest.fixture
def registry():
    value = hostile.Registry()
    yield value
    value.close()


@pytest.fixture
def other():
    """One more, at another address."""
    value = hostile.Registry("127.0.0.2")
    yield value
    value.close()


class DockerRegistry:
    """Debian's docker-registry on a free port of loopback, with settings of its own."""

    def __init__(self, directory, **settings):
        if not shutil.which("docker-registry"):
            pytest.skip("needs docker-registry")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.host, self.directory = f"127.0.0.1:{port}", directory
        directory.mkdir(exist_ok=True)
        http = {"addr": self.host, **settings.pop("http", {})}
        storage = {"filesystem": {"rootdirectory": str(directory / "data")},
                   **settings.pop("storage", {})}
        config = directory / "registry.yml"
        config.write_text(json.dumps({"version": 0.1, "log": {"level": "error"}, "http": http,
                                      "storage": storage, **settings}))
        self.process = subprocess.Popen(
            ["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
            stderr=(directory / "log").open("w"),
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"})
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline and self.process.poll() is None, \
                    (directory / "log").read_text()
                time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def start_docker_registry(scratch):
    """Starts docker-registries, each with further settings of its configuration file."""
    running = []

    def start(**settings):
        running.append(DockerRegistry(scratch / f"registry{len(running)}", **settings))
        return running[-1]
    yield start
    for one in running:
        one.close()


@pytest.fixture
def docker_registry(start_docker_registry):
    return start_docker_registry().host


@pytest.fixture
def htpasswd(scratch):
    """Settings of a docker-registry that wants the login me, pass word."""
    if not shutil.which("htpasswd"):
        pytest.skip("needs htpasswd (apt-get install apache2-utils)")
    text = subprocess.run(["htpasswd", "-nbBC", "4", "me", "pass word"], check=True,
                          capture_output=True, text=True).stdout
    (scratch / "htpasswd").write_text(text)
    return {"auth": {"htpasswd": {"realm": "here", "path": str(scratch / "htpasswd")}}}


class Knarr:
    """The program itself, with a home of its own."""

    def __init__(self, path, directory):
        self.path, self.home = str(path), directory
        self.environment = {**os.environ, "HOME": str(directory), "XDG_RUNTIME_DIR": str(directory)}
        for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_CONFIG_HOME"):
            self.environment.pop(name, None)
        self.auth_file = directory / "containers/auth.json"

    def command(self, *words):
        return [self.path, "--root", str(self.home / "run"), "--data-root",
                str(self.home / "store"), *map(str, words)]

    def run(self, *words, **options):
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        if options["stdin"] is None:
            del options["stdin"]
        return subprocess.run(self.command(*words), env=self.environment, text=True, timeout=120,
                              capture_output=True, check=False, **options)

    def good(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def bad(self, *words, **options):
        """What a verb that must fail says."""
        done = self.run(*words, **options)
        assert done.returncode > 0 and "hint: " in done.stderr, (done.returncode, done.stderr)
        return done.stderr


@pytest.fixture
def knarr(knarr_path, scratch):
    return Knarr(knarr_path, scratch)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """(certificate, key) for 127.0.0.1, signed by itself."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    directory = tmp_path_factory.mktemp("tls")
    paths = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test", "-days", "2",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True)
    return paths
