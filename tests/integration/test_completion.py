"""Completion and manual pages as shells and man see them."""

import os
import shutil
import subprocess

import pytest

from terminals import Screen


def made(knarr_path, *words):
    return subprocess.run([knarr_path, *words], capture_output=True, text=True, check=True).stdout


def complete(knarr_path, *words):
    """What bash offers for the last word."""
    listed = " ".join(f"'{word}'" for word in words)
    script = (f"PATH={knarr_path.parent}:$PATH; source <({knarr_path} completion bash); "
              f"COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _knarr; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()


def test_bash_completes_verbs_options_and_verbs_of_verbs(knarr_path):
    assert {"restart", "resume", "restore", "recover"} <= set(complete(knarr_path, "knarr", "re"))
    assert complete(knarr_path, "knarr", "stop", "--ti") == ["--time", "--timeout"]
    assert complete(knarr_path, "knarr", "image", "prun") == ["prune"]
    assert complete(knarr_path, "knarr", "--root", "run", "sto") == ["stop"], "a value is no verb"
    assert "--root" in complete(knarr_path, "knarr", "--ro")
    assert complete(knarr_path, "knarr", "nonsense", "--x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_take_the_script(knarr_path, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    subprocess.run([shell, "-n"], input=made(knarr_path, "completion", shell), text=True, check=True)


def test_fish_completes(knarr_path):
    if shutil.which("fish") is None:
        pytest.skip("needs fish")

    def offered(line):
        script = f"set -x PATH {knarr_path.parent} $PATH; knarr completion fish | source; complete -C '{line}'"
        done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True)
        return [word.split("\t")[0] for word in done.stdout.splitlines()]
    assert {"start", "state", "stats", "stop"} <= set(offered("knarr st"))
    assert set(offered("knarr stop --ti")) == {"--time", "--timeout"}
    assert offered("knarr image prun") == ["prune"]


def test_zsh_completes(knarr_path, scratch):
    if shutil.which("zsh") is None:
        pytest.skip("needs zsh")
    (scratch / "_knarr").write_text(made(knarr_path, "completion", "zsh"))

    def completes(line, wanted):
        screen = Screen()
        try:
            screen.start(["zsh", "-f"], {**os.environ, "PATH": f"{knarr_path.parent}:{os.environ['PATH']}", "TERM": "vt100",
                                         "ZDOTDIR": str(scratch), "PS1": "> "})
            screen.type(f"fpath=({scratch} $fpath); autoload -U compinit; compinit -u -d {scratch}/dump; echo rea''dy\n".encode())
            screen.expect(b"ready\r\n")
            screen.seen = b""
            screen.type(line.encode() + b"\t")
            return wanted in screen.expect(wanted)
        finally:
            screen.close()
    assert completes("knarr image prun", b"image prune")
    assert completes("knarr shutd", b"knarr shutdown")


def test_other_shells_are_refused(knarr_path):
    refused = subprocess.run([knarr_path, "completion", "tcsh"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2 and "bash, zsh and fish" in refused.stderr


def test_manual_pages_are_made_from_the_help(knarr_path):
    page = made(knarr_path, "help", "--man", "stop")
    assert page.startswith(".TH knarr\\-stop 1") and "\\-\\-timeout" in page
    assert ".TH knarr 1" in made(knarr_path, "help", "--man")
    assert ".TH knarr\\-image\\-prune 1" in made(knarr_path, "help", "--man", "image", "prune")
    if shutil.which("groff") is None:
        pytest.skip("needs groff to look at the page")
    shown = subprocess.run(["groff", "-man", "-Tascii", "-ww"], input=page, capture_output=True, text=True, check=True)
    assert shown.stderr == "" and "the container's stop signal" in " ".join(shown.stdout.split())
