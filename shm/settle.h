/*
 * What follows from the writers' ledgers for the segment: releasing lanes, taking over from a dead writer, and whether
 * the segment is still needed. Everything here can be repeated.
 */
#ifndef SHM_SETTLE_H
#define SHM_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/segment.h"

/* The roles whose processes have a ledger. */
#define LEDGER_ROLES 2
extern const enum role ledger_roles[LEDGER_ROLES];

/* The lanes that such a role takes from. */
enum lane_group ledger_lanes(enum role role);

/*
 * Applies the current page of the ledger of that writer or publisher, by its role, to its lanes: sets the parcels'
 * flags, releases them, and wakes the acceptors whose requests that answers. For that process, and for a master without
 * children.
 */
void settle_lanes(const struct segment *segment, enum role role, uint32_t index);

/*
 * For a writer that takes over from a dead one, before its first commit, under segment_append_lock(): settles the
 * lanes, and keeps the predecessor's uncommitted appends open across the commits to come.
 */
void settle_take_over(const struct segment *segment, enum role role, uint32_t index);

/*
 * Whether that writer's ledger is plausible: its current page exists and releases no more than what waits. For adopting
 * a segment whose lanes are valid.
 */
bool settle_ledger_valid(const struct segment *segment, enum role role, uint32_t index);

/*
 * Whether nothing but counters would be lost with the segment: no event, message or outcome waits, and no successor
 * needs a ledger.
 */
bool settle_finished(const struct segment *segment);

#endif
