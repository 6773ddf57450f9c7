"""CI repeats a test that fails beside others alone. Only if it fails again has it failed."""

import os
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
TESTS = """
import pathlib
import pytest

MARK = pathlib.Path(__file__).with_name("mark")

def test_well():
    pass

@pytest.mark.parametrize("name", ["a b", "c"])
def test_late(name):
    mark = MARK.with_name(name)
    late = not mark.exists()
    mark.touch()
    assert not late, "too - late"
"""
BROKEN = """
def test_broken():
    assert False
"""


@pytest.fixture
def run(tmp_path):
    """run(text) runs .ci/e2e on tests of that text. It returns the exit code, the output, and the counts of .ci/run."""
    def of(text):
        (tmp_path / "test_it.py").write_text(text)
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        ran = subprocess.run([TOP / ".ci/e2e", "2", tmp_path], capture_output=True, text=True,
                             env=env | {"HOOKS_BUILD_DIR": str(tmp_path)})
        output = tmp_path / "output"
        output.write_text(ran.stdout)
        script = f"eval \"$(sed -n '/^count()/,/^}}/p' {TOP}/.ci/run)\" && count {output}"
        counted = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
        return ran.returncode, ran.stdout, counted.strip()
    return of


def test_a_test_that_fails_only_beside_others_is_named_and_passes(run):
    code, output, counted = run(TESTS)
    assert code == 0 and counted == "3 0", output
    named = output.split("unsteady, passed when alone:\n")[1].splitlines()
    assert [name.split("::")[1] for name in named] == ["test_late[a b]", "test_late[c]"]


def test_a_test_that_fails_again_alone_has_failed(run):
    code, output, counted = run(TESTS + BROKEN)
    assert code != 0 and counted == "3 1", output
