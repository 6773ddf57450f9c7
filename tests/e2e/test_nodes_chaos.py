"""
Three nodes with one PostgreSQL. Clients publish to all nodes, with and without idempotency keys, while random blows
fall, one or two at once (harness/node_chaos.py): nodes are killed, hang, stop, lose their network to PostgreSQL or the
room for their spool; processes, PostgreSQL, receivers, name servers and clocks fail; users change their endpoints.
After each lap the faults end, and the accounts must be right:

* each acknowledged event has arrived by one job, or is a dead letter; no refused event has arrived;
* only attempts under way at a blow came twice, and events of an order came in order;
* no job's row belongs to a node that is gone, and no process died by itself.

NODES_ROUNDS is the number of strikes, LAP of them a lap. The seed is printed; NODES_SEED repeats the sequence.
"""

import contextlib
import os
import random
import re
import time
from collections import Counter

import pytest

from harness.accounting import MESSAGES, identity
from harness.chaos import NameBlows, ReceiverBlows, busy
from harness.clock import WallClock
from harness.daemon import FORBIDDEN
from harness.deliveries import NAME, Endpoints, Ledger, Publishing
from harness.disk import make_disk
from harness.metrics import metrics
from harness.network import BadNetwork
from harness.node_chaos import (
    AnyProcessBlows, ClockBlows, NetworkBlows, NodeBlows, ServerBlows, SpoolBlows, Storm, UserBlows)
from harness.fleet import Fleet, FleetPublisher, Node, OrderedPublisher, UnkeyedPublisher
from harness.recording_receiver import Answer, Receiver
from harness.waiting import PATIENCE, SANITIZED, wait_until
from harness.webhooks import ApiClient

ROUNDS = int(os.environ.get("NODES_ROUNDS", "6"))
SEED = int(os.environ.get("NODES_SEED", str(random.randrange(1 << 32))))
LAP = 6
COUNT = 3
TIMEOUT = 6 * PATIENCE  # HL_NODE_TIMEOUT_SECS
IN_FLIGHT = 30  # attempts at an endpoint at once, by all nodes together
TOPICS = ("orders.made", "orders.paid", "users.made")
# /held is paused until the end of the blows. The receiver of /busy answers 429 for ever.
PATTERNS = {"/steady": "#", "/one": "#", "/two": "orders.*", "/three": "*.made", "/four": "#", "/held": "#", "/busy": "users.*",
            "/ordered": "ordered.*"}
NAMED = {"/one": "one.example", "/three": "three.example"}  # the hosts of these URLs; others have addresses
STRUCK = ("/two", "/four", "/ordered")  # blows hit the receivers of these
USUAL = {"paused": False, "enabled": True, "rate_limit_rps": 10000, "max_in_flight": IN_FLIGHT}
SCHEDULES = {"/four": "1s"}  # so short that jobs become dead letters
OPTIONS = {
    "STORAGE_TYPE": "jsonl", "ACCEPTORS": 1, "HL_ALLOW_NETWORKS": "loopback", "MAX_BODY_BYTES": "256KiB", "MAX_BATCH_EVENTS": 100,
    "HL_MAX_PAYLOAD_BYTES": "64KiB", "RING_BYTES": "48MiB", "STUCK_AFTER_SECONDS": PATIENCE, "DRAIN_TIMEOUT_SECONDS": 4 * PATIENCE,
    "STORE_TIMEOUT_MS": 1500 * PATIENCE, "HL_NODE_TIMEOUT_SECS": TIMEOUT}

# Blows after which a request may come twice: they end an attempt after the receiver has taken the event (an orderly
# stop does so if the attempt outlasts the drain), or another node adopts jobs whose outcomes were not committed.
AGAIN = ("kill_node", "kill_master", "restart_node", "change_node", "kill_courier", "stop_courier", "refuse_receiver",
         "kill_node_until_adopted", "stop_node_until_adopted", "freeze_node_until_adopted", "stall_network_until_adopted",
         "freeze_courier_until_adopted", "freeze_courier")
SILENCING = ("kill_node_until_adopted", "freeze_node_until_adopted", "stall_network_until_adopted", "freeze_courier_until_adopted")
# During these, and LAG seconds before, outcomes of attempts may not be stored.
OUTAGES = ("stall_network", "slow_network", "cut_stalled_network", "stall_network_until_adopted", "fill_disk", "freeze_database", "hang_database",
           "leave_database", "crash_database", "restart_database", "lock_tables")
LAG = 3 * PATIENCE
SILENT = "a node is silent: this node takes over its jobs"
# {blow: a line that the logs must have after three blows of the kind}.
TRACES = {
    "kill_courier": "process died", "stop_courier": "process is stuck: killing it",
    "kill_node_until_adopted": SILENT,
    "freeze_node_until_adopted": "another node has taken this node's row in delivery_nodes: this node gets a new row",
}
LINE = re.compile(r"^\S+ (warning|error) \w[\w-]*\[\d+\] (.*?)(?: \w+=.*)?$", re.MULTILINE)
SELF_INFLICTED = re.compile(r"process died .* signal=(?:4|6|7|8|11) .*")


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def names(tmp_path):
    """The name servers. None with a sanitizer, whose library must be preloaded first."""
    if SANITIZED:
        yield None
        return
    with Receiver() as stranger:
        stranger.answers = dict.fromkeys(PATTERNS, Answer(404))
        blows = NameBlows(tmp_path, list(NAMED.values()), stranger)
        blows.stranger = stranger
        yield blows


@pytest.fixture
def nodes(make_hookline, tmp_path, postgres, names):
    made = []
    with contextlib.ExitStack() as stack:
        for number in range(COUNT):
            shared, database = {}, None
            if made:
                first = made[0].hookline
                database = first.database
                shared = {name: first.daemon.options[name] for name in ("HL_MASTER_KEY", "HL_ADMIN_KEY", "HL_API_KEY")}
            disk = make_disk(tmp_path / f"disk-{number}")
            stack.callback(disk.remove)
            network = stack.enter_context(BadNetwork(postgres.port))
            clock = WallClock(tmp_path / f"clock-{number}") if names else None
            patient = number == COUNT - 1
            stuck = {"STUCK_AFTER_SECONDS": 10 * TIMEOUT} if patient else {}
            options = OPTIONS | shared | preloaded(names, clock) | stuck | {"DATA_DIR": disk.path / "data"}
            hookline = make_hookline("postgres", database, **options)
            stack.callback(hookline.daemon.clean_up)
            hookline.daemon.options["HL_POSTGRES_URL"] = network.through(hookline.database.url, postgres.port)
            made.append(Node(hookline.start(), network, disk, clock, patient))
        nodes = Fleet(made, TIMEOUT)
        nodes.wait_well()
        yield nodes
        postgres.start()


def preloaded(names, clock):
    if not names:
        return {}
    one, other = names.names.environment(), clock.environment()
    return one | other | {"LD_PRELOAD": f"{one['LD_PRELOAD']}:{other['LD_PRELOAD']}"}


def since(begin, blows):
    """Outcomes of attempts from this time on may not have been stored when a blow began at `begin`."""
    return min([begin] + [blow.begin for blow in blows if blow.name in OUTAGES and blow.begin < begin < blow.end + LAG]) - LAG


class Lap:
    """A tenant with endpoints, clients and accounts for one lap."""

    def __init__(self, nodes, receiver, users, number):
        self.nodes = nodes
        self.hookline = nodes.all[0].hookline
        self.tenant = self.hookline.new_tenant()
        self.endpoints = users.endpoints = Endpoints(self.tenant, receiver)
        receiver.arrivals.clear()
        # Attempts take a while, and one event in twenty is refused for good. The endpoints of NAMED close their
        # connections, so that each attempt looks up its name.
        receiver.answers = {
            "/busy": busy(1), "/steady": lambda arrival: Answer(422 if arrival.job[-6:-4] < "0d" else 200, delay=0.1),
            "/one": Answer(200, close=True), "/three": Answer(200, close=True)}
        for path, pattern in PATTERNS.items():
            host = receiver.host if SANITIZED else NAMED.get(path, receiver.host)
            self.endpoints.add(path, pattern, url=f"http://{host}:{receiver.port}{path}", timeout_ms=5000,
                               retry_schedule=SCHEDULES.get(path, "1s,1s,2s,2s,3s,3s,4s,4s,5s,5s"), fifo=path == "/ordered",
                               **USUAL | {"paused": path == "/held"})
        keyed = [FleetPublisher(nodes, self.tenant, 100 * number + n, TOPICS, batch=1 + 2 * (n % 2), pause=0.05) for n in range(3)]
        self.unkeyed = [UnkeyedPublisher(nodes, self.tenant, 100 * number + 10 + n, TOPICS, batch=1 + 2 * (n % 2), pause=0.05)
                        for n in range(2)]
        self.ordered = [OrderedPublisher(nodes, self.tenant, 100 * number + 20 + n, ["ordered.made"], pause=0.1) for n in range(2)]
        self.publishers = keyed + self.unkeyed + self.ordered
        for node in nodes.all:
            wait_until(lambda: ApiClient(node.hookline, self.tenant.client.key).get("/v1/events").status == 200, "the tenant's key")

    def wait_delivered(self):
        resumed = self.tenant.client.patch(f"/v1/endpoints/{self.endpoints.ids['/held']}", {"paused": False})
        assert resumed.status in (200, 202), resumed
        self.ledger = Ledger(self.hookline, self.endpoints, self.publishers, never=("/busy",))
        self.ledger.wait_delivered(240)  # a wrong address is cached for a minute, and may have opened a breaker

    def account(self, blows, silent):
        """silent: the number of adoptions."""
        self.ledger.check(self.check_again(blows, silent))
        self.ledger.check_rows()
        refused = {name for publisher in self.unkeyed for name in publisher.refused}
        stored = {row["n"] for row in self.hookline.query("SELECT payload->>'n' AS n FROM events WHERE tenant_id = :id", id=self.tenant.id)}
        assert not refused & stored

    def check_again(self, blows, silent):
        """
        Each repeated request was under way at a blow of AGAIN, or its outcome was not stored then. Returns the number
        of requests that may be repeated.
        """
        spans = [(blow.name, since(blow.begin, blows), blow.end + 1) for blow in blows if blow.name in AGAIN]
        firsts, causes, could = {}, Counter(), 0
        for arrival in self.endpoints.receiver.arrivals:
            if not arrival.answer.delivers:
                continue
            could += any(begin <= arrival.at <= end for _, begin, end in spans)
            first = firsts.setdefault(arrival.job, arrival)
            if first is not arrival:
                causes[" + ".join(name for name, begin, end in spans if begin <= (first.ended or first.at) and first.at <= end)] += 1
        # On a very slow machine a node may be adopted without a blow, at an unknown time.
        besides = silent - sum(blow.name in SILENCING and blow.effect == "adopted" for blow in blows)
        print(f"came again at: {dict(causes)}; {besides} nodes were silent besides")
        assert not causes[""] or besides > 0, "these were repeated without a cause"
        return could + causes[""]

    def check_order(self):
        """
        Each client's events arrive in order: an event comes after its predecessor was accepted or has died. Earlier
        events may come again.
        """
        dead = {name for path, name in self.ledger.dead() if path == "/ordered"}
        again = 0
        for publisher in self.ordered:
            names = [name for name in publisher.in_order if name not in dead]
            places, taken = {name: place for place, name in enumerate(names)}, 0
            for arrival in self.endpoints.receiver.at("/ordered"):
                place = places.get(NAME.search(arrival.body)[1].decode())
                if place is None:
                    continue
                assert place <= taken, f"{names[place]} came before {names[taken]} was taken"
                again += place < taken
                taken += place == taken and arrival.answer.delivers
        print(f"{sum(len(publisher.in_order) for publisher in self.ordered)} events in order, {again} of them came again")

    def check_owners(self):
        """Waiting jobs belong to living nodes."""
        owners = {row["node_id"] for row in self.hookline.query("SELECT DISTINCT node_id FROM jobs")}
        assert owners <= {row["node_id"] for row in self.nodes.rows()}

    def attempts(self):
        """The number of attempts by outcome."""
        rows = self.hookline.query("SELECT coalesce('HTTP ' || http_status, regexp_replace(error, '[0-9]+', 'N', 'g')) AS what,"
                                   " count(*) AS n FROM attempts WHERE tenant_id = :id GROUP BY 1", id=self.tenant.id)
        return {row["what"]: row["n"] for row in rows}

    def clocks(self):
        """The differences between the signing clocks and the real one."""
        real = time.time() - time.monotonic()
        return {round(int(arrival.header("x-hl-timestamp")) / 1000 - real - arrival.at, -1)
                for arrival in self.endpoints.receiver.arrivals}

    def end(self):
        """Deletes the tenant, and with it the jobs of /busy."""
        assert self.hookline.admin.delete(f"/v1/tenants/{self.tenant.id}").status in (202, 204)
        wait_until(lambda: not self.hookline.query("SELECT 1 FROM jobs WHERE tenant_id = :id LIMIT 1", id=self.tenant.id),
                   "its jobs to be removed", 60)


def settled(node):
    numbers = metrics(node.daemon)
    received, found, _ = identity(numbers, MESSAGES)
    return received == found and numbers["ring_messages"] == numbers["spool_messages"] == 0


def check_logs(nodes):
    """The number of warnings and errors by text."""
    found = Counter()
    for node in nodes.all:
        log = node.daemon.whole_log()
        for pattern in (FORBIDDEN, SELF_INFLICTED):
            assert not pattern.search(log), pattern.search(log).group()
        found.update(text for _, text in LINE.findall(log))
    return found


class Evidence:
    """The effects of the blows."""

    def __init__(self):
        self.acks = Counter()
        self.attempts = Counter()
        self.clocks = Counter()

    def add(self, lap):
        self.acks += sum((publisher.acks for publisher in lap.publishers), Counter())
        self.attempts.update(lap.attempts())
        self.clocks.update(lap.clocks())

    def tell(self, blows, logged, late, names):
        effects = Counter((blow.name, blow.effect) for blow in blows if blow.effect is not None)
        for title, found in (("blows", Counter(blow.name for blow in blows)), ("effects", effects), ("publishes", self.acks),
                             ("attempts", self.attempts), ("clocks", self.clocks), ("logged", logged)):
            print(f"{title}: {dict(sorted(found.items(), key=str))}")
        if names:
            print(f"{len(names.names.said('lookup'))} names were looked up, {len(names.stranger.arrivals)} requests came to a stranger")
        print(f"requests that came while nothing was to be sent, seconds after a second after the reply: {late}")

    def judge(self, blows, logged):
        """Blows that came three times or more must have had an effect."""
        often = {name for name, count in Counter(blow.name for blow in blows).items() if count >= 3}
        assert {name for name in often & TRACES.keys() if not logged[TRACES[name]]} == set()
        assert self.acks["spooled"] or not often & {"leave_database", "hang_database"}
        assert self.acks[503] or "fill_disk" not in often
        assert len(self.clocks) > 1 or "step_clock" not in often


@pytest.mark.plain_postgres("nodes share a server of the test")
@pytest.mark.wanted_by("SLOW_TESTS")
# A receiver that begins to refuse may leave an unaccepted socket.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(PATIENCE * (300 + 60 * ROUNDS))
def test_three_nodes_lose_no_event_under_random_blows(nodes, receiver, names):
    print(f"\nNODES_SEED={SEED} NODES_ROUNDS={ROUNDS}")
    users = UserBlows(nodes, [path for path in PATTERNS if path not in ("/held", "/busy")], USUAL)
    groups = [NodeBlows(nodes), AnyProcessBlows(nodes), NetworkBlows(nodes), SpoolBlows(nodes), ServerBlows(nodes), users,
              ReceiverBlows(receiver, STRUCK), *([names, ClockBlows(nodes)] if names else [])]
    storm = Storm(nodes, groups, SEED)
    evidence, logged = Evidence(), Counter()
    for number in range((ROUNDS + LAP - 1) // LAP):
        lap, before = Lap(nodes, receiver, users, number), logged
        with Publishing(lap.publishers) as publishing:
            publishing.wait_more(30)
            blows = storm.lap(min(LAP, ROUNDS - number * LAP))
            publishing.wait_more(30, 60)
        print(f"lap {number}: " + ", ".join(f"{blow.name} {blow.end - blow.begin:.1f} s" for blow in blows))
        nodes.wait_well()
        lap.wait_delivered()
        logged = check_logs(nodes)
        lap.account(blows, logged[SILENT] - before[SILENT])
        lap.check_order()
        lap.check_owners()
        for node in nodes.all:
            wait_until(lambda: settled(node), "the books of published events to balance", 60)
        evidence.add(lap)
        lap.end()
    evidence.tell(storm.blows, logged, users.late, names)
    evidence.judge(storm.blows, logged)
    assert sum(map(len, users.late)) <= IN_FLIGHT, "a hanging node may have begun some attempts before the pause"
