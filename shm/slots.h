/*
 * A slot: the state of one process, published in the segment. Every slot begins with struct process_slot; roles with
 * more state have their own struct that begins with it (shm/roles.h).
 *
 * The slot's process writes it, the master clears it, and any process reads it at any time. Use a member only through
 * its functions, here or elsewhere: counters, levels, histograms and gauges in shm/counters.h, sleeping in shm/wake.h,
 * the heartbeat in shm/heartbeat.h, usage in shm/usage.h, the ledger in shm/ledger.h, waits_for_turn in
 * shm/write_turn.h, the store in shm/store_report.h, a courier's own members in shm/courier_slot.h. Members without
 * functions belong to the slot's process.
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
	uint32_t waits_for_turn; /* time at which it began to wait, 0: it does not wait; shm/write_turn.h */
	uint32_t starts; /* number of processes that have had this slot */
	int32_t session; /* see slot_session() */
	int64_t started_us; /* steady clock */
	uint64_t alive_until_us; /* steady clock */
	uint64_t counters[COUNTERS];
	uint64_t levels[LEVELS];
	struct histogram_numbers histograms[HISTOGRAMS];
	uint64_t gauges[GAUGES];
	uint64_t gauges_us; /* steady clock, last gauges_set(); 0: never */
	struct usage usage;
	struct store_report store; /* if the process has a store */
};

struct writer_slot {
	struct process_slot process;
	int64_t unavailable_since_us; /* steady clock; 0: the store works or is untried. Only the writer uses it */
	int64_t spool_oldest_us;
	int64_t sync_failed_us;
	struct ledger ledger;
};

/* "ready"; "unknown" for an invalid number, which a damaged segment may have. */
const char *process_state_name(uint32_t state);

/* Clears the state of a process for a new run; keeps counters and ledger. For the master before it forks. */
void slot_reset(struct process_slot *slot);
void writer_slot_reset(struct writer_slot *slot);

/* ---- any slot ---- */

/*
 * slot_begin(): a new process takes over the slot, STARTING. started_us: steady clock. slot_end(): the master records
 * that the process is gone.
 */
void slot_begin(struct process_slot *slot, int32_t pid, int64_t started_us);
void slot_end(struct process_slot *slot);

/*
 * The pid of the database server's process for a publisher's or courier's connection to the webhooks' store; 0:
 * unknown.
 */
void slot_set_session(struct process_slot *slot, int32_t pid);
int32_t slot_session(const struct process_slot *slot);

/* 0: there is no process. */
int32_t slot_pid(const struct process_slot *slot);

/* A process sets its own state with segment_announce(), which also wakes the master. */
enum process_state slot_state(const struct process_slot *slot);
void slot_set_state(struct process_slot *slot, enum process_state state);

/* When the process was started, by the steady clock. */
int64_t slot_started_us(const struct process_slot *slot);

/* The number of processes that have had this slot, from 1 on. It distinguishes a process from its predecessors. */
uint32_t slot_starts(const struct process_slot *slot);

/* ---- a writer's slot, or a publisher's ---- */

/* When syncing a file last failed, by the wall clock; 0: never. */
int64_t writer_sync_failed_us(const struct writer_slot *slot);
void writer_set_sync_failed_us(struct writer_slot *slot, int64_t wall_us);

/* When the spool's oldest file was begun, by the steady clock; 0: the spool is empty. */
int64_t writer_spool_oldest_us(const struct writer_slot *slot);
void writer_set_spool_oldest_us(struct writer_slot *slot, int64_t oldest_us);

#endif
