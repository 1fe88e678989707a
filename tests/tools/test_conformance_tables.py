"""The comparison with the tables of what is expected of the public suites."""

import importlib.util
import pathlib

import pytest

SUITE = pathlib.Path(__file__).resolve().parents[1] / "conformance/suite.py"
TABLE = {"known": "a wrong test", "other": "this machine"}


@pytest.fixture(scope="module")
def suite():
    spec = importlib.util.spec_from_file_location("suite", SUITE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_expected_is_no_failure(suite):
    results = {"known": "failed", "other": "timeout", "good": "clean", "lacks": "skipped"}
    assert suite.compare(TABLE, results, whole=True) == 0


def test_a_new_failure_counts(suite, capsys):
    assert suite.compare(TABLE, {"known": "failed", "other": "failed", "new": "failed"}, whole=True) == 1
    assert "not as expected: new: failed" in capsys.readouterr().out


def test_a_test_of_the_table_that_did_not_run_counts_in_the_whole_suite(suite, capsys):
    assert suite.compare(TABLE, {"known": "failed"}, whole=True) == 1
    assert "did not run, correct the table: other" in capsys.readouterr().out
    assert suite.compare(TABLE, {"known": "failed"}, whole=False) == 0


@pytest.mark.parametrize("name", ["runtime-tools", "bats-bookworm"])
def test_every_line_of_a_table_has_a_test_and_a_reason(suite, name):
    table = suite.read_expected(name)
    assert table and all(test and reason for test, reason in table.items())
