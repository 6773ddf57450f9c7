/*
 * Lanes are found by a digest of their key. If two keys had one digest they would share an order, which does no
 * harm.
 */
#include "courier/fifo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "courier/job.h"

#define PLACE_AGAIN_US (10 * INT64_C(1000000))

void
fifo_set(struct fifo *fifo, bool on, bool by_key, int64_t now_us)
{
	assert(fifo->lanes.count == 0);
	fifo->on = on;
	fifo->by_key = by_key;
	crypto_random(fifo->salt, sizeof fifo->salt);
	fifo->unplaced = true;
	fifo->place_until_us = now_us + PLACE_AGAIN_US;
}

/* All events without a key share one order. */
static void
id_of(const struct fifo *fifo, struct span key, uint8_t id[16])
{
	static const struct span none = {"", 0};
	uint8_t digest[SHA256_BYTES] = {0};

	if (fifo->by_key && key.len > 0)
		crypto_hmac_sha256((struct span){(const char *)fifo->salt, sizeof fifo->salt}, key, none, digest);
	memcpy(id, digest, 16);
}

static void
id_for(const struct fifo *fifo, const struct record *record, uint8_t id[16])
{
	static const struct span none = {NULL, 0};

	id_of(fifo, record != NULL ? record_published_string(record, PUBLISHED_ORDERING_KEY) : none, id);
}

static struct fifo_lane *
get(struct fifo *fifo, const uint8_t id[16])
{
	struct fifo_lane *lane = (struct fifo_lane *)id_table_find(&fifo->lanes, id);

	if (lane != NULL)
		return lane;
	lane = mem_new(1, sizeof *lane);
	memcpy(lane->link.id, id, sizeof lane->link.id);
	TAILQ_INIT(&lane->jobs);
	id_table_add(&fifo->lanes, &lane->link);
	return lane;
}

struct fifo_lane *
fifo_lane(struct fifo *fifo, const struct record *record)
{
	uint8_t id[16];

	id_for(fifo, record, id);
	if (fifo->lanes.count >= FIFO_LANES_MOST && id_table_find(&fifo->lanes, id) == NULL)
		return NULL;
	return get(fifo, id);
}

bool
fifo_has_skipped(const struct fifo *fifo, const struct record *record)
{
	uint8_t id[16];
	const struct fifo_lane *lane;

	id_for(fifo, record, id);
	lane = (const struct fifo_lane *)id_table_find(&fifo->lanes, id);
	return lane != NULL && lane->skipped;
}

bool
fifo_takes(const struct fifo *fifo, const struct fifo_lane *lane, bool roomy, int64_t now_us)
{
	const struct job *last = TAILQ_LAST(&lane->jobs, job_list);

	if (last == NULL)
		return true;
	if (fifo->by_key && !roomy && lane->count >= FIFO_KEY_JOBS)
		return false;
	return last->state == JOB_IN_FLIGHT ||
	       (last->state == JOB_WAITING && !last->uncommitted && last->due.at <= now_us);
}

struct fifo_lane *
fifo_of_key(struct fifo *fifo, struct span ordering_key)
{
	uint8_t id[16];

	id_of(fifo, ordering_key, id);
	return get(fifo, id);
}

bool
fifo_note_newest(struct fifo *fifo, int64_t seq)
{
	bool again = seq == fifo->lower;

	fifo->lower = seq < fifo->seen ? seq : 0;
	return seq > fifo->seen || (again && seq < fifo->seen);
}

bool
fifo_is_stuck(const struct fifo *fifo)
{
	return !fifo->by_key && fifo_has_skipped(fifo, NULL);
}

/* ---- jobs ---- */

static bool
stands_before(const struct job *a, const struct job *b)
{
	if (a->fifo_seq != b->fifo_seq)
		return a->fifo_seq < b->fifo_seq;
	return memcmp(a->link.id, b->link.id, sizeof a->link.id) < 0;
}

/* Searches from the end, where most jobs belong. */
void
fifo_add(struct fifo_lane *lane, struct job *job)
{
	struct job *before = TAILQ_LAST(&lane->jobs, job_list);

	while (before != NULL && stands_before(job, before))
		before = TAILQ_PREV(before, job_list, in_lane);
	if (before == NULL)
		TAILQ_INSERT_HEAD(&lane->jobs, job, in_lane);
	else
		TAILQ_INSERT_AFTER(&lane->jobs, before, job, in_lane);
	lane->count++;
	job->lane = lane;
}

void
fifo_remove(struct job *job)
{
	assert(job->state != JOB_IN_FLIGHT && job->lane->heap_job != job);
	TAILQ_REMOVE(&job->lane->jobs, job, in_lane);
	job->lane->count--;
	job->lane = NULL;
}

struct job *
fifo_next(const struct fifo_lane *lane)
{
	struct job *first = TAILQ_FIRST(&lane->jobs);

	return first != NULL && lane->in_flight == 0 && first->state == JOB_WAITING && !first->parked ? first : NULL;
}

void
fifo_count(struct fifo *fifo, struct fifo_lane *lane, int32_t step)
{
	fifo->in_flight += (uint32_t)step;
	lane->in_flight += (uint32_t)step;
}

/* ---- all lanes ---- */

static void
drop(struct fifo *fifo, struct fifo_lane *lane)
{
	id_table_remove(&fifo->lanes, &lane->link);
	free(lane);
}

void
fifo_round_begins(struct fifo *fifo)
{
	uint32_t count = fifo->lanes.count;
	struct id_link **links = id_table_list(&fifo->lanes);

	for (uint32_t i = 0; i < count; i++) {
		struct fifo_lane *lane = (struct fifo_lane *)links[i];

		lane->skipped = false;
		if (lane->count == 0)
			drop(fifo, lane);
	}
	free(links);
	fifo->restart = false;
}

void
fifo_clear(struct fifo *fifo)
{
	uint32_t count = fifo->lanes.count;
	struct id_link **links = id_table_list(&fifo->lanes);

	for (uint32_t i = 0; i < count; i++)
		drop(fifo, (struct fifo_lane *)links[i]);
	free(links);
	id_table_free(&fifo->lanes);
	*fifo = (struct fifo){0};
}
