/* A list under a lock, and an eventfd that is written when the list is no longer empty. */
#include "courier/news.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

int
news_open(struct news_queue *queue, struct error *err)
{
	queue->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	queue->first = NULL;
	queue->end = &queue->first;
	queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return queue->fd >= 0 ? 0 : error_errno(err, "cannot make an eventfd");
}

void
news_close(struct news_queue *queue)
{
	struct news *news;

	while ((news = news_take(queue)) != NULL)
		news_free(news);
	(void)close(queue->fd);
}

struct news *
news_new(enum news_kind kind, const char *tenant_id, const uint8_t *id)
{
	struct news *news = mem_new(1, sizeof *news);

	news->kind = kind;
	if (tenant_id != NULL)
		news->tenant_id = mem_strdup(tenant_id);
	if (id != NULL)
		memcpy(news->id, id, sizeof news->id);
	return news;
}

void
news_put(struct news_queue *queue, struct news *news)
{
	pthread_mutex_lock(&queue->lock);
	if (queue->first == NULL)
		(void)eventfd_write(queue->fd, 1);
	*queue->end = news;
	queue->end = &news->next;
	pthread_mutex_unlock(&queue->lock);
}

struct news *
news_take(struct news_queue *queue)
{
	struct news *news;
	eventfd_t count;

	pthread_mutex_lock(&queue->lock);
	news = queue->first;
	if (news == NULL) {
		(void)eventfd_read(queue->fd, &count);
	} else {
		queue->first = news->next;
		if (queue->first == NULL)
			queue->end = &queue->first;
		news->next = NULL;
	}
	pthread_mutex_unlock(&queue->lock);
	return news;
}

void
news_free(struct news *news)
{
	endpoint_config_give(news->config);
	if (news->transform != NULL)
		transform_free(news->transform);
	free(news->transform);
	pauses_free(&news->pauses);
	free(news->rows);
	free(news->stopped);
	free(news->memory);
	free(news->tenant_id);
	free(news);
}
