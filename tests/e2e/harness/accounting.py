"""The accounting identity: whatever was received has become something, or is somewhere."""

# Every event that was received is in exactly one of these.
PLACES = {
    "stored": "events_stored_total",
    "duplicates": "events_duplicate_total",
    "dead_lettered": "events_dead_lettered_total",
    "damaged": "events_damaged_total",
    "discarded": "events_discarded_total",
    "in_ring": "ring_events",
    "in_spool": "spool_events",
}


def identity(numbers):
    """The two sides, equal when the accounts are right, and the parts of the second, by name; from metrics()."""
    parts = {name: int(numbers[metric]) for name, metric in PLACES.items()}
    return int(numbers["events_received_total"]), sum(parts.values()), parts


def accounted(numbers):
    received, found, _parts = identity(numbers)
    return received == found


def settled(numbers):
    """Accounted for, and nothing is on its way any more."""
    return accounted(numbers) and numbers["ring_events"] == numbers["spool_events"] == 0
