/*
 * A slot: what one process says of itself in the segment. Every slot begins with the same head, struct process_slot; a
 * role whose processes say more has a struct of its own that begins with that head (shm/roles.h).
 *
 * A slot is written by its process and emptied by the master; every process reads it at any time. A member for which
 * there are functions here is used through them only. The other members are for the slot's own process, or have their
 * functions elsewhere: counters, levels, histograms and gauges in shm/counters.h, the sleep word in shm/wake.h, the
 * heartbeat in shm/heartbeat.h, usage in shm/usage.h, the ledger in shm/ledger.h, waits_for_turn in shm/write_turn.h.
 */
#ifndef SHM_SLOTS_H
#define SHM_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "shm/attempts.h"
#include "shm/ledger.h"
#include "shm/roles.h"
#include "shm/series.h"
#include "shm/usage.h"

#define PROCESS_STATE_LIST(X)                                                                                          \
	X(DOWN, "down")                                                                                                \
	X(STARTING, "starting")                                                                                        \
	X(READY, "ready")                                                                                              \
	X(DRAINING, "draining")

#define X(symbol, name) PROCESS_##symbol,
enum process_state { PROCESS_STATE_LIST(X) PROCESS_STATES };
#undef X

/*
 * What a process last saw of its store. CONNECTING: not reached since the master started, and no spool of an earlier
 * run shows that it ever was. SPOOLING: lost, and the spool takes the events. UNAVAILABLE: lost, and there is no spool
 * or no room in it.
 */
#define STORE_STATE_LIST(X)                                                                                            \
	X(CONNECTING, "connecting")                                                                                    \
	X(READY, "ready")                                                                                              \
	X(UNAVAILABLE, "unavailable")                                                                                  \
	X(SPOOLING, "spooling")

#define X(symbol, name) STORE_##symbol,
enum store_state { STORE_STATE_LIST(X) STORE_STATES };
#undef X

/* A text that its writer changes while others read it. */
struct turned_text {
	uint32_t turn; /* counts texts; the present one is in texts[turn % 2] */
	char texts[2][ERROR_TEXT_MAX];
};

/* What a process says of its store. */
struct store_report {
	uint32_t state; /* enum store_state */
	struct turned_text error;
};

struct process_slot {
	_Alignas(128) uint32_t sleeping;
	int32_t pid;
	uint32_t state; /* enum process_state */
	uint32_t waits_for_turn; /* since when; 0: it does not: shm/write_turn.h */
	uint32_t starts; /* counts the processes that have had this slot */
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

struct courier_slot {
	struct process_slot process;
	int64_t seen_version; /* of the table changes */
	int64_t oldest_due_us; /* see courier_oldest_due_us() */
	uint32_t missed; /* see courier_missed() */
	struct turned_text pause; /* see courier_pause() */
	struct attempt_words attempts; /* under way: shm/attempts.h */
};

/* The size of a slot, by role. */
extern const uint32_t slot_bytes[ROLES];

/* "ready"; "unknown" for a number that is no state: a damaged segment may hold any. */
const char *process_state_name(uint32_t state);
const char *store_state_name(uint32_t state);

/* Empties what a slot says of a process, for a new run: the master, before it forks. Counters and ledger stay. */
void slot_reset(struct process_slot *slot);
void writer_slot_reset(struct writer_slot *slot);
void courier_slot_reset(struct courier_slot *slot);

/* ---- any slot ---- */

/* A new process takes its slot over: it is STARTING. started_us: steady clock. */
void slot_begin(struct process_slot *slot, int32_t pid, int64_t started_us);

/* The slot's process is gone: the master. */
void slot_end(struct process_slot *slot);

/* 0: there is no process. */
int32_t slot_pid(const struct process_slot *slot);

/* A process sets its own state by segment_announce(), which also wakes the master. */
enum process_state slot_state(const struct process_slot *slot);
void slot_set_state(struct process_slot *slot, enum process_state state);

/* When the process was started, by the steady clock. */
int64_t slot_started_us(const struct process_slot *slot);

/* Which of the processes that have had this slot it is: from 1 on. It tells a process from its predecessors. */
uint32_t slot_starts(const struct process_slot *slot);

/* ---- a store, in the slot of a process that has one ---- */

enum store_state store_report_state(const struct store_report *report);
void store_report_set_state(struct store_report *report, enum store_state state);

/* Why the store does not work; "" while it works or was not tried yet. out gets a copy, whole at any time. */
void store_report_error(const struct store_report *report, char out[ERROR_TEXT_MAX]);

/* For one thread at a time. */
void store_report_set_error(struct store_report *report, const char *text);

/* Whether the process knows by now if its store works. */
bool store_report_tried(const struct store_report *report);

/* ---- a courier's slot ---- */

/*
 * How often publishers have left jobs in their rows instead of handing them over; a publisher calls the second, and
 * then wakes the courier, which reads rows again when the number has moved.
 */
uint32_t courier_missed(const struct courier_slot *slot);
void courier_add_missed(struct courier_slot *slot);

/* The version of the table changes that the courier's loop acts by. Only the courier sets it. */
int64_t courier_seen_version(const struct courier_slot *slot);
void courier_set_seen_version(struct courier_slot *slot, int64_t version);

/*
 * Since when the job is due, by the steady clock, that waits longest in the courier's memory although its endpoint
 * takes attempts; 0: none waits. Only the courier's loop sets it.
 */
int64_t courier_oldest_due_us(const struct courier_slot *slot);
void courier_set_oldest_due_us(struct courier_slot *slot, int64_t due_us);

/*
 * Why deliveries of all tenants are paused, as a sentence; "": they are not. Only the courier's store thread sets it,
 * that of courier 0. out gets a copy, whole at any time.
 */
void courier_pause(const struct courier_slot *slot, char out[ERROR_TEXT_MAX]);
void courier_set_pause(struct courier_slot *slot, const char *text);

/* ---- a writer's slot, or a publisher's ---- */

/* When the writer could last not sync a file, by the wall clock; 0: never. */
int64_t writer_sync_failed_us(const struct writer_slot *slot);
void writer_set_sync_failed_us(struct writer_slot *slot, int64_t wall_us);

/* Since when the spool's oldest file waits, by the steady clock; 0: the spool is empty. */
int64_t writer_spool_oldest_us(const struct writer_slot *slot);
void writer_set_spool_oldest_us(struct writer_slot *slot, int64_t oldest_us);

#endif
