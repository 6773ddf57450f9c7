/*
 * Calls on their way between the loop and the workers: a queue in front of the workers, and one back. Any thread of
 * control.
 */
#ifndef CONTROL_CALL_QUEUE_H
#define CONTROL_CALL_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/call.h"

struct call_queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct call *first, **end; /* end: where the next one is linked */
	uint32_t count, most;
	bool closed;
};

/* Makes an empty queue for at most `most` calls. */
void call_queue_init(struct call_queue *queue, uint32_t most);

/* Appends. Returns false when the queue is full or closed: the call stays the caller's. */
bool call_queue_put(struct call_queue *queue, struct call *call);

/*
 * Takes the oldest call; waits for one until until_us, steady (INT64_MAX: for ever; 0: not at all). NULL: none came, or
 * the queue is closed.
 */
struct call *call_queue_take(struct call_queue *queue, int64_t until_us);

/* Takes that call out. false: it is not in the queue any more. */
bool call_queue_remove(struct call_queue *queue, struct call *call);

uint32_t call_queue_count(struct call_queue *queue);

/* Closes the queue: it takes and gives nothing more, and waiting threads return. Does not free its calls. */
void call_queue_close(struct call_queue *queue);
bool call_queue_closed(struct call_queue *queue);

#endif
