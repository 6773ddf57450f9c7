/*
 * A slot: what one process says of itself in the segment. Every slot begins with the same head, struct process_slot; a
 * role whose processes say more has a struct of its own that begins with that head (shm/roles.h).
 *
 * A slot is written by its process and emptied by the master; every process reads it at any time. A member for which
 * there are functions here is used through them only. The other members are for the slot's own process, or have their
 * functions elsewhere: counters, levels, histograms and gauges in shm/counters.h, the sleep word in shm/wake.h, the
 * heartbeat in shm/heartbeat.h, usage in shm/usage.h, the ledger in shm/ledger.h, waits_for_turn in shm/write_turn.h,
 * the store in shm/store_report.h, a courier's own members in shm/courier_slot.h.
 */
#ifndef SHM_SLOTS_H
#define SHM_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/ledger.h"
#include "shm/roles.h"
#include "shm/series.h"
#include "shm/store_report.h"
#include "shm/usage.h"

#define PROCESS_STATE_LIST(X)                                                                                          \
	X(DOWN, "down")                                                                                                \
	X(STARTING, "starting")                                                                                        \
	X(READY, "ready")                                                                                              \
	X(DRAINING, "draining")

#define X(symbol, name) PROCESS_##symbol,
enum process_state { PROCESS_STATE_LIST(X) PROCESS_STATES };
#undef X

struct process_slot {
	_Alignas(128) uint32_t sleeping;
	int32_t pid;
	uint32_t state; /* enum process_state */
	uint32_t waits_for_turn; /* since when; 0: it does not: shm/write_turn.h */
	uint32_t starts; /* counts the processes that have had this slot */
	int32_t session; /* see slot_session() */
	int64_t started_us; /* steady clock */
	uint64_t alive_until_us; /* steady clock */
	uint64_t counters[COUNTERS];
	uint64_t levels[LEVELS];
	struct histogram_numbers histograms[HISTOGRAMS];
	uint64_t gauges[GAUGES];
	uint64_t gauges_us; /* steady clock, when the gauges were set; 0: never */
	struct usage usage;
	struct store_report store; /* of a process that has one */
};

struct writer_slot {
	struct process_slot process;
	int64_t unavailable_since_us; /* steady clock; 0: the store works, or was not tried yet. The writer's own */
	int64_t spool_oldest_us;
	int64_t sync_failed_us;
	struct ledger ledger;
};

/* "ready"; "unknown" for a number that is no state: a damaged segment may hold any. */
const char *process_state_name(uint32_t state);

/* Empties what a slot says of a process, for a new run: the master, before it forks. Counters and ledger stay. */
void slot_reset(struct process_slot *slot);
void writer_slot_reset(struct writer_slot *slot);

/* ---- any slot ---- */

/* A new process takes its slot over: it is STARTING. started_us: steady clock. It is gone, says the master. */
void slot_begin(struct process_slot *slot, int32_t pid, int64_t started_us);
void slot_end(struct process_slot *slot);

/* The database server's process for its connection to the webhooks' store: of publishers, couriers; 0: not known. */
void slot_set_session(struct process_slot *slot, int32_t pid);
int32_t slot_session(const struct process_slot *slot);

/* 0: there is no process. */
int32_t slot_pid(const struct process_slot *slot);

/* A process sets its own state by segment_announce(), which also wakes the master. */
enum process_state slot_state(const struct process_slot *slot);
void slot_set_state(struct process_slot *slot, enum process_state state);

/* When the process was started, by the steady clock. */
int64_t slot_started_us(const struct process_slot *slot);

/* Which of the processes that have had this slot it is: from 1 on. It tells a process from its predecessors. */
uint32_t slot_starts(const struct process_slot *slot);

/* ---- a writer's slot, or a publisher's ---- */

/* When the writer could last not sync a file, by the wall clock; 0: never. */
int64_t writer_sync_failed_us(const struct writer_slot *slot);
void writer_set_sync_failed_us(struct writer_slot *slot, int64_t wall_us);

/* Since when the spool's oldest file waits, by the steady clock; 0: the spool is empty. */
int64_t writer_spool_oldest_us(const struct writer_slot *slot);
void writer_set_spool_oldest_us(struct writer_slot *slot, int64_t oldest_us);

#endif
