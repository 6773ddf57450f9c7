"""A database may have any locale: it stores and finds the same events."""

import pytest

from harness.events import differences, expected, random_events

pytestmark = pytest.mark.unsanitized("tests SQL only")

AMERICAN = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"  # 'a' < 'B' < 'c'


@pytest.fixture
def american(postgres):
    database = postgres.new_database(AMERICAN)
    yield database
    postgres.start()
    database.drop()


def test_a_database_of_another_locale_stores_the_same_events(american, hooksd):
    daemon = hooksd(american)
    (events,) = random_events(400, sessions=1, seed=7)
    assert daemon.post_batch(events).status == 202
    assert differences([expected(event) for event in events], american.events()) == []


def test_sessions_are_sorted_by_bytes_and_found_by_prefix_in_any_locale(american, hooksd):
    daemon = hooksd(american)
    sessions = ["c-1", "B-2", "a-3", "a-30", "\u00e4-4"]
    for session in sessions:
        assert daemon.post_event({"event_type": "x", "session_id": session}).status == 202
    assert american.query("SELECT session_id FROM hook_events ORDER BY session_id") == [
        (session,) for session in sorted(sessions, key=str.encode)]
    american.query(f"ALTER DATABASE {american.name} SET enable_seqscan = off")  # the table is small
    plan = american.query("EXPLAIN SELECT * FROM hook_events WHERE session_id LIKE 'a-3%'")
    assert any("Index Cond: ((session_id >= 'a-3'::text)" in line for (line,) in plan), plan
