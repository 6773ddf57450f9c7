/* The endpoints and tenants that a courier knows of. */
#include "courier/queues.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "shm/attempts.h"

#define FORGET_AFTER_US (10 * 60 * INT64_C(1000000))

void
queues_open(struct queues *queues, struct store_thread *thread)
{
	*queues = (struct queues){.thread = thread, .opened_us = clock_steady_us()};
	TAILQ_INIT(&queues->unused);
}

/* ---- tenants ---- */

static bool
is_named(const struct tenant *tenant, struct span name)
{
	return strlen(tenant->tenant_id) == name.len && memcmp(tenant->tenant_id, name.base, name.len) == 0;
}

static void
id_of(uint64_t hash, uint8_t id[16])
{
	memset(id, 0, 16);
	memcpy(id, &hash, sizeof hash);
}

static struct tenant *
find_tenant(const struct queues *queues, struct span name)
{
	uint8_t id[16];
	struct id_link *link;

	id_of(tenant_hash(name), id);
	for (link = id_table_find(&queues->tenants, id); link != NULL; link = id_table_next(link))
		if (is_named((struct tenant *)link, name))
			return (struct tenant *)link;
	return NULL;
}

static struct tenant *
get_tenant(struct queues *queues, struct span name)
{
	struct tenant *tenant = find_tenant(queues, name);

	if (tenant != NULL)
		return tenant;
	tenant = mem_new(1, sizeof *tenant);
	tenant->hash = tenant_hash(name);
	id_of(tenant->hash, tenant->link.id);
	tenant->tenant_id = mem_new(name.len + 1, 1);
	memcpy(tenant->tenant_id, name.base, name.len);
	tenant->paused = pauses_have(&queues->pauses, name);
	tenant->turn.id = tenant->link.id;
	id_table_add(&queues->tenants, &tenant->link);
	return tenant;
}

static void
give_tenant(struct queues *queues, struct tenant *tenant)
{
	if (--tenant->queues > 0)
		return;
	assert(tenant->place == READY_NOWHERE && tenant->in_flight == 0);
	heap_free(&tenant->ready);
	id_table_remove(&queues->tenants, &tenant->link);
	free(tenant->tenant_id);
	free(tenant);
}

void
queues_pause(struct queues *queues, struct message *message, int64_t now_us)
{
	struct id_link **links = id_table_list(&queues->tenants);

	pauses_free(&queues->pauses);
	queues->pauses = message->pauses;
	message->pauses = (struct pauses){0};
	for (uint32_t i = 0; i < queues->tenants.count; i++) {
		struct tenant *tenant = (struct tenant *)links[i];
		bool paused = pauses_have(&queues->pauses, (struct span){tenant->tenant_id, strlen(tenant->tenant_id)});

		if (tenant->paused && !paused)
			tenant->resumed_us = now_us;
		tenant->paused = paused;
	}
	free(links);
}

/* ---- endpoints ---- */

struct queue *
queues_find(const struct queues *queues, struct span tenant_id, const uint8_t endpoint_id[16])
{
	struct id_link *link = id_table_find(&queues->table, endpoint_id);

	for (; link != NULL; link = id_table_next(link))
		if (is_named(((struct queue *)link)->tenant, tenant_id))
			return (struct queue *)link;
	return NULL;
}

static bool
is_in_use(const struct queue *queue)
{
	return queue->job_count > 0 || queue->round != ROUND_NONE || queue->state == ENDPOINT_LOADING ||
	       queue->lease.state != LEASE_NONE;
}

void
queues_note_use(struct queues *queues, struct queue *queue, int64_t now_us)
{
	bool unused = !is_in_use(queue);

	if (queue->is_unused)
		TAILQ_REMOVE(&queues->unused, queue, unused);
	queue->is_unused = unused;
	if (!unused)
		return;
	queue->unused_since_us = now_us;
	TAILQ_INSERT_TAIL(&queues->unused, queue, unused);
}

struct queue *
queues_get(struct queues *queues, struct span tenant_id, const uint8_t endpoint_id[16], int64_t now_us)
{
	struct queue *queue = queues_find(queues, tenant_id, endpoint_id);

	if (queue != NULL)
		return queue;
	queue = mem_new(1, sizeof *queue);
	memcpy(queue->link.id, endpoint_id, sizeof queue->link.id);
	queue->size.id = queue->due.id = queue->read.id = queue->turn.id = queue->lease_due.id = queue->link.id;
	queue->tenant = get_tenant(queues, tenant_id);
	queue->tenant->queues++;
	TAILQ_INIT(&queue->jobs);
	queue->read_at_us = queue->unread.at_us = queue->unread_due.at_us = NEVER_US;
	id_table_add(&queues->table, &queue->link);
	queues->breakers[queue->written_breaker]++;
	queues_note_use(queues, queue, now_us);
	return queue;
}

struct endpoint_name
queues_name(const struct queue *queue)
{
	struct endpoint_name name = {.tenant_id = queue->tenant->tenant_id};

	memcpy(name.endpoint_id, queue->link.id, sizeof name.endpoint_id);
	return name;
}

void
queues_read_anew(struct queues *queues, const struct queue *queue)
{
	const struct endpoint_name name = queues_name(queue);

	store_thread_load_endpoint(queues->thread, &name);
}

void
queues_load(struct queues *queues, struct queue *queue)
{
	if (queue->state != ENDPOINT_UNLOADED)
		return;
	queue->state = ENDPOINT_LOADING;
	queues_read_anew(queues, queue);
}

void
queues_write_breaker(struct queues *queues, struct queue *queue)
{
	const struct endpoint_name name = queues_name(queue);

	if (queue->breaker.state == queue->written_breaker)
		return;
	queues->breakers[queue->written_breaker]--;
	queues->breakers[queue->breaker.state]++;
	queue->written_breaker = queue->breaker.state;
	store_thread_write_breaker(queues->thread, &name, queue->breaker.state);
}

/* Resumes the breaker that the store knows, for a new endpoint; closes it if breaker_version has changed. */
static void
take_breaker(struct queues *queues, struct queue *queue)
{
	const struct endpoint_config *config = queue->config;

	if (config == NULL)
		breaker_reset(&queue->breaker);
	else if (queue->breaker_version == 0 && config->breaker != BREAKER_CLOSED)
		breaker_resume(&queue->breaker);
	else if (queue->breaker_version != config->breaker_version)
		breaker_reset(&queue->breaker);
	if (config != NULL)
		queue->breaker_version = config->breaker_version;
	queues_write_breaker(queues, queue);
}

struct queue *
queues_loaded(struct queues *queues, struct message *message, int64_t now_us)
{
	const struct span tenant_id = {message->tenant_id, strlen(message->tenant_id)};
	struct queue *queue = queues_find(queues, tenant_id, message->id);
	struct endpoint_config *config = message->config;
	bool kept_nothing;

	message->config = NULL;
	if (queue == NULL || queue->state == ENDPOINT_UNLOADED) {
		endpoint_config_unref(config);
		return NULL;
	}
	kept_nothing = queue_keeps_nothing(queue);
	/*
	 * A pause that the receiver asked for ends with a change of the configuration; the host's name may have
	 * changed.
	 */
	if (config != NULL && queue->config != NULL && config->version != queue->config->version) {
		queue->held_until_us = 0;
		queue->unresolved = 0;
	}
	endpoint_config_unref(queue->config);
	queue->config = config;
	queue->state = config != NULL ? ENDPOINT_LOADED : ENDPOINT_GONE;
	queue->disabling = false;
	take_breaker(queues, queue);
	if (kept_nothing && !queue_keeps_nothing(queue))
		queue->resumed_us = now_us;
	return queue;
}

/* ---- forgetting ---- */

/* Tells the store thread to forget the endpoint. */
static void
unload(struct queues *queues, struct queue *queue)
{
	const struct endpoint_name name = queues_name(queue);

	if (queue->state != ENDPOINT_UNLOADED)
		store_thread_forget_endpoint(queues->thread, &name);
	endpoint_config_unref(queue->config);
	queue->config = NULL;
	queue->state = ENDPOINT_UNLOADED;
	fifo_clear(&queue->fifo);
}

static void
drop(struct queues *queues, struct queue *queue)
{
	assert(queue->job_count == 0 && queue->place == READY_NOWHERE && queue_waiting(queue) == 0);
	assert(!queue->is_held_back);
	assert(queue->due.place == 0 && queue->read.place == 0 && queue->size.place == 0);
	assert(queue->lease_due.place == 0);
	unload(queues, queue);
	queues->breakers[queue->written_breaker]--;
	id_table_remove(&queues->table, &queue->link);
	heap_free(&queue->waiting[JOB_FIRST]);
	heap_free(&queue->waiting[JOB_AGAIN]);
	give_tenant(queues, queue->tenant);
	free(queue);
}

void
queues_forget_unused(struct queues *queues, int64_t now_us)
{
	struct queue *queue;

	while ((queue = TAILQ_FIRST(&queues->unused)) != NULL && now_us - queue->unused_since_us >= FORGET_AFTER_US) {
		TAILQ_REMOVE(&queues->unused, queue, unused);
		queue->is_unused = false;
		if (queue->state == ENDPOINT_LOADED && queue_keeps_nothing(queue))
			queues_note_use(queues, queue, now_us);
		else if (queue->read_at_us != NEVER_US)
			unload(queues, queue);
		else
			drop(queues, queue);
	}
}

void
queues_close(struct queues *queues)
{
	uint32_t count = queues->table.count;
	struct id_link **links = id_table_list(&queues->table);

	for (uint32_t i = 0; i < count; i++)
		drop(queues, (struct queue *)links[i]);
	free(links);
	id_table_free(&queues->table);
	id_table_free(&queues->tenants);
	pauses_free(&queues->pauses);
}
