"""The accounting identity: whatever was received has become something, or is somewhere."""

# Every hook event that was received is in exactly one of these.
EVENTS = {
    "stored": "events_stored_total",
    "duplicates": "events_duplicate_total",
    "dead_lettered": "events_dead_lettered_total",
    "damaged": "events_damaged_total",
    "discarded": "events_discarded_total",
    "in_ring": "ring_events",
    "in_spool": "spool_events",
}
# And every event that was published.
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
    """The two sides, equal when the accounts are right, and the parts of the second, by name; from metrics()."""
    parts = {name: int(numbers[metric]) for name, metric in places.items()}
    received = "events_received_total" if places is EVENTS else "messages_received_total"
    return int(numbers[received]), sum(parts.values()), parts


def accounted(numbers):
    received, found, _parts = identity(numbers)
    return received == found


def settled(numbers):
    """Accounted for, and nothing is on its way any more."""
    return accounted(numbers) and numbers["ring_events"] == numbers["spool_events"] == 0
