/* Transforms shared by jobs. */
#include "courier/transform_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Up to this number of unused transforms are kept. */
#define UNUSED_MAX 64u

void
transform_cache_open(struct transform_cache *cache, struct store_thread *thread)
{
	*cache = (struct transform_cache){.thread = thread};
	TAILQ_INIT(&cache->unused);
}

static struct shared_transform *
find(const struct transform_cache *cache, struct span tenant_id, const uint8_t transform_id[16])
{
	for (struct id_link *link = id_table_find(&cache->table, transform_id); link != NULL;
	     link = id_table_next(link)) {
		struct shared_transform *shared = (struct shared_transform *)link;

		if (strlen(shared->tenant_id) == tenant_id.len &&
		    memcmp(shared->tenant_id, tenant_id.base, tenant_id.len) == 0)
			return shared;
	}
	return NULL;
}

static void
free_parsed(struct transform *transform)
{
	if (transform == NULL)
		return;
	transform_free(transform);
	free(transform);
}

static void
drop(struct transform_cache *cache, struct shared_transform *shared)
{
	assert(shared->references == 0);
	TAILQ_REMOVE(&cache->unused, shared, unused);
	cache->unused_count--;
	id_table_remove(&cache->table, &shared->link);
	cache->bytes -= shared->bytes;
	free_parsed(shared->transform);
	free(shared->tenant_id);
	free(shared);
}

void
transform_cache_close(struct transform_cache *cache)
{
	while (!TAILQ_EMPTY(&cache->unused))
		drop(cache, TAILQ_FIRST(&cache->unused));
	assert(cache->table.count == 0);
	id_table_free(&cache->table);
}

static struct shared_transform *
add(struct transform_cache *cache, struct span tenant_id, const uint8_t transform_id[16])
{
	struct shared_transform *shared = mem_new(1, sizeof *shared);

	memcpy(shared->link.id, transform_id, sizeof shared->link.id);
	shared->tenant_id = mem_new(tenant_id.len + 1, 1);
	memcpy(shared->tenant_id, tenant_id.base, tenant_id.len);
	shared->bytes = sizeof *shared + tenant_id.len + 1;
	cache->bytes += shared->bytes;
	TAILQ_INIT(&shared->parked);
	id_table_add(&cache->table, &shared->link);
	store_thread_load_transform(cache->thread, shared->tenant_id, transform_id);
	return shared;
}

struct shared_transform *
transform_cache_ref(struct transform_cache *cache, struct span tenant_id, const uint8_t transform_id[16])
{
	struct shared_transform *shared = find(cache, tenant_id, transform_id);

	if (shared == NULL) {
		shared = add(cache, tenant_id, transform_id);
	} else if (shared->references == 0) {
		TAILQ_REMOVE(&cache->unused, shared, unused);
		cache->unused_count--;
	}
	shared->references++;
	return shared;
}

void
transform_cache_unref(struct transform_cache *cache, struct shared_transform *shared)
{
	if (shared == NULL)
		return;
	assert(shared->references > 0);
	if (--shared->references > 0)
		return;
	assert(TAILQ_EMPTY(&shared->parked));
	TAILQ_INSERT_TAIL(&cache->unused, shared, unused);
	cache->unused_count++;
	/* An unreadable transform is read again the next time. */
	if (shared->state == TRANSFORM_UNREADABLE)
		drop(cache, shared);
	else if (cache->unused_count > UNUSED_MAX)
		drop(cache, TAILQ_FIRST(&cache->unused));
}

/* The approximate memory of a parsed transform. */
static uint64_t
parsed_bytes(const struct transform *transform)
{
	return sizeof *transform + transform->text.capacity + transform->step_count * sizeof *transform->steps +
	       transform->path_name_count * sizeof *transform->path_names;
}

struct shared_transform *
transform_cache_loaded(struct transform_cache *cache, struct message *message)
{
	const struct span tenant_id = {message->tenant_id, strlen(message->tenant_id)};
	struct shared_transform *shared = find(cache, tenant_id, message->id);
	struct transform *transform = message->transform;

	message->transform = NULL;
	if (shared == NULL || shared->state != TRANSFORM_LOADING) {
		free_parsed(transform);
		return NULL;
	}
	shared->state = transform != NULL ? TRANSFORM_LOADED : TRANSFORM_UNREADABLE;
	shared->transform = transform;
	if (transform != NULL) {
		shared->bytes += parsed_bytes(transform);
		cache->bytes += parsed_bytes(transform);
	} else if (shared->references == 0) {
		drop(cache, shared);
		return NULL;
	}
	return shared;
}
