/* Keeps the time at which each endpoint's rows are to be read. */
#include "courier/look.h"

#include <string.h>

#include "courier/endpoint_config.h"

/*
 * The gap between two rounds over an endpoint's rows. It grows with the pages of the last round and the time that the
 * store needed for them, so that rounds over very many rows, or removed rows, do not keep the store busy.
 */
#define GAP_LEAST_US (1000 * INT64_C(1000))
#define GAP_PAGE_US (10 * INT64_C(1000))
#define GAP_OF_READING 4
#define GAP_MOST_US (60 * INT64_C(1000000))
/* Jobs of endpoints with fifo come only by rows, which publishers announce: a shorter gap. */
#define GAP_FIFO_US (50 * INT64_C(1000))
#define UNMARKED_US (10 * INT64_C(1000000)) /* wait for more new jobs of an unusable endpoint before marking them */

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* When to read the jobs that were left in rows. */
static int64_t
left_at_us(const struct queue *queue)
{
	return queue->left.at_us < queue->left_due.at_us ? queue->left.at_us : queue->left_due.at_us;
}

/* While its breaker is open, an endpoint needs only the jobs in memory, for probes. */
static bool
has_enough(const struct queue *queue)
{
	return !queue->must_look && queue->breaker.state != BREAKER_CLOSED && queue_waiting(queue) > 0;
}

bool
look_is_for_marks(const struct queue *queue)
{
	return queue->state == ENDPOINT_LOADED && endpoint_is_unusable(queue->config);
}

static void
look_at_nothing(struct queue *queue)
{
	queue->look_at_us = queue->left.at_us = queue->left_due.at_us = NEVER_US;
}

void
look_update(struct look *look, struct queue *queue)
{
	/* When the endpoint delivers again, its configuration comes again, and with it a look at its rows. */
	if (queue_keeps_nothing(queue)) {
		if (!look_is_for_marks(queue))
			look_at_nothing(queue);
		if (queue->round == ROUND_OPEN)
			queue->round = ROUND_NONE;
	}
	if (queue->state == ENDPOINT_LOADING || queue->round == ROUND_READING || has_enough(queue) ||
	    queue->fifo.of_former_order > 0)
		heap_remove(&look->heap, &queue->look);
	else if (queue->round == ROUND_OPEN)
		heap_put(&look->heap, &queue->look, queue->next_us);
	else if (queue->look_at_us == NEVER_US)
		heap_remove(&look->heap, &queue->look);
	else
		heap_put(&look->heap, &queue->look,
		    later(later(queue->look_at_us, queue->next_us),
			queue->must_look ? 0 : queue->held_until_us - LOOK_AHEAD_US));
}

static void
bring_nearer(struct look *look, struct queue *queue, int64_t at_us)
{
	if (at_us >= queue->look_at_us)
		return;
	queue->look_at_us = at_us;
	look_update(look, queue);
}

static void
add_left(struct look *look, struct queue *queue, struct left_rows *left, const uint8_t from[16], int64_t at_us)
{
	if (left->at_us == NEVER_US || memcmp(from, left->from, sizeof left->from) < 0)
		memcpy(left->from, from, sizeof left->from);
	if (at_us < left->at_us)
		left->at_us = at_us;
	bring_nearer(look, queue, at_us);
}

void
look_leave(struct look *look, struct queue *queue, int64_t at_us)
{
	static const uint8_t first[16];

	add_left(look, queue, &queue->left, first, at_us);
}

void
look_leave_job(struct look *look, struct queue *queue, const uint8_t job_id[16], int64_t at_us)
{
	add_left(look, queue, &queue->left, job_id, at_us);
}

void
look_leave_due(struct look *look, struct queue *queue, const uint8_t job_id[16], int64_t due_us)
{
	if (due_us - LOOK_AHEAD_US <= look->now_us)
		add_left(look, queue, &queue->left, job_id, look->now_us);
	else
		add_left(look, queue, &queue->left_due, job_id, due_us - LOOK_AHEAD_US);
}

void
look_behind(struct look *look, struct queue *queue, int64_t at_us)
{
	bring_nearer(look, queue, at_us);
}

bool
look_is_behind(const struct look *look, const struct queue *queue)
{
	return queue->fifo.on && left_at_us(queue) > look->now_us;
}

void
look_anew(struct look *look, struct queue *queue)
{
	queue->must_look = true;
	look_from_start(look, queue);
}

void
look_from_start(struct look *look, struct queue *queue)
{
	if (queue->round == ROUND_OPEN)
		queue->round = ROUND_NONE;
	queue->fifo.from_start = queue->round == ROUND_READING;
	look_leave(look, queue, look->now_us);
	look_update(look, queue);
}

void
look_unmarked(struct look *look, struct queue *queue, int64_t now_us)
{
	if (look_is_for_marks(queue))
		look_leave(look, queue, now_us + UNMARKED_US);
}

void
look_marked(struct look *look, struct queue *queue)
{
	look_at_nothing(queue); /* jobs added from now on bring look_at_us back */
	look_update(look, queue);
}

/* Sets id to the next lower id; zeros stay zeros. */
static void
make_less(uint8_t id[16])
{
	size_t i = 16;

	while (i > 0 && id[i - 1] == 0)
		i--;
	if (i == 0)
		return;
	id[i - 1]--;
	memset(id + i, 0xff, 16 - i);
}

/*
 * Sets the cursor. Rows with an order are read by place, from the start. Other rows are read from the first job that
 * was left. Starting there skips the delivered jobs: PostgreSQL would have to pass over their dead rows one by one
 * while an old transaction keeps them from being vacuumed. All other jobs that were left stand behind the cursor, so
 * the round finds them too.
 */
static void
begin_with_left(const struct look *look, struct queue *queue)
{
	struct left_rows *left = &queue->left, *due = &queue->left_due, *first = left;

	if (due->at_us <= look->now_us &&
	    (left->at_us > look->now_us || memcmp(due->from, left->from, sizeof due->from) < 0))
		first = due;
	memcpy(queue->cursor, first->from, sizeof queue->cursor);
	if (queue->fifo.on)
		memset(queue->cursor, 0, sizeof queue->cursor);
	if (memcmp(left->from, queue->cursor, sizeof left->from) >= 0)
		left->at_us = NEVER_US;
	if (memcmp(due->from, queue->cursor, sizeof due->from) >= 0)
		due->at_us = NEVER_US;
	make_less(queue->cursor);
}

void
look_begin_round(struct look *look, struct queue *queue)
{
	queue->must_look = queue->fifo.from_start = false;
	if (!look_is_behind(look, queue)) {
		begin_with_left(look, queue);
		queue->cursor_seq = FIFO_BEFORE_ALL;
		fifo_round_begins(&queue->fifo);
	}
	queue->look_at_us = left_at_us(queue);
	queue->pages = 0;
	queue->pages_took_us = 0;
	look_reads(look, queue);
}

void
look_reads(struct look *look, struct queue *queue)
{
	queue->round = ROUND_READING;
	queue->pages++;
	look_update(look, queue);
}

void
look_pause_round(struct look *look, struct queue *queue, int64_t until_us)
{
	queue->round = queue->must_look || queue->fifo.from_start ? ROUND_NONE : ROUND_OPEN;
	queue->next_us = until_us;
	look_update(look, queue);
}

void
look_end_round(struct look *look, struct queue *queue)
{
	int64_t gap_us = later(queue->pages * GAP_PAGE_US, queue->pages_took_us * GAP_OF_READING);

	if (gap_us > GAP_MOST_US)
		gap_us = GAP_MOST_US;
	queue->round = ROUND_NONE;
	queue->next_us = look->now_us + later(gap_us, queue->fifo.on ? GAP_FIFO_US : GAP_LEAST_US);
	look_update(look, queue);
}

struct queue *
look_due(const struct look *look, int64_t now_us)
{
	struct heap_item *first = heap_first(&look->heap);

	return first == NULL || first->at > now_us ? NULL : HEAP_THING(first, struct queue, look);
}

int64_t
look_due_us(const struct look *look)
{
	const struct heap_item *first = heap_first(&look->heap);

	return first == NULL ? NEVER_US : first->at;
}
