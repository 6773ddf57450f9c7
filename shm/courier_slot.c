/* A number that makes others act is stored after the data that they will read. */
#include "shm/courier_slot.h"

#include <ck_pr.h>

#include "shm/atomic64.h"

void
courier_slot_reset(struct courier_slot *slot)
{
	slot->seen_version = slot->oldest_due_us = 0;
}

void
courier_pause_reason(const struct courier_slot *slot, char out[ERROR_TEXT_MAX])
{
	shared_text_read(&slot->pause, out);
}

void
courier_set_pause_reason(struct courier_slot *slot, const char *text)
{
	shared_text_write(&slot->pause, text);
}

uint32_t
courier_missed(const struct courier_slot *slot)
{
	uint32_t missed = ck_pr_load_32(&slot->missed);

	ck_pr_fence_acquire();
	return missed;
}

void
courier_add_missed(struct courier_slot *slot)
{
	ck_pr_fence_release(); /* the rows are committed */
	ck_pr_inc_32(&slot->missed);
}

bool
courier_can_begin(const struct courier_slot *slot)
{
	return slot_pid(&slot->process) != 0 && slot_state(&slot->process) != PROCESS_DRAINING;
}

int64_t
courier_seen_version(const struct courier_slot *slot)
{
	return atomic64_load(&slot->seen_version);
}

void
courier_set_seen_version(struct courier_slot *slot, int64_t version)
{
	ck_pr_fence_release(); /* store the version before any later act of the courier */
	atomic64_store(&slot->seen_version, version);
}

int64_t
courier_oldest_due_us(const struct courier_slot *slot)
{
	return atomic64_load(&slot->oldest_due_us);
}

void
courier_set_oldest_due_us(struct courier_slot *slot, int64_t due_us)
{
	atomic64_store(&slot->oldest_due_us, due_us);
}
