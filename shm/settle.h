/*
 * Applies the writers' ledgers to the segment: releases lanes, takes over from a dead writer, decides whether the
 * segment is still needed. All functions can be repeated.
 */
#ifndef SHM_SETTLE_H
#define SHM_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/segment.h"

/* The roles whose processes have a ledger. */
#define LEDGER_ROLES 2
extern const enum role ledger_roles[LEDGER_ROLES];

/* The lanes that such a role consumes. */
enum lane_group ledger_lanes(enum role role);

/*
 * Applies the current page of that writer's or publisher's ledger to its lanes: sets the parcels' flags, releases them,
 * and wakes the acceptors that can now answer requests. For that process, and for a master without children.
 */
void settle_lanes(const struct segment *segment, enum role role, uint32_t index);

/*
 * For a writer that takes over from a dead one: settles the lanes, and keeps the predecessor's uncommitted appends open
 * across later commits. Before its first commit, under segment_append_lock().
 */
void settle_take_over(const struct segment *segment, enum role role, uint32_t index);

/*
 * Whether that writer's ledger is plausible: its current page exists and releases no more than the waiting parcels. For
 * adopting a segment whose lanes are valid.
 */
bool settle_ledger_valid(const struct segment *segment, enum role role, uint32_t index);

/*
 * Whether the segment holds nothing but counters: no event, message or outcome waits, and no successor needs a ledger.
 */
bool settle_finished(const struct segment *segment);

#endif
