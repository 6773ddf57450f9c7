/* Keeps the time at which each endpoint's rows are to be read. */
#include "courier/read_schedule.h"

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
unread_at_us(const struct queue *queue)
{
	return queue->unread.at_us < queue->unread_due.at_us ? queue->unread.at_us : queue->unread_due.at_us;
}

/* While its breaker is open, an endpoint needs only the jobs in memory, for probes. */
static bool
has_enough(const struct queue *queue)
{
	return !queue->must_read && queue->breaker.state != BREAKER_CLOSED && queue_waiting(queue) > 0;
}

bool
read_schedule_is_for_marks(const struct queue *queue)
{
	return queue->state == ENDPOINT_LOADED && endpoint_is_unusable(queue->config);
}

static void
read_nothing(struct queue *queue)
{
	queue->read_at_us = queue->unread.at_us = queue->unread_due.at_us = NEVER_US;
}

void
read_schedule_update(struct read_schedule *schedule, struct queue *queue)
{
	/* When the endpoint delivers again, its configuration comes again, and with it a look at its rows. */
	if (queue_keeps_nothing(queue)) {
		if (!read_schedule_is_for_marks(queue))
			read_nothing(queue);
		if (queue->round == ROUND_OPEN)
			queue->round = ROUND_NONE;
	}
	if (queue->state == ENDPOINT_LOADING || queue->round == ROUND_READING || has_enough(queue) ||
	    queue->fifo.of_former_order > 0)
		heap_remove(&schedule->heap, &queue->read);
	else if (queue->round == ROUND_OPEN)
		heap_put(&schedule->heap, &queue->read, queue->next_us);
	else if (queue->read_at_us == NEVER_US)
		heap_remove(&schedule->heap, &queue->read);
	else
		heap_put(&schedule->heap, &queue->read,
		    later(later(queue->read_at_us, queue->next_us),
			queue->must_read ? 0 : queue->held_until_us - READ_AHEAD_US));
}

static void
bring_nearer(struct read_schedule *schedule, struct queue *queue, int64_t at_us)
{
	if (at_us >= queue->read_at_us)
		return;
	queue->read_at_us = at_us;
	read_schedule_update(schedule, queue);
}

static void
add_unread(struct read_schedule *schedule, struct queue *queue, struct unread_rows *unread, const uint8_t from[16],
    int64_t at_us)
{
	if (unread->at_us == NEVER_US || memcmp(from, unread->from, sizeof unread->from) < 0)
		memcpy(unread->from, from, sizeof unread->from);
	if (at_us < unread->at_us)
		unread->at_us = at_us;
	bring_nearer(schedule, queue, at_us);
}

void
read_schedule_all(struct read_schedule *schedule, struct queue *queue, int64_t at_us)
{
	static const uint8_t first[16];

	add_unread(schedule, queue, &queue->unread, first, at_us);
}

void
read_schedule_job(struct read_schedule *schedule, struct queue *queue, const uint8_t job_id[16], int64_t at_us)
{
	add_unread(schedule, queue, &queue->unread, job_id, at_us);
}

void
read_schedule_due_job(struct read_schedule *schedule, struct queue *queue, const uint8_t job_id[16], int64_t due_us)
{
	if (due_us - READ_AHEAD_US <= schedule->now_us)
		add_unread(schedule, queue, &queue->unread, job_id, schedule->now_us);
	else
		add_unread(schedule, queue, &queue->unread_due, job_id, due_us - READ_AHEAD_US);
}

void
read_schedule_new_rows(struct read_schedule *schedule, struct queue *queue, int64_t at_us)
{
	bring_nearer(schedule, queue, at_us);
}

bool
read_schedule_is_new_rows(const struct read_schedule *schedule, const struct queue *queue)
{
	return queue->fifo.on && unread_at_us(queue) > schedule->now_us;
}

void
read_schedule_anew(struct read_schedule *schedule, struct queue *queue)
{
	queue->must_read = true;
	read_schedule_from_start(schedule, queue);
}

void
read_schedule_from_start(struct read_schedule *schedule, struct queue *queue)
{
	if (queue->round == ROUND_OPEN)
		queue->round = ROUND_NONE;
	queue->fifo.from_start = queue->round == ROUND_READING;
	read_schedule_all(schedule, queue, schedule->now_us);
	read_schedule_update(schedule, queue);
}

void
read_schedule_unmarked(struct read_schedule *schedule, struct queue *queue, int64_t now_us)
{
	if (read_schedule_is_for_marks(queue))
		read_schedule_all(schedule, queue, now_us + UNMARKED_US);
}

void
read_schedule_marked(struct read_schedule *schedule, struct queue *queue)
{
	read_nothing(queue); /* jobs added from now on bring read_at_us back */
	read_schedule_update(schedule, queue);
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
begin_with_unread(const struct read_schedule *schedule, struct queue *queue)
{
	struct unread_rows *unread = &queue->unread, *due = &queue->unread_due, *first = unread;

	if (due->at_us <= schedule->now_us &&
	    (unread->at_us > schedule->now_us || memcmp(due->from, unread->from, sizeof due->from) < 0))
		first = due;
	memcpy(queue->cursor, first->from, sizeof queue->cursor);
	if (queue->fifo.on)
		memset(queue->cursor, 0, sizeof queue->cursor);
	if (memcmp(unread->from, queue->cursor, sizeof unread->from) >= 0)
		unread->at_us = NEVER_US;
	if (memcmp(due->from, queue->cursor, sizeof due->from) >= 0)
		due->at_us = NEVER_US;
	make_less(queue->cursor);
}

void
read_schedule_begin_round(struct read_schedule *schedule, struct queue *queue)
{
	queue->must_read = queue->fifo.from_start = false;
	if (!read_schedule_is_new_rows(schedule, queue)) {
		begin_with_unread(schedule, queue);
		queue->cursor_seq = FIFO_BEFORE_ALL;
		fifo_round_begins(&queue->fifo);
	}
	queue->read_at_us = unread_at_us(queue);
	queue->pages = 0;
	queue->pages_took_us = 0;
	read_schedule_page_asked(schedule, queue);
}

void
read_schedule_page_asked(struct read_schedule *schedule, struct queue *queue)
{
	queue->round = ROUND_READING;
	queue->pages++;
	read_schedule_update(schedule, queue);
}

void
read_schedule_pause_round(struct read_schedule *schedule, struct queue *queue, int64_t until_us)
{
	queue->round = queue->must_read || queue->fifo.from_start ? ROUND_NONE : ROUND_OPEN;
	queue->next_us = until_us;
	read_schedule_update(schedule, queue);
}

void
read_schedule_end_round(struct read_schedule *schedule, struct queue *queue)
{
	int64_t gap_us = later(queue->pages * GAP_PAGE_US, queue->pages_took_us * GAP_OF_READING);

	if (gap_us > GAP_MOST_US)
		gap_us = GAP_MOST_US;
	queue->round = ROUND_NONE;
	queue->next_us = schedule->now_us + later(gap_us, queue->fifo.on ? GAP_FIFO_US : GAP_LEAST_US);
	read_schedule_update(schedule, queue);
}

struct queue *
read_schedule_next(const struct read_schedule *schedule, int64_t now_us)
{
	struct heap_item *first = heap_first(&schedule->heap);

	return first == NULL || first->at > now_us ? NULL : HEAP_ENTRY(first, struct queue, read);
}

int64_t
read_schedule_next_us(const struct read_schedule *schedule)
{
	const struct heap_item *first = heap_first(&schedule->heap);

	return first == NULL ? NEVER_US : first->at;
}
