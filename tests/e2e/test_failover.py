"""A primary dies and its synchronous standby is promoted: no acknowledged event is lost."""

import threading

from harness.events import differences, expected, minimal, random_events
from harness.load import Load
from harness.waiting import wait_until


def test_writers_follow_the_primary_and_no_acknowledged_event_is_lost(pair, hooksd):
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


def test_a_batch_that_the_standby_lacks_is_not_acknowledged(pair, hooksd):
    """
    The primary crashes with a batch on its own disk and restarts without its standby. The repeated batch consists of
    duplicates. A transaction without changes would not wait for the standby, so hooksd must make it wait.
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
    assert pair.before.count() == 1, "recovery restores the waiting batch"
    wait_until(waiting, "the repeated commit to wait for the standby")
    assert replies == []
    pair.primary.kill()
    pair.standby.start()
    pair.standby.promote()
    sender.join()
    assert replies[0].status == 202
    assert [event["session_id"] for event in pair.after.events()] == ["waits"]
