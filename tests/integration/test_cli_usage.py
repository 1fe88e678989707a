"""What the command line itself promises: help, errors, exit statuses, the log, JSON."""

import json
import re
import subprocess

import pytest


@pytest.fixture
def knarr(knarr_path, scratch):
    def run(*words, env=None):
        return subprocess.run(
            [str(knarr_path), "--root", str(scratch / "run"), "--data-root", str(scratch / "data"),
             *words],
            capture_output=True, text=True, timeout=30, check=False, env=env)
    return run


VERBS = ["run", "exec", "plan", "create", "start", "state", "kill", "delete", "pause", "resume",
         "update", "ps", "attach", "cp", "diff", "top", "port", "events", "checkpoint", "restore", "list",
         "pull", "images", "rmi", "image",
         "container", "spec", "features", "info", "version", "help"]


def test_version_has_the_lines_that_runcs_callers_read(knarr):
    lines = knarr("--version").stdout.splitlines()
    assert re.fullmatch(r"knarr version \d+\.\d+\.\d+", lines[0])
    assert lines[1].startswith("commit: ")
    assert lines[2] == "spec: 1.3.0"
    assert knarr("version").stdout.splitlines() == lines
    assert json.loads(knarr("version", "--json").stdout)["runtime_spec"] == "1.3.0"


def test_help_lists_every_verb(knarr):
    text = knarr("--help").stdout
    for verb in VERBS:
        assert re.search(rf"^  {verb}\b", text, re.M), verb
    assert knarr("help").stdout == text == knarr("-h").stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_usage_options_and_an_example(knarr, verb):
    result = knarr(verb, "--help")
    assert result.returncode == 0 and result.stderr == ""
    for part in ("usage: knarr " + verb, "\noptions:\n", "\nexample:\n  knarr "):
        assert part in result.stdout
    assert knarr("help", verb).stdout == result.stdout


@pytest.mark.parametrize("words, hint", [
    (["vresion"], "did you mean version?"),
    (["list", "--formta=json"], "did you mean --format?"),
    (["image", "inspet", "x"], "did you mean inspect?"),
    (["--rot", "/x", "list"], "did you mean --root?"),
])
def test_a_typing_error_gets_the_nearest_word(knarr, words, hint):
    result = knarr(*words)
    assert result.returncode == 2
    assert result.stdout == ""
    error, second = result.stderr.splitlines()
    assert error.startswith("knarr") and ": unknown " in error
    assert second == f"hint: {hint}"


def test_help_of_an_unknown_verb_is_refused_in_runcs_words(knarr):
    for words in (["strt", "-h"], ["help", "strt"], ["container", "strt", "--help"]):
        result = knarr(*words)
        assert result.returncode == 2
        assert "No help topic for 'strt': unknown verb" in result.stderr, words
        assert "did you mean start?" in result.stderr


@pytest.mark.parametrize("words", [
    [], ["state"], ["state", "a", "b"], ["kill"], ["kill", "a", "TERM", "x"],
    ["kill", "a", "NOSUCH"], ["delete"], ["list", "x"], ["list", "--format", "yaml"],
    ["--log-format", "xml", "list"], ["--cgroup-manager", "magic", "list"],
    ["--systemd-cgroup", "--cgroup-manager", "cgroupfs", "list"],
    ["--rootless", "maybe", "list"], ["--policy", "lax", "list"], ["images", "--format", "x"],
    ["state", "../x"], ["delete", "a/b"], ["create", "--preserve-fds", "-1", "x"],
    ["create", "--bundle", "/x"], ["run", "--bundle", "/x", "--quiet", "x"], ["list", "-z"], ["image"], ["image", "nothing"], ["rmi"], ["pull"],
])
def test_wrong_usage_is_status_2_and_says_why(knarr, words):
    result = knarr(*words)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("knarr")
    assert "hint: " in result.stderr


@pytest.mark.parametrize("words", [
    ["run"], ["run", "--nosuch", "x"], ["create"], ["create", "--nosuch", "x"],
    ["create", "--restart"], ["create", "--memory", "much", "x"],
])
def test_wrong_usage_of_run_and_create_is_status_125_as_dockers(knarr, words):
    result = knarr(*words)
    assert result.returncode == 125, result.stderr
    assert result.stdout == ""
    assert "hint: " in result.stderr


@pytest.mark.parametrize("words", [
    ["network", "create", "x"], ["commit", "web"], ["build", "."], ["search", "x.org"],
    ["container", "commit", "web"], ["image", "build", "."],
])
def test_what_is_not_built_is_a_typed_error(knarr, words):
    result = knarr(*words)
    assert result.returncode == 5
    assert "not built yet" in result.stderr
    assert "hint: " in result.stderr


def test_the_hint_for_wrong_usage_names_the_verbs_own_help(knarr):
    assert knarr("state").stderr.endswith("hint: see knarr state --help\n")
    assert knarr("image", "inspect").stderr.endswith("hint: see knarr image inspect --help\n")


def test_errors_are_json_where_json_is_asked_for(knarr):
    error = json.loads(knarr("list", "--json", "--nothing").stderr)["error"]
    assert error["code"] == "invalid_argument"
    assert error["category"] == "usage"
    assert error["retryable"] is False
    assert "--nothing" in error["message"]
    assert set(error) == {"code", "category", "message", "hint", "retryable"}


def test_the_log_gets_a_record_that_runcs_callers_can_read(knarr, scratch):
    log = scratch / "log.json"
    result = knarr("--log", str(log), "--log-format", "json", "state", "nobody")
    assert result.returncode == 1
    assert "nobody" in result.stderr
    record = json.loads(log.read_text())
    assert record["level"] == "error"
    assert "nobody" in record["msg"]
    assert "knarr ps -a" in record["msg"], "whoever calls us shows this text alone: the fix is in it"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", record["time"])
    knarr("--log", str(log), "--log-format=text", "state", "nobody")
    assert re.fullmatch(r'time="[^"]+" level=error msg=".*nobody.*"',
                        log.read_text().splitlines()[1])


def test_a_log_that_cannot_be_written_is_an_error_before_anything_is_done(knarr, scratch):
    result = knarr("--log", str(scratch / "none" / "log"), "list")
    assert result.returncode != 0
    assert "--log" in result.stderr
    assert not (scratch / "run").exists()


def test_the_environment_names_the_roots(knarr_path, scratch):
    root = scratch / "from-env"
    subprocess.run([str(knarr_path), "list"], check=True, capture_output=True,
                   env={"KNARR_ROOT": str(root), "PATH": "/bin"})
    assert root.is_dir()
    assert root.stat().st_mode & 0o777 == 0o700


def test_hostile_words_cannot_steer_the_terminal(knarr):
    result = knarr("state", "\x1b[2Jx")
    assert "\x1b" not in result.stderr
    assert "\\x1b" in result.stderr


def test_info_gives_a_reason_for_what_is_missing(knarr):
    info = json.loads(knarr("info", "--json").stdout)
    assert info["os"] == "linux"
    assert set(info["isolation"]) == {"native", "microvm", "wasm", "host"}
    for group in (info["isolation"], info["features"]):
        for name, feature in group.items():
            assert feature["available"] or feature["reason"], name
    assert info["cgroup"]["layout"] in ("none", "v1", "hybrid", "v2")


@pytest.mark.parametrize("words, manager", [
    ([], "cgroupfs"), (["--systemd-cgroup"], "systemd"), (["--cgroup-manager", "disabled"], "disabled")])
def test_info_names_the_cgroup_manager(knarr, words, manager):
    assert json.loads(knarr(*words, "info", "--json").stdout)["cgroup"]["manager"] == manager


@pytest.mark.parametrize("alias, verb", [("rm", "delete"), ("ls", "list"), ("unpause", "resume")])
def test_aliases_are_the_verbs(knarr, alias, verb):
    assert knarr(alias, "--help").stdout == knarr(verb, "--help").stdout


def test_container_verbs_are_the_verbs(knarr):
    assert knarr("container", "start", "--help").stdout.split("\n", 1)[1] == knarr("start", "--help").stdout.split("\n", 1)[1]
    assert knarr("container", "list", "--json").stdout == knarr("ps", "--json").stdout == "[]\n"
