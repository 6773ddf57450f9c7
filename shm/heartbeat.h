/*
 * Heartbeats: how the master tells a process that is stuck (stopped, in an endless loop) from one that works or waits.
 * A process writes into its slot until when it may be silent; the master ends one that is STUCK_AFTER_SECONDS late.
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

/*
 * Whether the slot's process is late by stuck_after_seconds at now_us, counted from granted_us if it promised less.
 * Steady clock. Never if stuck_after_seconds is 0.
 */
bool heartbeat_missed(
    const struct process_slot *slot, uint32_t stuck_after_seconds, int64_t granted_us, int64_t now_us);

#endif
