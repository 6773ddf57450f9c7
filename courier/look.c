/* When the rows of which endpoint are to be read. */
#include "courier/look.h"

#include <string.h>

#include "courier/endpoint_config.h"

/*
 * The next round begins so long after the one before, by the pages of that: rounds over very many rows do not keep the
 * store busy.
 */
#define GAP_LEAST_US (1000 * INT64_C(1000))
#define GAP_PAGE_US (10 * INT64_C(1000))
#define GAP_MOST_US (60 * INT64_C(1000000))
/* Jobs of endpoints with fifo come by rows alone: publishers only say that there are new ones. */
#define GAP_FIFO_US (50 * INT64_C(1000))
#define UNMARKED_US (10 * INT64_C(1000000)) /* new jobs of an endpoint whose row cannot be used are marked together */

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* While its breaker is open, the endpoint gets no more jobs than those of which the probes are made. */
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

void
look_update(struct look *look, struct queue *queue)
{
	/* When it delivers again it is read anew, and its rows are looked at then. */
	if (queue_keeps_nothing(queue)) {
		if (!look_is_for_marks(queue))
			queue->look_at_us = queue->full_at_us = NEVER_US;
		if (queue->round == ROUND_OPEN)
			queue->round = ROUND_NONE;
	}
	if (queue->state == ENDPOINT_LOADING || queue->round == ROUND_READING || has_enough(queue) ||
	    queue->fifo.strays > 0)
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

void
look_leave(struct look *look, struct queue *queue, int64_t at_us)
{
	if (at_us < queue->full_at_us)
		queue->full_at_us = at_us;
	bring_nearer(look, queue, at_us);
}

void
look_behind(struct look *look, struct queue *queue, int64_t at_us)
{
	bring_nearer(look, queue, at_us);
}

bool
look_is_behind(const struct look *look, const struct queue *queue)
{
	return queue->fifo.on && queue->full_at_us > look->now_us;
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
	queue->look_at_us = queue->full_at_us = NEVER_US; /* what is added from now on brings it back */
	look_update(look, queue);
}

void
look_leave_due(struct look *look, struct queue *queue, int64_t due_us)
{
	look_leave(look, queue, later(due_us - LOOK_AHEAD_US, look->now_us));
}

void
look_begin_round(struct look *look, struct queue *queue)
{
	queue->must_look = queue->fifo.from_start = false;
	if (!look_is_behind(look, queue)) {
		queue->full_at_us = NEVER_US; /* what is left out from now on brings it back */
		memset(queue->cursor, 0, sizeof queue->cursor);
		queue->cursor_seq = FIFO_BEFORE_ALL;
		fifo_round_begins(&queue->fifo);
	}
	queue->look_at_us = queue->full_at_us;
	queue->pages = 0;
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
	int64_t gap_us = queue->pages * GAP_PAGE_US;

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
