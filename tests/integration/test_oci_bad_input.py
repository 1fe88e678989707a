"""Bundles and arguments that must be refused: with what, why and the fix, and nothing left."""

import os

import pytest


def refused(host, bundle, *words, verb="run"):
    message = host.refused(verb, "-b", bundle.directory, host.new_id())
    for word in words:
        assert word in message, message
    host.assert_clean()
    return message


BAD_IDS = ["../x", "..", ".", "a/b", "-x", "x y", "", "x" * 129, "a\nb", "ä"]


@pytest.mark.parametrize("bad", BAD_IDS)
@pytest.mark.parametrize("verb", ["create", "run", "start", "state", "kill", "delete"])
def test_ids_that_could_be_paths_are_refused_everywhere(host, verb, bad):
    host.bundle()
    more = ["-b", host.directory / "bundle1"] if verb in ("create", "run") else []
    host.refused(verb, *more, "--", bad)
    assert host.entries() == []
    assert not (host.directory / "x").exists()


@pytest.mark.parametrize("verb", ["create", "run"])
def test_a_missing_rootfs(host, verb):
    bundle = host.bundle()
    bundle.config["root"]["path"] = "nowhere"
    bundle.save()
    refused(host, bundle, "root", "nowhere", verb=verb)


def test_a_rootfs_that_is_a_file(host):
    bundle = host.bundle()
    (bundle.directory / "file").write_text("")
    bundle.config["root"]["path"] = "file"
    bundle.save()
    refused(host, bundle, "root")


def test_a_bundle_that_is_not_there(host):
    assert "nowhere" in host.refused("run", "-b", host.directory / "nowhere", host.new_id())
    empty = host.directory / "empty"
    empty.mkdir()
    assert "config.json" in host.refused("run", "-b", empty, host.new_id())
    host.assert_clean()


def test_a_missing_program_is_127(host):
    bundle = host.bundle()
    bundle.config["process"]["args"] = ["/no/such/program"]
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert done.returncode == 127 and "/no/such/program" in done.stderr
    bundle.config["process"]["args"] = ["no-such-program"]
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert done.returncode == 127 and "no-such-program" in done.stderr
    host.assert_clean()


@pytest.mark.parametrize("program, status", [
    ("/no/such/program", 127), ("no-such-program", 127), ("./tmp/none", 127), ("/plain", 126),
    ("plain", 127), ("/tmp", 126)])
def test_create_finds_a_program_that_nobody_can_execute(host, program, status):
    """As runc and crun do: podman and containerd report a create, and not a start, to their users."""
    bundle = host.bundle()
    (bundle.rootfs / "plain").write_text("hello")
    bundle.config["process"]["args"] = [program]
    bundle.save()
    done = host.knarr("create", "-b", bundle.directory, host.new_id())
    assert done.returncode == status and program.removeprefix("./") in done.stderr, done.stderr
    host.assert_clean()


def test_create_finds_a_program_below_the_working_directory_and_in_path(host):
    bundle = host.bundle("exit", "0")
    for program, cwd in (("./witness", "/"), ("../witness", "/tmp"), ("witness", "/new/dir")):
        bundle.config["process"].update(args=[program, "exit", "0"], cwd=cwd)
        bundle.save()
        container = host.new_id()
        host.ok("create", "-b", bundle.directory, container)
        host.ok("start", container)
        host.ok("delete", "--force", container)


def test_create_finds_a_working_directory_that_is_none(host):
    bundle = host.bundle()
    bundle.config["process"]["cwd"] = "/witness"
    bundle.save()
    message = host.refused("create", "-b", bundle.directory, host.new_id())
    assert "working directory /witness" in message and "Not a directory" in message
    host.assert_clean()


def test_start_reports_a_program_that_its_user_cannot_execute(host):
    bundle, container = host.bundle(), host.new_id()
    secret = bundle.rootfs / "secret"
    secret.write_text("#!/witness\n")
    secret.chmod(0o700)
    bundle.config["process"].update(args=["/secret"], user={"uid": 1000, "gid": 1000})
    bundle.save()
    host.ok("create", "-b", bundle.directory, container)
    assert "/secret" in host.refused("start", container)
    assert host.status(container) == "stopped"
    host.ok("delete", container)
    host.assert_clean()


def test_a_program_that_is_a_directory_is_126(host):
    bundle = host.bundle()
    bundle.config["process"]["args"] = ["/tmp"]
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert done.returncode == 126 and "/tmp" in done.stderr
    host.assert_clean()


def test_a_program_without_the_right_to_execute_is_126(host):
    bundle = host.bundle()
    (bundle.rootfs / "plain").write_text("hello")
    bundle.config["process"]["args"] = ["/plain"]
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert done.returncode == 126 and "/plain" in done.stderr
    host.assert_clean()


def test_a_script_without_its_interpreter_names_it(host):
    bundle = host.bundle()
    script = bundle.rootfs / "script"
    script.write_text("#!/bin/nothing-here\n")
    script.chmod(0o755)
    bundle.config["process"]["args"] = ["/script"]
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert done.returncode in (126, 127)
    assert "/bin/nothing-here" in done.stderr, done.stderr
    host.assert_clean()


def test_a_file_of_no_known_format_is_126(host):
    bundle = host.bundle()
    junk = bundle.rootfs / "junk"
    junk.write_bytes(b"\x00\x01\x02\x03" * 64)
    junk.chmod(0o755)
    bundle.config["process"]["args"] = ["/junk"]
    bundle.save()
    done = host.knarr("run", "-b", bundle.directory, host.new_id())
    assert done.returncode == 126 and "/junk" in done.stderr
    host.assert_clean()


WRONG = [
    ("ociVersion", 7), ("ociVersion", "2.0.0"), ("process", []), ("process.args", "x"),
    ("process.args", []), ("process.args", [7]), ("process.cwd", "relative"), ("process.cwd", 1),
    ("process.env", {}), ("process.terminal", "yes"), ("process.user.uid", -1),
    ("process.user.uid", 4294967296), ("process.user.uid", "0"), ("process.user.gid", 1.5),
    ("process.noNewPrivileges", 1), ("process.rlimits", [{"type": "RLIMIT_FOO", "soft": 1, "hard": 1}]),
    ("process.oomScoreAdj", 1001), ("root", None), ("root.path", 7), ("root.readonly", "no"),
    ("hostname", {}), ("mounts", {}), ("mounts", [{"type": "proc"}]),
    ("linux.namespaces", [{"type": "time-travel"}]),
    ("linux.namespaces", [{"type": "pid"}, {"type": "pid"}]),
    ("linux.resources.memory.limit", "1g"), ("linux.rootfsPropagation", "sideways"),
    ("linux.maskedPaths", "x"), ("linux.sysctl", {"kernel.hostname": 1}),
    ("hooks.prestart", [{"path": "relative"}]), ("hooks.prestart", [{"path": "/x", "timeout": 0}]),
]


@pytest.mark.parametrize("path, value", WRONG, ids=[f"{p}={v!r}"[:60] for p, v in WRONG])
def test_a_wrong_value_is_refused_with_its_json_path(host, path, value):
    bundle = host.bundle()
    *parents, last = path.split(".")
    place = bundle.config
    for name in parents:
        place = place.setdefault(name, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    bundle.save()
    refused(host, bundle, "config.json", path, verb="create")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"ociVersion":"1.2.0"} x', "\x00",
                                  '{"ociVersion":"1.2.0","ociVersion":"1.2.0"}', "[" * 100_000])
def test_a_config_that_is_no_json_object_is_refused(host, text):
    bundle = host.bundle()
    (bundle.directory / "config.json").write_text(text)
    refused(host, bundle, "config.json")


def test_a_config_beyond_its_bound_is_refused(host):
    bundle = host.bundle()
    (bundle.directory / "config.json").write_text('{"x":"' + "a" * (4 << 20) + '"}')
    refused(host, bundle, "config.json")


def test_a_config_that_is_a_fifo_does_not_hang(host):
    bundle = host.bundle()
    (bundle.directory / "config.json").unlink()
    os.mkfifo(bundle.directory / "config.json")
    refused(host, bundle, "config.json")


def test_a_terminal_without_a_console_socket_names_the_fix(host):
    bundle = host.bundle()
    bundle.config["process"]["terminal"] = True
    bundle.save()
    refused(host, bundle, "process.terminal", "--console-socket", verb="create")


def test_a_console_socket_without_a_terminal_is_refused(host):
    bundle = host.bundle()
    message = host.refused("create", "--console-socket", "/nowhere", "-b", bundle.directory, "x")
    assert "process.terminal" in message
    host.assert_clean()


@pytest.mark.parametrize("kind", ["microvm", "wasm", "host"])
def test_a_kind_of_isolation_that_is_not_built_is_an_error(host, kind):
    message = host.refused("run", "--isolation", kind, "-b", host.bundle().directory, host.new_id())
    assert kind in message and "native" in message
    host.assert_clean()


def test_a_pid_file_in_no_directory_fails_and_leaves_nothing(host):
    host.refused("create", "--pid-file", "/no/where/pid", "-b", host.bundle().directory,
                 host.new_id())
    host.assert_clean()
