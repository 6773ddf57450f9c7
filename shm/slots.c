/* Atomic loads and stores of single words in slots, and the names of states. */
#include "shm/slots.h"

#include <ck_pr.h>

#include "shm/atomic64.h"

#define X(symbol, name) name,
static const char *const process_state_names[PROCESS_STATES] = {PROCESS_STATE_LIST(X)};
#undef X

const char *
process_state_name(uint32_t state)
{
	return state < PROCESS_STATES ? process_state_names[state] : "unknown";
}

void
slot_reset(struct process_slot *slot)
{
	slot->pid = slot->session = 0;
	slot->state = PROCESS_DOWN;
	slot->waits_for_turn = 0;
	slot->gauges_us = 0; /* perhaps by the clock of an earlier boot */
	slot->store.state = STORE_CONNECTING;
	store_report_set_error(&slot->store, "");
}

void
writer_slot_reset(struct writer_slot *slot)
{
	slot->unavailable_since_us = 0;
	slot->spool_oldest_us = 0; /* as gauges_us */
}

void
slot_set_session(struct process_slot *slot, int32_t pid)
{
	ck_pr_store_int(&slot->session, pid);
}

void
slot_begin(struct process_slot *slot, int32_t pid, int64_t started_us)
{
	atomic64_store(&slot->started_us, started_us);
	slot_set_session(slot, 0);
	ck_pr_store_32(&slot->starts, slot->starts + 1);
	slot_set_state(slot, PROCESS_STARTING);
	ck_pr_store_int(&slot->pid, pid);
}

int32_t
slot_session(const struct process_slot *slot)
{
	return ck_pr_load_int(&slot->session);
}

void
slot_end(struct process_slot *slot)
{
	ck_pr_store_int(&slot->pid, 0);
	slot_set_state(slot, PROCESS_DOWN);
}

int32_t
slot_pid(const struct process_slot *slot)
{
	return ck_pr_load_int(&slot->pid);
}

enum process_state
slot_state(const struct process_slot *slot)
{
	return ck_pr_load_32(&slot->state);
}

void
slot_set_state(struct process_slot *slot, enum process_state state)
{
	ck_pr_store_32(&slot->state, state);
}

int64_t
slot_started_us(const struct process_slot *slot)
{
	return atomic64_load(&slot->started_us);
}

uint32_t
slot_starts(const struct process_slot *slot)
{
	return ck_pr_load_32(&slot->starts);
}

int64_t
writer_sync_failed_us(const struct writer_slot *slot)
{
	return atomic64_load(&slot->sync_failed_us);
}

void
writer_set_sync_failed_us(struct writer_slot *slot, int64_t wall_us)
{
	atomic64_store(&slot->sync_failed_us, wall_us);
}

int64_t
writer_spool_oldest_us(const struct writer_slot *slot)
{
	return atomic64_load(&slot->spool_oldest_us);
}

void
writer_set_spool_oldest_us(struct writer_slot *slot, int64_t oldest_us)
{
	atomic64_store(&slot->spool_oldest_us, oldest_us);
}
