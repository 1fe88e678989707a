"""--security-opt seccomp=FILE: a caller's own profile in Docker's form, in place of knarr's."""

import json
import pathlib

import pytest

import images
from background import host  # fixtures

pytestmark = pytest.mark.usefixtures("needs_root")

TRY = "mkdir /tmp/x 2>&1; sync && echo synced"
PODMANS = pathlib.Path("/usr/share/containers/seccomp.json")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return images.write_layout(tmp_path_factory.mktemp("image") / "box", [images.base_layer()])


@pytest.fixture
def profile(scratch):
    """Writes a profile that allows all but what these rules say."""
    def write(*rules, **members):
        path = scratch / "profile.json"
        path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": list(rules), **members}))
        return f"seccomp={path}"
    return write


def no_mkdir(**members):
    return {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28, "args": None, **members}


def output(host, layout, option, *options, line=TRY):
    return host.good("run", "--rm", "-q", "--security-opt", option, *options, layout, "sh", "-c", line)


def test_its_rules_count_and_no_others(host, layout, profile):
    out = output(host, layout, profile(no_mkdir()))
    assert "No space left on device" in out and "synced" in out
    # knarr's own profile refuses it; this one does not
    assert output(host, layout, profile(), line="unshare -U true && echo may").strip() == "may"


def test_rules_count_where_they_say(host, layout, profile):
    admin = profile(no_mkdir(excludes={"caps": ["CAP_SYS_ADMIN"]}))
    assert "No space" in output(host, layout, admin)
    assert "No space" not in output(host, layout, admin, "--cap-add", "SYS_ADMIN")
    assert "No space" not in output(host, layout, profile(no_mkdir(includes={"minKernel": "99.0"})))
    assert "No space" not in output(host, layout, profile(no_mkdir(includes={"arches": ["s390x"]})))
    assert "No space" in output(host, layout, profile(no_mkdir(includes={"minKernel": "3.10"})), "--privileged")


def test_the_last_of_the_options_counts(host, layout, profile):
    mine = profile(no_mkdir())
    assert "No space" not in output(host, layout, mine, "--security-opt", "seccomp=unconfined")
    assert "No space" not in output(host, layout, mine, "--security-opt", "seccomp=builtin")
    assert "No space" in output(host, layout, "seccomp=unconfined", "--security-opt", mine)


def test_exec_and_a_restart_have_it_without_the_file(host, layout, profile, scratch):
    container = host.good("run", "-d", "-q", "--security-opt", profile(no_mkdir()), layout, "sleep", "1000").strip()
    (scratch / "profile.json").unlink()
    assert "No space" in host.good("exec", container, "sh", "-c", TRY)
    host.good("restart", "-t", "0", container)
    assert "No space" in host.good("exec", container, "sh", "-c", TRY)
    host.good("rm", "-f", container)


@pytest.mark.skipif(not PODMANS.exists(), reason="podman's own profile is not installed")
def test_podmans_own_profile_works(host, layout):
    done = host.run("run", "--rm", "--security-opt", f"seccomp={PODMANS}", layout, "sh", "-c",
                    "grep Seccomp: /proc/self/status; mount -t tmpfs none /tmp || echo refused")
    assert done.returncode == 0 and "Seccomp:\t2" in done.stdout and "refused" in done.stdout and "warning" not in done.stderr, done


@pytest.mark.parametrize("text, said", [
    ("", "is empty"), ("{", "seccomp"), ("[]", "an array, not an object"), ("{}", "defaultAction: is missing"),
    ('{"defaultAction": "ALLOW"}', "none of SCMP_ACT_ALLOW"), ("\x00\xff", "seccomp"),
    ('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["bpf"], "action": 7}]}', "syscalls[0].action"),
    ('{"defaultAction": "SCMP_ACT_ERRNO"}', "execve"), (None, "No such file"),
])
def test_a_bad_one_is_refused_and_nothing_stays(host, layout, scratch, text, said):
    path = scratch / "bad.json"
    if text is not None:
        path.write_text(text)
    done = host.run("run", "-d", "--security-opt", f"seccomp={path}", layout, "true")
    assert done.returncode == 125 and said in done.stderr, done
    assert host.traces() == []


def test_more_rules_than_can_be_merged_are_refused_soon(host, layout, profile):
    """A small file that names calls and one argument again and again: each with each would take minutes."""
    args = [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in range(4000)]
    option = profile(no_mkdir(names=["getpgid"] * 4000, args=args))
    done = host.run("run", "-d", "--security-opt", option, layout, "true")
    assert done.returncode == 125 and "rules" in done.stderr, done
    assert host.traces() == []


def test_a_directory_and_a_huge_file_are_refused(host, layout, scratch):
    with open(scratch / "huge", "wb") as file:
        file.truncate(1 << 30)
    for path in (scratch, scratch / "huge"):
        done = host.run("run", "-d", "--security-opt", f"seccomp={path}", layout, "true")
        assert done.returncode == 125 and "seccomp" in done.stderr and str(path) in done.stderr, done
    assert host.traces() == []
