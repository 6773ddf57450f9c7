"""Chaos over nodes: blows that hit one node, one node's network, or PostgreSQL, and changes that users make."""

import http.client
import signal
import time
from collections import Counter, namedtuple
from concurrent.futures import wait
from contextlib import suppress
from random import Random

import psycopg

from harness.chaos import STOPPED, THREADS, DatabaseBlows, ProcessBlows
from harness.daemon import stopped
from harness.waiting import PATIENCE, wait_until

Blow = namedtuple("Blow", "name begin end effect")  # begin, end: time.monotonic(). effect may be None
ROLES = ("acceptor", "publisher", "courier", "control")
CHANGES = {"ACCEPTORS": [1, 2], "HL_PUBLISHERS": [1, 2], "HL_COURIERS": [1, 2, 3]}


def until_adopted(nodes, node):
    """Waits until another node has adopted this one, or gives up: no node adopts during an outage of PostgreSQL."""
    deadline = time.monotonic() + 10 * nodes.timeout
    while time.monotonic() < deadline:
        if node.is_adopted():
            return "adopted"
        time.sleep(0.1)  # each check opens a connection
    return "not adopted"


class NodeBlows:
    """Ends, restarts or stops a whole node, or two at once."""

    several = True

    def __init__(self, nodes):
        self.nodes = nodes
        self.long = [self.kill_node_until_adopted, self.freeze_node_until_adopted, self.stop_node_until_adopted,
                     self.freeze_courier_until_adopted]
        self.blows = [self.kill_node, self.kill_master, self.restart_node, self.change_node, self.freeze_node, self.hang_up,
                      *self.long]

    def kill_node(self, rng):
        with self.nodes.one(rng) as node:
            node.daemon.kill()
            node.daemon.start(store_ready=False)

    def kill_node_until_adopted(self, rng):
        with self.nodes.one(rng) as node:
            node.daemon.kill()
            effect = until_adopted(self.nodes, node)
            node.daemon.start(store_ready=False)
            return effect

    def kill_master(self, rng):
        with self.nodes.one(rng) as node:
            node.daemon.signal(signal.SIGKILL)
            node.daemon.wait_exit(-signal.SIGKILL)
            node.daemon.start(store_ready=False)

    def restart_node(self, rng):
        with self.nodes.one(rng) as node:
            node.daemon.stop(STOPPED)
            node.daemon.start(store_ready=False)

    def change_node(self, rng):
        with self.nodes.one(rng) as node:
            node.daemon.stop(STOPPED)
            name = rng.choice(sorted(CHANGES))
            node.daemon.options[name] = rng.choice(CHANGES[name])
            node.daemon.start(store_ready=False)

    def stop_node_until_adopted(self, rng):
        with self.nodes.one(rng) as node:
            node.daemon.stop(STOPPED)
            effect = until_adopted(self.nodes, node)
            node.daemon.start(store_ready=False)
            return effect

    def freeze_node(self, rng):
        with self.nodes.one(rng) as node, node.frozen():
            time.sleep(rng.uniform(0.1, 2))

    def freeze_node_until_adopted(self, rng):
        with self.nodes.one(rng) as node, node.frozen():
            return until_adopted(self.nodes, node)

    def freeze_courier_until_adopted(self, rng):
        """Stops courier 0, which keeps its node's row alive; the other processes go on."""
        node = self.nodes.patient()
        with node.whole:
            pids = node.daemon.pids("courier")
            if not pids:
                return "no courier"
            with stopped(pids[0]):
                return until_adopted(self.nodes, node)

    def hang_up(self, rng):
        with self.nodes.one(rng) as node:
            node.daemon.signal(signal.SIGHUP)


class AnyProcessBlows:
    """
    Kills or stops one process of any node, also while another blow hits the node's tree. The master replaces a stopped
    process. On a patient node it does not: there the process goes on where it stood.
    """

    def __init__(self, nodes):
        self.nodes = nodes
        groups = [ProcessBlows(node.daemon, ROLES) for node in nodes.all if not node.patient]
        self.blows = [self._blow([group.blows[number] for group in groups]) for number in range(len(groups[0].blows))]
        self.blows += [self.freeze_courier, self.freeze_publisher, self.freeze_control]

    def _freeze(self, rng, role):
        node = self.nodes.patient()
        with node.whole:
            pids = node.daemon.pids(role)
            if not pids:
                return f"no {role}"
            with stopped(rng.choice(pids)):
                time.sleep(rng.uniform(0.1, 1.3 * self.nodes.timeout))

    def freeze_courier(self, rng):
        return self._freeze(rng, "courier")

    def freeze_publisher(self, rng):
        return self._freeze(rng, "publisher")

    def freeze_control(self, rng):
        return self._freeze(rng, "control")

    @staticmethod
    def _blow(choices):
        def blow(rng):
            rng.choice(choices)(rng)

        blow.__name__ = choices[0].__name__
        return blow


class NetworkBlows:
    """Faults of one node's network to PostgreSQL."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.long = [self.stall_network_until_adopted]
        self.blows = [self.cut_network, self.stall_network, self.slow_network, self.cut_stalled_network, *self.long]

    def _network(self, rng):
        return rng.choice(self.nodes.all).network

    def cut_network(self, rng):
        return self._cut(self._network(rng))

    def _cut(self, network):
        cut = len(network.connections) > 0
        network.cut()
        return "cut" if cut else "nothing to cut"

    def stall_network(self, rng):
        network = self._network(rng)
        network.stall()
        try:
            time.sleep(rng.uniform(0.1, 3))
        finally:
            network.flow()

    def stall_network_until_adopted(self, rng):
        """
        The stalled bytes arrive after the adoption: a late COMMIT of a node whose jobs belong to another node by then.
        """
        with self.nodes.one(rng) as node:
            node.network.stall()
            try:
                return until_adopted(self.nodes, node)
            finally:
                node.network.flow()

    def slow_network(self, rng):
        network = self._network(rng)
        network.slow = True
        try:
            time.sleep(rng.uniform(0.1, 2))
        finally:
            network.slow = False

    def cut_stalled_network(self, rng):
        network = self._network(rng)
        network.stall()
        try:
            time.sleep(rng.uniform(0, 0.5))
            return self._cut(network)
        finally:
            network.flow()


class SpoolBlows:
    """Takes one node's network and the room for its spool."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.blows = [self.fill_disk]

    def fill_disk(self, rng):
        with self.nodes.one(rng) as node:
            node.network.stall()
            try:
                node.disk.fill(node.daemon)
                time.sleep(rng.uniform(1, 4))
            finally:
                node.disk.free()
                node.network.flow()


class ServerBlows:
    """Outages of PostgreSQL, also longer than a node may be silent."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.database = nodes.database
        short = DatabaseBlows(nodes.database, None)
        self.blows = [short.crash_database, short.restart_database, short.freeze_database, self.leave_database,
                      self.hang_database, self.lock_tables]

    def leave_database(self, rng):
        self.database.server.stop(rng.choice([signal.SIGINT, signal.SIGQUIT]))
        try:
            self._outlast(rng)
        finally:
            self.database.server.start()

    def hang_database(self, rng):
        self.database.server.freeze()
        try:
            self._outlast(rng)
        finally:
            self.database.server.thaw()

    def _outlast(self, rng):
        time.sleep(self.nodes.timeout * rng.uniform(1.1, 1.5))

    def lock_tables(self, rng):
        """Another session holds a table's lock, sometimes for longer than a node may be silent."""
        table = rng.choice(["jobs", "attempts", "events", "delivery_nodes", "endpoints"])
        with self.database.server.connect(self.database.name) as connection, connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '5s'")
            with suppress(psycopg.errors.LockNotAvailable):
                connection.execute(f"LOCK TABLE {table}")
                time.sleep(rng.uniform(0.1, 1.3 * self.nodes.timeout))
                return table
        return f"{table} not locked"


class ClockBlows:
    """Sets the clock of one node's machine. The clock stays so until the next step."""

    STEPS = (-3600, -90, 0, 90, 7200)  # seconds; with days idempotency keys would expire

    def __init__(self, nodes):
        self.nodes = nodes
        self.blows = [self.step_clock]

    def step_clock(self, rng):
        step = rng.choice(self.STEPS)
        rng.choice(self.nodes.all).clock.set(step)
        return step


class UserBlows:
    """Changes that users make to their endpoints, and an administrator to a tenant, through any node."""

    def __init__(self, nodes, paths, usual):
        """paths: the paths of the endpoints to change. usual: the values of their fields outside of a blow."""
        self.nodes = nodes
        self.paths = paths
        self.usual = usual
        self.endpoints = None  # the endpoints of the current lap
        self.late = []  # for each pause that was broken: seconds from its start to each late request
        self.blows = [self.pause_endpoint, self.disable_endpoint, self.throttle_endpoint, self.narrow_endpoint, self.pause_tenant]

    def _ask(self, rng, key, method, path, body):
        """Repeats the request until a node has done it: 200, or 202 if some node has not confirmed the change."""
        def status():
            with suppress(OSError, http.client.HTTPException):
                reply = self.nodes.client(rng, key).request(method, path, body)
                assert reply.status in (200, 202, 503), reply
                return reply.status if reply.status != 503 else None

        return wait_until(status, f"{method} {path} to be done", 120)

    def _change(self, rng, seconds, **fields):
        endpoints = self.endpoints
        path = rng.choice(self.paths)
        key, url = endpoints.tenant.client.key, f"/v1/endpoints/{endpoints.ids[path]}"
        try:
            status = self._ask(rng, key, "PATCH", url, fields)
            if {"paused", "enabled"} & fields.keys():
                self._watch(rng, status, seconds, lambda arrival: arrival.path == path)
            else:
                time.sleep(rng.uniform(*seconds))
            return status
        finally:
            self._ask(rng, key, "PATCH", url, {name: self.usual[name] for name in fields})

    def _watch(self, rng, status, seconds, concerned):
        """Records requests that come after a pause. Attempts under way get PATIENCE seconds to arrive."""
        self.nodes.log(f"the pause is answered with {status}")
        began, arrivals = time.monotonic() + PATIENCE, self.endpoints.receiver.arrivals
        seen = len(arrivals)
        time.sleep(PATIENCE + rng.uniform(*seconds))
        late = [arrival.at - began for arrival in arrivals[seen:] if concerned(arrival) and arrival.at > began]
        if status == 200 and late:
            self.late.append(late)
            self.nodes.log(f"{len(late)} requests came, {min(late):.3f} s after a second after that and later")

    def pause_endpoint(self, rng):
        return self._change(rng, (0.2, 2), paused=True)

    def disable_endpoint(self, rng):
        return self._change(rng, (0.2, 2), enabled=False)

    def throttle_endpoint(self, rng):
        return self._change(rng, (0.2, 2), rate_limit_rps=5)

    def narrow_endpoint(self, rng):
        return self._change(rng, (0.2, 2), max_in_flight=1)

    def pause_tenant(self, rng):
        key, body = self.nodes.all[0].hookline.admin.key, {"tenant_id": self.endpoints.tenant.id}
        try:
            status = self._ask(rng, key, "POST", "/v1/admin/store/pause-claims", body)
            self._watch(rng, status, (0.2, 2), lambda _arrival: True)
            return status
        finally:
            self._ask(rng, key, "POST", "/v1/admin/store/resume-claims", body)


class Storm:
    """
    Blows, one or two at once. The same seed gives the same blows, but not the same instants. Each kind comes equally
    often: the blows are dealt like a deck of cards that is shuffled anew when it is empty.
    """

    def __init__(self, nodes, groups, seed):
        self.nodes = nodes
        self.groups = groups
        self.random = Random(seed)
        self.decks = {"long": [], "any": []}
        self.blows = []

    def lap(self, strikes):
        """
        Strikes so many times and returns the blows. The first one comes alone and lasts until another node has adopted
        the victim.
        """
        before = len(self.blows)
        self._strike([self._deal("long")])
        assert self.blows[-1].effect == "adopted", self.blows[-1]
        for _ in range(strikes - 1):
            time.sleep(self.random.uniform(0, 0.5))  # a random instant for the blow, not a wait for a state
            first = self._deal("any")
            beside = self._deal("any", first[0]) if self.random.random() < 1 / 3 else None
            self._strike([first, beside] if beside else [first])
        return self.blows[before:]

    def _deal(self, name, group=None):
        """The next blow of the deck. With a group: the next one that can come beside a blow of that group, or None."""
        deck = self.decks[name]
        if not deck:
            deck += [(each, blow) for each in self.groups
                     for blow in (each.blows if name == "any" else getattr(each, "long", []))]
            self.random.shuffle(deck)
        found = [number for number, (other, _) in enumerate(deck) if other is not group or hasattr(group, "several")]
        return deck.pop(found[-1]) if found else None

    def _strike(self, dealt):
        names = [blow.__name__ for _, blow in dealt]
        self.nodes.log(" + ".join(names))
        begin = time.monotonic()
        strokes = [THREADS.submit(blow, Random(self.random.random())) for _, blow in dealt]
        wait(strokes)
        end = time.monotonic()
        self.blows += [Blow(name, begin, end, stroke.result()) for name, stroke in zip(names, strokes)]
