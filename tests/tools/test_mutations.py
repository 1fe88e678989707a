"""The list of defences that tests/attack/mutate takes out still fits the sources."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_every_mutation_fits_the_sources_as_they_are():
    done = subprocess.run([ROOT / "tests/attack/mutate", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
