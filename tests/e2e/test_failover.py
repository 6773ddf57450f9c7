"""A primary with a synchronous standby: the primary dies, the standby is promoted, nothing acknowledged is lost."""

import threading

from harness.events import differences, expected, minimal, random_events
from harness.load import Load
from harness.waiting import wait_until


def test_writers_follow_the_primary_and_nothing_acknowledged_is_lost(pair, hooksd):
    daemon = hooksd(DATABASE_URL=pair.url, WRITERS=2)
    load = Load(daemon, random_events(6000, sessions=6, seed=31), batch=20)
    with load:
        load.wait_acknowledged(1500)
        pair.primary.kill()
        daemon.wait_for_log("the store is unavailable")
        acknowledged = load.acknowledged
        assert 1500 <= acknowledged < 6000
        pair.standby.promote()
        load.wait_acknowledged(acknowledged + 1500)
    daemon.wait_spool_empty()
    assert differences([expected(event) for event in load.events()], pair.after.events()) == []
    assert daemon.get("/health").json()["status"] == "healthy"
    assert "not-a-real-secret" not in daemon.whole_log()


def test_what_a_crash_kept_from_the_standby_is_not_acknowledged(pair, hooksd):
    """
    The primary has a batch on its own disk when it crashes, and comes back without its standby. Sent again the batch
    consists of duplicates, and a transaction that changes nothing waits for no standby.
    """
    daemon = hooksd(DATABASE_URL=pair.url, WRITERS=1, SPOOL_AFTER_MS=3600000)
    pair.standby.stop()
    replies = []
    sender = threading.Thread(target=lambda: replies.append(daemon.post_event(minimal(session_id="waits"))))
    sender.start()

    def waiting():
        return replies or pair.before.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")

    wait_until(waiting, "the commit to wait for the standby")
    assert replies == []
    pair.primary.kill()
    pair.primary.start()
    assert pair.before.count() == 1, "recovery brings back what waited"
    wait_until(waiting, "the repeated commit to wait for the standby")
    assert replies == []
    pair.primary.kill()
    pair.standby.start()
    pair.standby.promote()
    sender.join()
    assert replies[0].status == 202
    assert [event["session_id"] for event in pair.after.events()] == ["waits"]
