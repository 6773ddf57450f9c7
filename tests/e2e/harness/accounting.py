"""The accounting identity: each received event has an outcome, or it waits on the ring or in the spool."""

# Each received hook event is counted by exactly one of these metrics.
EVENTS = {
    "stored": "events_stored_total",
    "duplicates": "events_duplicate_total",
    "dead_lettered": "events_dead_lettered_total",
    "damaged": "events_damaged_total",
    "discarded": "events_discarded_total",
    "in_ring": "ring_events",
    "in_spool": "spool_events",
}
# Each published event is counted by exactly one of these.
MESSAGES = {
    "stored": "messages_stored_total",
    "deduplicated": "messages_deduplicated_total",
    "dead_lettered": "messages_dead_lettered_total",
    "damaged": "messages_damaged_total",
    "discarded": "messages_discarded_total",
    "in_ring": "ring_messages",
    "in_spool": "spool_messages",
}


def identity(numbers, places=EVENTS):
    """
    Returns, from metrics(), the number of received events, the number of events accounted for, and the parts of the
    second number by name. The two numbers are equal when the accounts are right.
    """
    parts = {name: int(numbers[metric]) for name, metric in places.items()}
    received = "events_received_total" if places is EVENTS else "messages_received_total"
    return int(numbers[received]), sum(parts.values()), parts


def accounted(numbers):
    received, found, _parts = identity(numbers)
    return received == found


def settled(numbers):
    """Whether all events are accounted for and none waits on the ring or in the spool."""
    return accounted(numbers) and numbers["ring_events"] == numbers["spool_events"] == 0
