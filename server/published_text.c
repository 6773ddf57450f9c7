/* Converts a parcel's records and outcomes to JSON. */
#include "server/published_text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/mem.h"
#include "event/handover.h"
#include "event/publish_outcome.h"
#include "event/published_json.h"
#include "event/record.h"
#include "ingest/event_id.h"

/* The rest of an item whose event exceeded PUBLISH_JOBS_MAX. */
static const char too_many[] =
    "\",\"detail\":\"the events before it make as many jobs as one request may, 100000: send "
    "fewer events in one batch, these ones again\"}";

_Static_assert(PUBLISH_JOBS_MAX == 100000, "the text says so");

/* One event of a parcel. */
struct published {
	const struct publish_outcome *outcome; /* all zero if it was spooled */
	const struct record *record;
};

/* Moves to the next event of a parcel; *at begins with 0. Returns false after the last one. */
static bool
next_event(const struct parcel *parcel, size_t *at, struct published *event)
{
	if (*at >= parcel->length)
		return false;
	event->outcome = (const void *)(parcel->bytes + *at);
	event->record = (const void *)(parcel->bytes + *at + sizeof *event->outcome);
	*at += sizeof *event->outcome + event->record->length;
	return true;
}

static void
add_id(struct bytes *out, const uint8_t id[16])
{
	char text[FORMAT_UUID_BYTES];

	format_uuid(id, text);
	bytes_add_text(out, "\"");
	bytes_add(out, text, sizeof text);
	bytes_add_text(out, "\"");
}

/* The number of jobs, limited to the 16 zero bits of the event's id. */
static uint32_t
jobs_of(const struct publish_outcome *outcome)
{
	return outcome->jobs < UINT16_MAX ? outcome->jobs : UINT16_MAX;
}

static void
add_job_ids(struct bytes *out, const struct published *event)
{
	uint8_t id[16];

	bytes_add_text(out, "[");
	for (uint32_t k = 1; k <= jobs_of(event->outcome); k++) {
		if (k > 1)
			bytes_add_text(out, ",");
		handover_job_id(event->record->event_id, k, id);
		add_id(out, id);
	}
	bytes_add_text(out, "]");
}

/*
 * A copy of the record with the id and times of the first event with its key. The caller frees it. A copy, because an
 * unreleased parcel belongs to the publisher.
 */
static struct record *
copy_as_first(const struct published *event)
{
	struct record *record = mem_new(1, event->record->length);
	int64_t created_us = event_id_time(event->outcome->event_id);

	memcpy(record, event->record, event->record->length);
	memcpy(record->event_id, event->outcome->event_id, sizeof record->event_id);
	if (record->timestamp_us == record->received_us)
		record->timestamp_us = created_us;
	record->received_us = created_us;
	return record;
}

void
published_text_event(struct bytes *out, const struct parcel *parcel, int status)
{
	struct published event;
	struct record *first = NULL;
	size_t at = 0;
	bool any = next_event(parcel, &at, &event);

	assert(any);
	if (status == 200)
		first = copy_as_first(&event);
	bytes_add_text(out, "{");
	published_json_members(out, first != NULL ? first : event.record);
	free(first);
	if (status == 201) {
		bytes_add_text(out, ",\"job_ids\":");
		add_job_ids(out, &event);
		bytes_add_text(out, ",\"deduped\":false}");
	} else if (status == 202) {
		bytes_add_text(out, ",\"job_ids\":null,\"idempotency\":\"unchecked\"}");
	} else {
		bytes_add_text(out, ",\"deduped\":true}");
	}
}

/* Why an event was not published, or NULL. */
static const char *
error_of(const struct publish_outcome *outcome, bool spooled)
{
	if (spooled)
		return NULL;
	switch ((enum publish_result)outcome->result) {
	case PUBLISH_STORED:
	case PUBLISH_KNOWN:
		return NULL;
	case PUBLISH_CONFLICT:
		return "idempotency_conflict";
	case PUBLISH_DEAD:
		return "refused_by_store";
	case PUBLISH_TOO_MANY:
		return "too_many_jobs";
	default:
		return "not_stored";
	}
}

/* Appends an event's item; *listed counts job ids. Returns whether the event is published, now or earlier. */
static bool
add_item(struct bytes *out, const struct published *event, bool spooled, uint32_t *listed)
{
	const char *error = error_of(event->outcome, spooled);
	bool known = !spooled && event->outcome->result == PUBLISH_KNOWN;

	bytes_add_text(out, "{\"id\":");
	if (error != NULL) {
		bytes_add_text(out, "null,\"job_ids\":null,\"deduped\":false,\"error\":\"");
		bytes_add_text(out, error);
		bytes_add_text(out, event->outcome->result == PUBLISH_TOO_MANY && !spooled ? too_many : "\"}");
		return false;
	}
	add_id(out, known ? event->outcome->event_id : event->record->event_id);
	bytes_add_text(out, ",\"job_ids\":");
	if (spooled || known || jobs_of(event->outcome) > PUBLISH_JOBS_MAX - *listed) {
		bytes_add_text(out, "null");
	} else {
		add_job_ids(out, event);
		*listed += jobs_of(event->outcome);
	}
	bytes_add_text(out, known ? ",\"deduped\":true}" : ",\"deduped\":false}");
	return true;
}

void
published_text_batch(struct bytes *out, const struct parcel *parcel, const char *rejected)
{
	bool spooled = (parcel->flags & LANE_SPOOLED) != 0;
	struct published event;
	uint32_t count = 0, failed = 0, listed = 0;
	char counts[64];
	int len;

	bytes_add_text(out, "{\"items\":[");
	for (size_t at = 0; next_event(parcel, &at, &event); count++) {
		if (count > 0)
			bytes_add_text(out, ",");
		failed += !add_item(out, &event, spooled, &listed);
	}
	len = snprintf(counts, sizeof counts, "],\"count\":%u,\"failed\":%u", count, failed);
	bytes_add(out, counts, (size_t)len);
	if (spooled)
		bytes_add_text(out, ",\"idempotency\":\"unchecked\"");
	if (rejected != NULL) {
		bytes_add_text(out, ",");
		bytes_add_text(out, rejected);
	}
	bytes_add_text(out, "}");
}

bool
published_tenant_is_gone(const struct parcel *parcel)
{
	struct published event;

	for (size_t at = 0; next_event(parcel, &at, &event);)
		if (event.outcome->result == PUBLISH_GONE)
			return true;
	return false;
}
