/*
 * Heartbeats: how the master tells a process that is stuck (stopped, in an endless loop) from one that works or waits.
 * A process writes into its slot until when it may be silent. The master kills a process that is STUCK_AFTER_SECONDS
 * late; /health reports it earlier. All times are of the steady clock.
 */
#ifndef SHM_HEARTBEAT_H
#define SHM_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/segment.h"

/*
 * Says that this process lives, and that it may be silent for so many seconds: 0 at every turn of its loop; before a
 * call that may take long, how long that is at most. Each heartbeat replaces the one before. No system call. Returns
 * the time.
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
 * Whether a process (the second: the master) is late for certain at now_us, by three periods, although its time to be
 * killed has not come yet. Also when stuck_after_seconds is 0.
 */
bool heartbeat_late(const struct process_slot *slot, uint32_t stuck_after_seconds, int64_t now_us);
bool heartbeat_late_of_master(const struct segment_header *header, uint32_t stuck_after_seconds, int64_t now_us);

/*
 * Whether a process is to be killed: it is late by stuck_after_seconds at now_us, counted from granted_us if that is
 * later than what it announced. False if stuck_after_seconds is 0.
 */
bool heartbeat_missed(
    const struct process_slot *slot, uint32_t stuck_after_seconds, int64_t granted_us, int64_t now_us);

#endif
