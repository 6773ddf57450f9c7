/*
 * Keeps outcomes by the records' place, because spool_next() returns the same records, perhaps more, until they are
 * committed.
 */
#include "writer/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "shm/ledger.h"

/* The outcome of an event that is put back untried; a sink skips it. */
#define PASSED UINT32_MAX

/*
 * While the whole spool waits for orders, it is moved again only to find unlocked ones: after one second per MiB of it,
 * so that the cost stays small, within these bounds.
 */
#define PASS_PAUSE_LEAST_US (10 * INT64_C(1000000))
#define PASS_PAUSE_MOST_US (600 * INT64_C(1000000))

#define TENANT_MAX 255

/* The place of a tenant's first event that was put back. Events of the tenant before that place are later ones. */
struct replay_tenant {
	struct replay_place first;
	size_t len;
	char id[TENANT_MAX];
};

/* ---- tenants ---- */

static struct replay_tenant *
find_tenant(const struct replay *replay, struct span id)
{
	for (uint32_t i = 0; i < replay->tenant_count; i++) {
		struct replay_tenant *tenant = &replay->tenants[i];

		if (tenant->len == id.len && memcmp(tenant->id, id.base, id.len) == 0)
			return tenant;
	}
	return NULL;
}

/* Whether the reader has reached that place. */
static bool
is_reached(const struct replay_place *place, const struct spool *spool)
{
	struct spool_id part = spool->parts[0].id;

	/* Parts of other writers were there at the start. */
	if (part.writer != place->part.writer || part.sequence < place->part.sequence)
		return false;
	return part.sequence > place->part.sequence || spool->reader.from >= place->offset;
}

static void
forget_reached(struct replay *replay, const struct spool *spool)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < replay->tenant_count; i++)
		if (!is_reached(&replay->tenants[i].first, spool))
			replay->tenants[kept++] = replay->tenants[i];
	replay->tenant_count = kept;
}

static void
note_tenant(struct replay *replay, const struct record *record, const struct replay_place *place)
{
	struct span id = record_tenant_name(record);
	struct replay_tenant *tenant;

	if (id.len > TENANT_MAX || find_tenant(replay, id) != NULL)
		return;
	replay->tenants = mem_resize(replay->tenants, replay->tenant_count + 1, sizeof *replay->tenants);
	tenant = &replay->tenants[replay->tenant_count++];
	*tenant = (struct replay_tenant){.first = *place, .len = id.len};
	memcpy(tenant->id, id.base, id.len);
}

/* Cuts the records read before the next tenant's first event. */
static void
end_before_next(const struct replay *replay, struct spool *spool)
{
	struct spool_reader *reader = &spool->reader;
	uint64_t next = reader->to;

	for (uint32_t i = 0; i < replay->tenant_count; i++) {
		const struct replay_place *first = &replay->tenants[i].first;

		if (spool_id_compare(first->part, spool->parts[0].id) == 0 && first->offset < next)
			next = first->offset;
	}
	while (reader->to > next)
		reader->to -= reader->records[--reader->count]->length;
}

/* ---- batches ---- */

static bool
is_known(const struct replay *replay, const struct spool *spool)
{
	return replay->count > 0 && spool_id_compare(replay->part, spool->parts[0].id) == 0 &&
	       replay->from == spool->reader.from && replay->count <= spool->reader.count;
}

static void
grow(struct replay *replay, uint32_t count)
{
	if (count <= replay->capacity)
		return;
	replay->capacity = count;
	replay->outcomes = mem_resize(replay->outcomes, count, sizeof *replay->outcomes);
	replay->places = mem_resize(replay->places, count, sizeof(struct publish_outcome *));
	replay->rest = mem_resize(replay->rest, count, sizeof(const struct record *));
}

void
replay_begin(struct replay *replay, struct spool *spool, struct batch *batch)
{
	struct spool_reader *reader = &spool->reader;

	forget_reached(replay, spool);
	end_before_next(replay, spool);
	if (!is_known(replay, spool)) {
		replay->part = spool->parts[0].id;
		replay->from = reader->from;
		replay->count = replay->left = 0;
		replay->sum = (struct sink_result){0};
		replay->only_waiting_since_us = 0;
	}
	grow(replay, reader->count);
	for (uint32_t i = replay->count; i < reader->count; i++) {
		bool waits = find_tenant(replay, record_tenant_name(reader->records[i])) != NULL;

		replay->outcomes[i] = (struct publish_outcome){.result = waits ? PASSED : 0};
		replay->left += !waits;
	}
	replay->count = reader->count;
	for (uint32_t i = 0; i < replay->count; i++)
		replay->places[i] = &replay->outcomes[i];
	*batch = (struct batch){.records = reader->records, .count = reader->count, .outcomes = replay->places};
}

static uint32_t
count_outcomes(const struct replay *replay, uint32_t result)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < replay->count; i++)
		count += replay->outcomes[i].result == result;
	return count;
}

/* ---- putting events back ---- */

static int64_t
pass_pause_us(const struct spool *spool)
{
	int64_t us = (int64_t)((spool->bytes - spool->parts[0].header.done) >> 20) * 1000000;

	if (us < PASS_PAUSE_LEAST_US)
		return PASS_PAUSE_LEAST_US;
	return us < PASS_PAUSE_MOST_US ? us : PASS_PAUSE_MOST_US;
}

bool
replay_moves(const struct replay *replay, const struct spool *spool)
{
	return replay->pass_events > 0 && spool->count > 0 && !is_reached(&replay->pass, spool);
}

void
replay_add_waiting(struct replay *replay, uint32_t events)
{
	if (replay->pass_events > 0)
		replay->pass_events += events;
}

/* Whether to put the rest back now: the spool has room, and later events need not wait. */
static bool
puts_back(struct replay *replay, const struct spool_link *link)
{
	const struct spool *spool = &link->spool;
	uint64_t events = ledger_page(&spool->slot->ledger)->spool_events;
	int64_t now_us = clock_steady_us();

	if (link->state != SPOOL_TAKING || spool_low(spool) ||
	    (spool->count == 1 && spool->parts[0].size <= spool->reader.to))
		return false;
	if (replay->left < replay->count || replay_moves(replay, spool))
		return true;
	if (replay->only_waiting_since_us == 0)
		replay->only_waiting_since_us = now_us;
	/* The whole pass stored nothing, and nothing has come since. */
	if (events == replay->pass_events && now_us < replay->only_waiting_since_us + pass_pause_us(spool))
		return false;
	replay->pass_events = 0; /* another pass begins */
	return true;
}

static bool
put_back(struct replay *replay, struct spool_link *link, const struct batch *batch)
{
	for (uint32_t i = 0; i < replay->count; i++)
		if (replay->outcomes[i].result == 0 || replay->outcomes[i].result == PASSED)
			replay->rest[replay->put_back++] = batch->records[i];
	if (spool_link_append(link, &(struct batch){replay->rest, replay->put_back}) != 0) {
		replay->put_back = 0;
		return false;
	}

	const struct spool *spool = &link->spool;
	const struct spool_part *last = &spool->parts[spool->count - 1];
	const struct replay_place place = {last->id, last->size};

	for (uint32_t i = 0; i < replay->put_back; i++)
		note_tenant(replay, replay->rest[i], &place);
	if (replay->pass_events == 0) {
		replay->pass = place;
		replay->pass_events = ledger_page(&spool->slot->ledger)->spool_events;
	}
	return true;
}

/* Prefers delivery out of order to none: forgets the tenants whose events were only skipped in this batch. */
static void
forget_passed(struct replay *replay, const struct batch *batch)
{
	for (uint32_t i = 0; i < replay->count; i++) {
		struct replay_tenant *tenant = NULL;

		if (replay->outcomes[i].result == PASSED)
			tenant = find_tenant(replay, record_tenant_name(batch->records[i]));
		if (tenant != NULL)
			*tenant = replay->tenants[--replay->tenant_count];
	}
	replay->count = 0;
}

bool
replay_add(struct replay *replay, struct spool_link *link, const struct batch *batch, const struct sink_result *result)
{
	uint32_t before = replay->left;

	replay->sum.stored += result->stored;
	replay->sum.duplicates += result->duplicates;
	replay->sum.dead_lettered += result->dead_lettered;
	replay->sum.discarded += result->discarded;
	replay->put_back = 0;
	replay->left = count_outcomes(replay, 0);
	if (replay->left > 0 && replay->left < before)
		return false;
	if (replay->left + count_outcomes(replay, PASSED) > 0 &&
	    (!puts_back(replay, link) || !put_back(replay, link, batch))) {
		if (replay->left == 0)
			forget_passed(replay, batch);
		spool_link_pause_replay(link);
		return false;
	}
	replay->count = 0;
	return true;
}

void
replay_free(struct replay *replay)
{
	free(replay->outcomes);
	free(replay->places);
	free(replay->rest);
	free(replay->tenants);
}
