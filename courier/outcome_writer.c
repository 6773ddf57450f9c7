/*
 * The store may refuse an outcome because of its content: a trigger, a constraint, a value. Such an outcome must not
 * stop the others on the lane, which belong to all endpoints of the courier.
 */
#include "courier/outcome_writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/repeat.h"
#include "config/text_rules.h"
#include "courier/outcome_rows.h"

static const struct outcome_form whole = {true, true, true, true};

/* The parts that are tried in this order after the store has refused the whole. */
static const struct outcome_form less[] = {
    {.attempt = true, .disables = true, .ends = true},
    {.disables = true, .ends = true},
    {.texts = true, .attempt = true, .ends = true},
    {.ends = true},
    {.texts = true, .attempt = true, .disables = true},
    {0},
};

enum loss { LOSES_TEXTS, LOSES_DISABLING, LOSES_END, LOSES_ALL, LOSSES };

struct outcome_writer {
	struct courier_slot *slot;
	struct lane lane;
	struct runs *runs;
	struct message_queue *messages;
	struct repeat refused[LOSSES], damaged;
	bool missed; /* an outcome was damaged */
	uint32_t at_once; /* outcomes per transaction, up to OUTCOMES_AT_ONCE */
	uint32_t count;
	uint32_t positions[OUTCOMES_AT_ONCE]; /* of outcomes */
	struct outcome outcomes[OUTCOMES_AT_ONCE];
	struct outcome_rows rows;
};

struct outcome_writer *
outcome_writer_new(const struct segment *segment, uint32_t courier, const struct lane *lane, struct runs *runs,
    struct message_queue *messages)
{
	struct outcome_writer *writer = mem_new(1, sizeof *writer);

	writer->slot = segment_courier(segment, courier);
	writer->lane = *lane;
	writer->runs = runs;
	writer->messages = messages;
	writer->at_once = OUTCOMES_AT_ONCE;
	outcome_rows_open(&writer->rows, segment, segment_slot(segment, ROLE_COURIER, courier));
	return writer;
}

void
outcome_writer_free(struct outcome_writer *writer)
{
	free(writer);
}

uint32_t
outcome_writer_waiting(const struct outcome_writer *writer)
{
	return lane_depth(&writer->lane);
}

/* ---- from the lane ---- */

static void
log_damaged(struct outcome_writer *writer)
{
	uint64_t times = repeat_met(&writer->damaged, clock_steady_us());

	if (times > 0)
		log_error(
		    "the outcome of an attempt is damaged: its job will be attempted again", LOG_UINT("times", times));
}

/* Reads a parcel. A job that was to wait is due at once if the machine has restarted: how long it had to is unknown. */
static bool
read_parcel(const struct parcel *parcel, struct outcome *outcome)
{
	if (!outcome_read(parcel->bytes, parcel->length, outcome))
		return false;
	if ((parcel->flags & LANE_FORMER_BOOT) != 0) {
		outcome->due_ms = clock_boot_us() / 1000;
		outcome->job.expires_ms = 0;
	}
	return true;
}

/* Reads waiting parcels into outcomes. Returns the position behind the last parcel read. */
static uint32_t
gather(struct outcome_writer *writer)
{
	uint32_t position = lane_released(&writer->lane);
	struct parcel parcel;

	writer->missed = false;
	for (writer->count = 0; writer->count < writer->at_once && lane_peek(&writer->lane, position, &parcel);
	     position++)
		if (read_parcel(&parcel, &writer->outcomes[writer->count]))
			writer->positions[writer->count++] = position + 1;
		else
			writer->missed = true;
	if (writer->missed)
		log_damaged(writer);
	return position;
}

/* By job, then as they happened. */
static int
compare_outcomes(const void *a, const void *b)
{
	const struct outcome *one = *(const struct outcome *const *)a, *other = *(const struct outcome *const *)b;
	int order = memcmp(one->job.endpoint_id, other->job.endpoint_id, 16);

	if (order == 0)
		order = memcmp(one->job.job_id, other->job.job_id, 16);
	if (order == 0 && one->job.attempt_count != other->job.attempt_count)
		order = one->job.attempt_count < other->job.attempt_count ? -1 : 1;
	return order != 0 ? order : one < other ? -1 : 1;
}

/* ---- refusals ---- */

static enum loss
loss_of(const struct outcome *outcome, const struct outcome_form *form)
{
	if (!form->ends)
		return LOSES_END;
	return outcome->disables && !form->disables ? LOSES_DISABLING : LOSES_TEXTS;
}

#define ABOUT                                                                                                          \
	LOG_STR("job_id", job_id), LOG_STR("endpoint_id", endpoint_id), LOG_STR("error", err->text),                   \
	    LOG_UINT("times", times)

static void
log_refused(struct outcome_writer *writer, const struct outcome *outcome, enum loss loss, const struct error *err)
{
	uint64_t times = repeat_met(&writer->refused[loss], clock_steady_us());
	char endpoint_id[FORMAT_UUID_BYTES + 1] = "", job_id[FORMAT_UUID_BYTES + 1] = "";

	if (times == 0)
		return;
	format_uuid(outcome->job.endpoint_id, endpoint_id);
	format_uuid(outcome->job.job_id, job_id);
	if (loss == LOSES_TEXTS)
		log_warning("the store refuses the outcome of an attempt: only a part of it is stored", ABOUT);
	else if (loss == LOSES_DISABLING)
		log_warning("the store refuses to disable an endpoint: it stays active", ABOUT);
	else if (loss == LOSES_END)
		log_warning("the store refuses the end of a job: its row waits for a day", ABOUT);
	else
		log_error("the store refuses an outcome in every form: its job stays as it is", ABOUT);
}

static void
send_message(struct outcome_writer *writer, enum message_kind kind, const struct outcome *outcome, const uint8_t id[16])
{
	char tenant_id[TENANT_ID_MAX + 1] = "";
	struct message *message;

	memcpy(tenant_id, outcome->job.tenant_id.base, outcome->job.tenant_id.len);
	message = message_new(kind, tenant_id, id);
	message->position = writer->positions[outcome - writer->outcomes];
	message_queue_put(writer->messages, message);
}

/* The loop believes that the job has ended. MESSAGE_HAS_ROWS has it read the row again, in which the job waits. */
static void
note_stored(
    struct outcome_writer *writer, const struct outcome *outcome, const struct outcome_form *form, struct error *err)
{
	log_refused(writer, outcome, loss_of(outcome, form), err);
	if (!form->ends)
		send_message(writer, MESSAGE_HAS_ROWS, outcome, outcome->job.endpoint_id);
}

static bool
differs(const struct outcome *outcome, const struct outcome_form *form)
{
	return form->ends ? form->disables || outcome->disables : outcome->kind != VERDICT_RETRY;
}

/* Stores a part of the outcome. If every part is refused the outcome is dropped: one job must not stop the others. */
static int
write_less(struct outcome_writer *writer, struct db *db, const struct outcome *outcome, struct error *err)
{
	for (size_t i = 0; i < sizeof less / sizeof *less; i++) {
		struct error refusal = *err;
		int rc;

		if (!differs(outcome, &less[i]))
			continue;
		rc = outcome_rows_write(&writer->rows, db, &outcome, 1, &less[i], err);
		if (rc == 0)
			note_stored(writer, outcome, &less[i], &refusal);
		if (rc != DB_REFUSED)
			return rc;
	}
	log_refused(writer, outcome, LOSES_ALL, err);
	send_message(writer, MESSAGE_REFUSED, outcome, outcome->job.job_id);
	return 0;
}

/* Bisects refused outcomes until single ones are refused. */
static int
write_halves(struct outcome_writer *writer, struct db *db, const struct outcome *const *outcomes, uint32_t count,
    struct error *err)
{
	int rc = outcome_rows_write(&writer->rows, db, outcomes, count, &whole, err);

	if (rc != DB_REFUSED)
		return rc;
	if (count == 1)
		return write_less(writer, db, outcomes[0], err);
	rc = write_halves(writer, db, outcomes, count / 2, err);
	return rc == 0 ? write_halves(writer, db, outcomes + count / 2, count - count / 2, err) : rc;
}

static int
write_all(struct outcome_writer *writer, struct db *db, struct error *err)
{
	const struct outcome *sorted[OUTCOMES_AT_ONCE];

	if (writer->count == 0)
		return 0;
	for (uint32_t i = 0; i < writer->count; i++)
		sorted[i] = &writer->outcomes[i];
	qsort(sorted, writer->count, sizeof *sorted, compare_outcomes);
	return write_halves(writer, db, sorted, writer->count, err);
}

/* Halves the number per transaction after a failure, which may be a timeout; doubles it after a success. */
static void
adapt(struct outcome_writer *writer, bool failed)
{
	uint32_t at_once = failed ? writer->count / 2 : writer->at_once * 2;

	writer->at_once = at_once == 0 ? 1 : at_once < OUTCOMES_AT_ONCE ? at_once : OUTCOMES_AT_ONCE;
}

int
outcome_writer_write(
    struct outcome_writer *writer, struct db *db, int64_t node_id, uint32_t *released, struct error *err)
{
	uint32_t behind = gather(writer);
	int rc;

	writer->rows.node_id = node_id;
	rc = write_all(writer, db, err);
	adapt(writer, rc < 0);
	writer->rows.repeats = rc != 0;
	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < writer->count; i++)
		runs_note(writer->runs, &writer->outcomes[i], clock_steady_us());
	if (writer->missed)
		courier_add_missed(writer->slot); /* the damaged outcome's endpoint is unknown: scan all rows */
	lane_release(&writer->lane, behind);
	*released = behind;
	return 0;
}
