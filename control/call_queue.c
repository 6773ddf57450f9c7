/* A list under a lock. */
#include "control/call_queue.h"

#include <time.h>

void
call_queue_init(struct call_queue *queue, uint32_t most)
{
	pthread_condattr_t steady;

	*queue = (struct call_queue){.end = &queue->first, .most = most};
	(void)pthread_mutex_init(&queue->lock, NULL);
	(void)pthread_condattr_init(&steady);
	(void)pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&queue->changed, &steady);
	(void)pthread_condattr_destroy(&steady);
}

bool
call_queue_put(struct call_queue *queue, struct call *call)
{
	bool taken;

	pthread_mutex_lock(&queue->lock);
	taken = !queue->closed && queue->count < queue->most;
	if (taken) {
		call->next = NULL;
		*queue->end = call;
		queue->end = &call->next;
		queue->count++;
		(void)pthread_cond_signal(&queue->changed);
	}
	pthread_mutex_unlock(&queue->lock);
	return taken;
}

/* Unlinks the call at *link. */
static struct call *
unlink_at(struct call_queue *queue, struct call **link)
{
	struct call *call = *link;

	*link = call->next;
	if (queue->end == &call->next)
		queue->end = link;
	queue->count--;
	return call;
}

struct call *
call_queue_take(struct call_queue *queue, int64_t until_us)
{
	const struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
	struct call *call = NULL;
	int rc = 0;

	pthread_mutex_lock(&queue->lock);
	while (queue->first == NULL && !queue->closed && until_us != 0 && rc == 0)
		rc = until_us == INT64_MAX ? pthread_cond_wait(&queue->changed, &queue->lock)
					   : pthread_cond_timedwait(&queue->changed, &queue->lock, &until);
	if (queue->first != NULL && !queue->closed)
		call = unlink_at(queue, &queue->first);
	pthread_mutex_unlock(&queue->lock);
	return call;
}

bool
call_queue_remove(struct call_queue *queue, struct call *call)
{
	struct call **link;
	bool found;

	pthread_mutex_lock(&queue->lock);
	for (link = &queue->first; *link != NULL && *link != call;)
		link = &(*link)->next;
	found = *link == call;
	if (found)
		(void)unlink_at(queue, link);
	pthread_mutex_unlock(&queue->lock);
	return found;
}

uint32_t
call_queue_count(struct call_queue *queue)
{
	uint32_t count;

	pthread_mutex_lock(&queue->lock);
	count = queue->count;
	pthread_mutex_unlock(&queue->lock);
	return count;
}

void
call_queue_close(struct call_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	(void)pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

bool
call_queue_closed(struct call_queue *queue)
{
	bool closed;

	pthread_mutex_lock(&queue->lock);
	closed = queue->closed;
	pthread_mutex_unlock(&queue->lock);
	return closed;
}
