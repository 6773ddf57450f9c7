/*
 * Heartbeats: they let the master distinguish a stuck process (stopped, in an endless loop) from a working or waiting
 * one. A process writes the time of its next heartbeat into its slot. The master kills a process that is
 * STUCK_AFTER_SECONDS late; /health reports it earlier. All times are of the steady clock.
 */
#ifndef SHM_HEARTBEAT_H
#define SHM_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/segment.h"

/*
 * A heartbeat that allows silence for that many seconds: 0 at every turn of the loop; before a long call its longest
 * duration. Each heartbeat replaces the one before. Makes no system call. Returns the time.
 */
int64_t heartbeat(struct process_slot *slot, uint32_t silent_seconds);

/*
 * The longest that a loop may sleep between two heartbeats, and how often the master checks them: milliseconds, from
 * 250 to 5000. stuck_after_seconds is the option, 0 for never.
 */
int32_t heartbeat_period_ms(uint32_t stuck_after_seconds);

/* The master's heartbeat, at every turn of its loop. */
void heartbeat_of_master(struct segment_header *header, int64_t now_us);

/*
 * Whether a process (the second: the master) is three periods late at now_us: late for certain, but not yet to be
 * killed. Also works if stuck_after_seconds is 0.
 */
bool heartbeat_late(const struct process_slot *slot, uint32_t stuck_after_seconds, int64_t now_us);
bool heartbeat_late_of_master(const struct segment_header *header, uint32_t stuck_after_seconds, int64_t now_us);

/*
 * Whether to kill a process: at now_us it is stuck_after_seconds late, counted from its announced time or from
 * granted_us, whichever is later. False if stuck_after_seconds is 0.
 */
bool heartbeat_missed(
    const struct process_slot *slot, uint32_t stuck_after_seconds, int64_t granted_us, int64_t now_us);

#endif
