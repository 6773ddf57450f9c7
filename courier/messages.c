/* A list under a lock, and an eventfd that is written when the list is no longer empty. */
#include "courier/messages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

int
message_queue_open(struct message_queue *queue, struct error *err)
{
	queue->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	queue->first = NULL;
	queue->end = &queue->first;
	queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return queue->fd >= 0 ? 0 : error_errno(err, "cannot make an eventfd");
}

void
message_queue_close(struct message_queue *queue)
{
	struct message *message;

	while ((message = message_queue_take(queue)) != NULL)
		message_free(message);
	(void)close(queue->fd);
}

struct message *
message_new(enum message_kind kind, const char *tenant_id, const uint8_t *id)
{
	struct message *message = mem_new(1, sizeof *message);

	message->kind = kind;
	if (tenant_id != NULL)
		message->tenant_id = mem_strdup(tenant_id);
	if (id != NULL)
		memcpy(message->id, id, sizeof message->id);
	return message;
}

void
message_queue_put(struct message_queue *queue, struct message *message)
{
	pthread_mutex_lock(&queue->lock);
	if (queue->first == NULL)
		(void)eventfd_write(queue->fd, 1);
	*queue->end = message;
	queue->end = &message->next;
	pthread_mutex_unlock(&queue->lock);
}

struct message *
message_queue_take(struct message_queue *queue)
{
	struct message *message;
	eventfd_t count;

	pthread_mutex_lock(&queue->lock);
	message = queue->first;
	if (message == NULL) {
		(void)eventfd_read(queue->fd, &count);
	} else {
		queue->first = message->next;
		if (queue->first == NULL)
			queue->end = &queue->first;
		message->next = NULL;
	}
	pthread_mutex_unlock(&queue->lock);
	return message;
}

void
message_free(struct message *message)
{
	endpoint_config_unref(message->config);
	if (message->transform != NULL)
		transform_free(message->transform);
	free(message->transform);
	pauses_free(&message->pauses);
	free(message->rows);
	free(message->stopped);
	free(message->memory);
	free(message->tenant_id);
	free(message);
}
