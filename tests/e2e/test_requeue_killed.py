"""Control is killed while it requeues many dead letters: each is a letter or a job, never both and never neither."""

import pytest

from harness.killpoint import AFTER, BEFORE, Killpoint
from harness.rows import Rows
from harness.waiting import wait_until
from harness.webhooks import STORES

LETTERS = 300  # more than a slice
SLICE = {"postgres": 250, "embedded": 50}
PLACES = 20  # at most so many statements of a requeue at which control dies


@pytest.fixture(params=STORES)
def killable(request, make_hookline, tmp_path):
    killpoint = Killpoint(tmp_path / "killpoint")
    hookline = make_hookline(request.param, STORAGE_TYPE="jsonl", ACCEPTORS=1, **killpoint.environment()).start()
    return hookline, killpoint


class Letters:
    def __init__(self, hookline):
        self.hookline = hookline
        self.tenant = hookline.new_tenant()
        made = self.tenant.client.post("/v1/endpoints", {"url": "https://example.com/hook", "enabled": False})
        self.all = set(Rows(hookline, self.tenant).dead_letters(made.json["id"], LETTERS))

    def ids(self, table):
        return {str(row["job_id"]) for row in
                self.hookline.query(f"SELECT job_id FROM {table} WHERE tenant_id = :id", id=self.tenant.id)}

    def requeue(self):
        """Returns the status and the number of letters that the request has requeued."""
        reply = self.tenant.client.post("/v1/dlq/requeue", {})
        return reply.status, reply.json.get("requeued", 0)

    def check(self):
        """Checks each letter. Returns the number of jobs."""
        letters, jobs, beside = (self.ids(table) for table in ("dlq", "jobs", "dlq_events"))
        assert letters | jobs == self.all and not letters & jobs and beside == jobs
        return len(jobs)

    def audited(self):
        told = self.tenant.client.items("/v1/admin/audit?action=dlq.requeue")
        return sum(one["after"]["requeued"] for one in told)


def statements_of_a_requeue(hookline, killpoint):
    letters = Letters(hookline)
    killpoint.arm(1 << 30, BEFORE)
    assert letters.requeue() == (200, LETTERS)
    left = killpoint.left()
    killpoint.disarm()
    return (1 << 30) - left


@pytest.mark.unsanitized("a sanitizer's library must be loaded first")
def test_a_control_that_dies_during_a_requeue_leaves_each_letter_or_its_job(killable):
    hookline, killpoint = killable
    count = statements_of_a_requeue(hookline, killpoint)
    reached = set()
    size = SLICE[hookline.store]
    later = sorted(range(2, count + 1, max(1, count // PLACES)), key=lambda at: abs(at - count * 2 / 3))
    for at in [1, *later]:  # the first statement, then those around the end of PostgreSQL's first slice
        for side in (BEFORE, AFTER):
            letters = Letters(hookline)
            killpoint.arm(at, side)
            status, _ = letters.requeue()
            died = killpoint.disarm()
            assert died or status == 200, "only a death causes a 503"
            reached.add(letters.check())
            wait_until(lambda: letters.requeue()[0] == 200, "a control to requeue the others")
            assert letters.check() == letters.audited() == LETTERS
        if 0 in reached and reached & set(range(size, LETTERS, size)):
            return
    raise AssertionError(f"control did not die both in the first slice and after a slice's commit: {reached}")
