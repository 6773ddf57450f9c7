"""hooksctl's commands for the API: refusals before any request is sent."""

import pytest

from harness.daemon import run_program

KEY = {"HL_API_KEY": "a-key-of-this-test", "HL_URL": "http://127.0.0.1:9"}


def refusal(*words, options=KEY):
    run = run_program("hooksctl", *words, options=options, cwd="/")  # make run leaves a key in the source tree
    assert run.returncode == 64, run.stdout + run.stderr
    assert "a-key-of-this-test" not in run.stdout + run.stderr
    return run.stderr


@pytest.mark.parametrize(("words", "sentence"), [
    (["endpoints"], None),
    (["endpoints", "make"], "there is no 'make' for endpoints"),
    (["endpoints", "get"], "a word is missing: id"),
    (["endpoints", "get", "a", "b"], "'b' is one word too many"),
    (["endpoints", "add", "--colour=red"], "there is no option --colour"),
    (["endpoints", "add", "--timeout-ms=soon"], "--timeout-ms takes a whole number, not 'soon'"),
    (["endpoints", "add", "--enabled=perhaps"], "--enabled takes true or false, not 'perhaps'"),
    (["endpoints", "add", "--metadata={"], "--metadata takes JSON, and '{' is none"),
    (["endpoints", "add", "--header=X-Only"], "--header takes 'Name: value'"),
    (["endpoints", "add", "--name"], "--name needs a value"),
    (["subs", "add", "--file=x", "--topic=a"], "--file holds the whole document"),
    (["subs", "add", "--file=/nothing/here"], "cannot open /nothing/here"),
])
def test_an_error_names_the_mistake_of_a_wrong_command(words, sentence):
    if sentence is None:
        assert run_program("hooksctl", *words, options=KEY).stdout.startswith("usage: hooksctl endpoints VERB")
    else:
        assert sentence in refusal(*words)


def test_an_error_names_the_variable_of_a_missing_key():
    assert "HL_API_KEY" in refusal("subs", "ls", options={})


def test_an_error_names_an_unreadable_file_of_a_key():
    assert "/nothing/here, cannot be read" in refusal("subs", "ls", options={"HL_API_KEY_FILE": "/nothing/here"})


def test_an_error_names_the_address_that_does_not_answer():
    run = run_program("hooksctl", "endpoints", "ls", options=KEY)
    assert run.returncode == 1
    assert "no answer from http://127.0.0.1:9" in run.stderr


def test_help_of_each_group_fits_80_columns():
    for group in ("endpoints", "subs", "tenants", "keys", "audit", "admin"):
        run = run_program("hooksctl", group, "--help")
        assert run.returncode == 0
        assert max(map(len, run.stdout.splitlines())) <= 80
