/* Loads and stores of the words in slots, each whole by itself, and the names of states. */
#include "shm/slots.h"

#include <ck_pr.h>
#include <stdio.h>
#include <string.h>

const uint32_t slot_bytes[ROLES] = {
#define R(X, symbol, name, plural, count, most, slot) sizeof(slot),
    ROLE_LIST(R, _)
#undef R
};

#define X(symbol, name) name,
static const char *const process_state_names[PROCESS_STATES] = {PROCESS_STATE_LIST(X)};
static const char *const store_state_names[STORE_STATES] = {STORE_STATE_LIST(X)};
#undef X

const char *
process_state_name(uint32_t state)
{
	return state < PROCESS_STATES ? process_state_names[state] : "unknown";
}

const char *
store_state_name(uint32_t state)
{
	return state < STORE_STATES ? store_state_names[state] : "unknown";
}

static int64_t
load_word(const int64_t *word)
{
	return (int64_t)ck_pr_load_64((const uint64_t *)word);
}

static void
store_word(int64_t *word, int64_t value)
{
	ck_pr_store_64((uint64_t *)word, (uint64_t)value);
}

void
slot_reset(struct process_slot *slot)
{
	slot->pid = 0;
	slot->state = PROCESS_DOWN;
	slot->waits_for_turn = 0;
	slot->gauges_us = 0; /* by the clock of another boot of the machine, perhaps */
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
courier_slot_reset(struct courier_slot *slot)
{
	slot->seen_version = slot->oldest_due_us = 0;
}

void
slot_begin(struct process_slot *slot, int32_t pid, int64_t started_us)
{
	store_word(&slot->started_us, started_us);
	ck_pr_store_32(&slot->starts, slot->starts + 1);
	slot_set_state(slot, PROCESS_STARTING);
	ck_pr_store_int(&slot->pid, pid);
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
	return load_word(&slot->started_us);
}

uint32_t
slot_starts(const struct process_slot *slot)
{
	return ck_pr_load_32(&slot->starts);
}

enum store_state
store_report_state(const struct store_report *report)
{
	return ck_pr_load_32(&report->state);
}

void
store_report_set_state(struct store_report *report, enum store_state state)
{
	ck_pr_store_32(&report->state, state);
}

static void
read_text(const struct turned_text *text, char out[ERROR_TEXT_MAX])
{
	uint32_t turn, read;

	/* A copy is whole unless the process went on to the other text, and may have begun to overwrite this one. */
	do {
		turn = ck_pr_load_32(&text->turn);
		ck_pr_fence_acquire();
		memcpy(out, text->texts[turn % 2], ERROR_TEXT_MAX);
		ck_pr_fence_acquire();
		read = ck_pr_load_32(&text->turn);
	} while (read != turn);
	out[ERROR_TEXT_MAX - 1] = '\0'; /* a damaged segment may hold any bytes */
}

static void
write_text(struct turned_text *text, const char *next_text)
{
	uint32_t next = text->turn + 1;

	/* A reader of the older text must see the present turn before it sees any byte of the next text. */
	ck_pr_fence_store();
	/* Killed before the last store, the process leaves the present text. */
	(void)snprintf(text->texts[next % 2], ERROR_TEXT_MAX, "%s", next_text);
	ck_pr_fence_release();
	ck_pr_store_32(&text->turn, next);
}

void
store_report_error(const struct store_report *report, char out[ERROR_TEXT_MAX])
{
	read_text(&report->error, out);
}

void
store_report_set_error(struct store_report *report, const char *text)
{
	write_text(&report->error, text);
}

bool
store_report_tried(const struct store_report *report)
{
	char error[ERROR_TEXT_MAX];

	store_report_error(report, error);
	return store_report_state(report) != STORE_CONNECTING || error[0] != '\0';
}

void
courier_pause(const struct courier_slot *slot, char out[ERROR_TEXT_MAX])
{
	read_text(&slot->pause, out);
}

void
courier_set_pause(struct courier_slot *slot, const char *text)
{
	write_text(&slot->pause, text);
}

int64_t
writer_sync_failed_us(const struct writer_slot *slot)
{
	return load_word(&slot->sync_failed_us);
}

void
writer_set_sync_failed_us(struct writer_slot *slot, int64_t wall_us)
{
	store_word(&slot->sync_failed_us, wall_us);
}

int64_t
writer_spool_oldest_us(const struct writer_slot *slot)
{
	return load_word(&slot->spool_oldest_us);
}

void
writer_set_spool_oldest_us(struct writer_slot *slot, int64_t oldest_us)
{
	store_word(&slot->spool_oldest_us, oldest_us);
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

int64_t
courier_seen_version(const struct courier_slot *slot)
{
	return load_word(&slot->seen_version);
}

void
courier_set_seen_version(struct courier_slot *slot, int64_t version)
{
	ck_pr_fence_release(); /* what the courier does from now on follows */
	store_word(&slot->seen_version, version);
}

int64_t
courier_oldest_due_us(const struct courier_slot *slot)
{
	return load_word(&slot->oldest_due_us);
}

void
courier_set_oldest_due_us(struct courier_slot *slot, int64_t due_us)
{
	store_word(&slot->oldest_due_us, due_us);
}
