"""The script that completes hooksctl's commands in bash and zsh."""

import subprocess

import pytest

from harness.daemon import BUILD_DIR, run_program

# Prints the words that bash offers when Tab is pressed after these words.
BASH = """
source <({hooksctl} completion bash)
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()
_hooksctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
autoload -Uz compinit && compinit -D -u
source <({hooksctl} completion zsh)
print ${{_comps[hooksctl]}}
"""


def offered(words):
    script = BASH.format(hooksctl=BUILD_DIR / "hooksctl", words=words)
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout.split()


def test_commands_are_completed():
    assert {"status", "migrate", "endpoints", "subs", "tenants", "keys", "audit", "completion"} <= set(offered("hooksctl ''"))
    assert offered("hooksctl end") == ["endpoints"]


@pytest.mark.parametrize(("words", "expected"), [
    ("hooksctl endpoints rot", ["rotate-secret"]),
    ("hooksctl deadletter re", ["retry"]),
    ("hooksctl store mi", ["migrate"]),
    ("hooksctl export --sin", ["--since="]),
    ("hooksctl completion ''", ["bash", "zsh"]),
    ("hooksctl endpoints add --retry", ["--retry-schedule="]),
    ("hooksctl endpoints create --fif", ["--fifo"]),
    ("hooksctl subs ls --endp", ["--endpoint="]),
    ("hooksctl tenants get --retry", []),
    ("hooksctl status --ring-p", ["--ring-path="]),
])
def test_verbs_and_options_are_completed(words, expected):
    assert offered(words) == expected


def test_zsh_accepts_the_script():
    script = ZSH.format(hooksctl=BUILD_DIR / "hooksctl")
    run = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    assert "_hooksctl" in run.stdout, run.stdout + run.stderr


def test_an_unknown_shell_is_wrong_usage():
    for words in ([], ["fish"], ["bash", "zsh"]):
        assert run_program("hooksctl", "completion", *words).returncode == 64
