"""Jobs that wait in the store of a stopped daemon, for tests that start another daemon on the store."""

from harness.daemon import run_program
from harness.deliveries import Endpoints
from harness.recording_receiver import Answer


def leave_jobs(hookline, receiver, count=3, fifo=False):
    """
    Publishes events for a receiver that fails and stops the daemon when each job has failed once. With fifo only the
    first job has failed.
    """
    receiver.answers["/in"] = Answer(500)
    tenant = hookline.new_tenant()
    Endpoints(tenant, receiver).add("/in", retry_schedule=["1s"] * 20, fifo=fifo)
    for number in range(count):
        assert tenant.client.post("/v1/events", {"topic": "orders.made", "payload": {"n": number}}).status == 201
    receiver.wait(1 if fifo else count, "/in")
    hookline.daemon.stop()
    receiver.answers["/in"] = Answer()
    receiver.arrivals.clear()
    return tenant


def deliveries(hookline):
    """The state of deliveries in /health."""
    return hookline.daemon.get("/health").json()["webhooks"]["deliveries"]


def resume(hookline):
    """Resumes deliveries by hooksctl, as an operator does."""
    run = run_program("hooksctl", "deliveries", "resume", options={
        "HL_URL": f"http://127.0.0.1:{hookline.daemon.port}", "HL_ADMIN_KEY": hookline.admin.key})
    assert (run.returncode, run.stderr) == (0, ""), run
