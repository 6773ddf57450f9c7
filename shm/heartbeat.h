/*
 * Heartbeats: how the master tells a process that is stuck (stopped, in an endless loop) from one that works or waits.
 * A process writes into its slot until when it may be silent; the master ends one that is STUCK_AFTER_SECONDS late, and
 * who asks for the service's health hears of it earlier.
 */
#ifndef SHM_HEARTBEAT_H
#define SHM_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/segment.h"

/*
 * The slot's own process: it lives, and may be silent for so many seconds from now: 0 at every turn of a loop, the
 * bound of a call before a call that may take long. A later beat replaces an earlier one. No system call. Returns the
 * time, by the steady clock.
 */
int64_t heartbeat(struct process_slot *slot, uint32_t silent_seconds);

/*
 * The longest that a loop may sleep between two beats, and how often the master looks: milliseconds, between 250 and
 * 5000. stuck_after_seconds as in the configuration, 0 for never.
 */
int32_t heartbeat_period_ms(uint32_t stuck_after_seconds);

/* The same for the master, at every turn of its loop. */
void heartbeat_of_master(struct segment_header *header, int64_t now_us);

/*
 * Whether who should have beaten by alive_until_us, in a slot or the header, is late for certain at now_us, although its
 * time to be ended has not come yet: three periods. Also when stuck_after_seconds is 0. Steady clock.
 */
bool heartbeat_late(const uint64_t *alive_until_us, uint32_t stuck_after_seconds, int64_t now_us);

/*
 * Whether the slot's process is late by stuck_after_seconds at now_us, counted from granted_us if it promised less.
 * Steady clock. Never if stuck_after_seconds is 0.
 */
bool heartbeat_missed(
    const struct process_slot *slot, uint32_t stuck_after_seconds, int64_t granted_us, int64_t now_us);

#endif
