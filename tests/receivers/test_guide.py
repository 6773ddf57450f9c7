"""
The programs of docs/webhooks.md in languages that `make test` does not install take what the service has signed, and
nothing else.
"""

import pytest

from harness.recording_receiver import Receiver
from harness.snippets import LANGUAGES, Verifier, check_snippet


@pytest.fixture
def tenant(hookline):
    return hookline.new_tenant()


@pytest.mark.timeout(300)  # go compiles its library first
@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"python", "shell"}))
def test_the_program_accepts_signed_webhooks_and_nothing_else(language, hookline, tenant, tmp_path):
    with Receiver() as receiver:
        check_snippet(Verifier(language, tmp_path), tenant, receiver)
