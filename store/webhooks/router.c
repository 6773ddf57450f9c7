/* A tree of tenants, and a list of them with the most recently used first. */
#include "store/webhooks/router.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "store/webhooks/routing.h"

/* The cache's own memory per tenant: the tree's node, and parts not counted by routes_bytes(). */
#define ENTRY_BYTES 128

struct cached {
	struct span tenant_id; /* the bytes are behind this struct */
	struct tenant_routes tenant;
	size_t bytes;
	TAILQ_ENTRY(cached) by_use;
};

struct router {
	const struct config *config;
	void *tree;
	TAILQ_HEAD(entries_head, cached) entries;
	size_t bytes;
};

static int
by_tenant(const void *a, const void *b)
{
	const struct cached *one = a, *other = b;
	size_t least = one->tenant_id.len < other->tenant_id.len ? one->tenant_id.len : other->tenant_id.len;
	int order = memcmp(one->tenant_id.base, other->tenant_id.base, least);

	return order != 0 ? order
			  : (one->tenant_id.len > other->tenant_id.len) - (one->tenant_id.len < other->tenant_id.len);
}

struct router *
router_new(const struct config *config)
{
	struct router *router = mem_new(1, sizeof *router);

	router->config = config;
	TAILQ_INIT(&router->entries);
	return router;
}

static struct cached *
find(const struct router *router, struct span tenant_id)
{
	const struct cached key = {.tenant_id = tenant_id};
	void *node = tfind(&key, &router->tree, by_tenant);

	return node != NULL ? *(struct cached **)node : NULL;
}

static void
drop(struct router *router, struct cached *entry)
{
	(void)tdelete(entry, &router->tree, by_tenant);
	TAILQ_REMOVE(&router->entries, entry, by_use);
	router->bytes -= entry->bytes;
	routes_free(entry->tenant.routes);
	free(entry);
}

static struct cached *
add(struct router *router, struct span tenant_id, const struct tenant_version *version, struct routes *routes)
{
	struct cached *entry = mem_new(1, sizeof *entry + tenant_id.len);
	char *name = (char *)(entry + 1);

	memcpy(name, tenant_id.base, tenant_id.len);
	entry->tenant_id = (struct span){name, tenant_id.len};
	entry->tenant = (struct tenant_routes){version->version, version->events_from_ms, routes};
	entry->bytes = ENTRY_BYTES + tenant_id.len + routes_bytes(routes);
	if (tsearch(entry, &router->tree, by_tenant) == NULL)
		mem_none(sizeof *entry);
	TAILQ_INSERT_HEAD(&router->entries, entry, by_use);
	router->bytes += entry->bytes;
	return entry;
}

typedef int read_version(struct db *db, struct span tenant_id, struct tenant_version *version, struct error *err);

/* Reads the version first: routes newer than it only cost another look, but older ones would go unnoticed. */
static int
load(struct router *router, struct db *db, read_version *read, struct span tenant_id, struct cached **found,
    struct error *err) /* six: the router, how, which, and what comes back */
{
	struct cached *old = find(router, tenant_id);
	struct routes *routes;
	struct tenant_version version;
	int rc = read(db, tenant_id, &version, err);

	*found = NULL;
	if (rc != 0)
		return rc;
	if (old != NULL && version.exists && old->tenant.version == version.version) {
		*found = old;
		return 0;
	}
	if (old != NULL)
		drop(router, old);
	if (!version.exists)
		return 0;
	rc = routing_read(db, router->config, tenant_id, &routes, err);
	if (rc == 0)
		*found = add(router, tenant_id, &version, routes);
	return rc;
}

static int
give(int rc, const struct cached *entry, const struct tenant_routes **found)
{
	*found = rc == 0 && entry != NULL ? &entry->tenant : NULL;
	return rc;
}

int
router_find(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err)
{
	struct cached *entry = find(router, tenant_id);

	if (entry == NULL)
		return router_refresh(router, db, tenant_id, found, err);
	TAILQ_REMOVE(&router->entries, entry, by_use);
	TAILQ_INSERT_HEAD(&router->entries, entry, by_use);
	return give(0, entry, found);
}

int
router_refresh(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err)
{
	struct cached *entry;
	int rc = load(router, db, routing_version, tenant_id, &entry, err);

	return give(rc, entry, found);
}

int
router_hold(
    struct router *router, struct db *db, struct span tenant_id, const struct tenant_routes **found, struct error *err)
{
	struct cached *entry;
	int rc = load(router, db, routing_hold, tenant_id, &entry, err);

	return give(rc, entry, found);
}

size_t
router_bytes(const struct router *router)
{
	return router->bytes;
}

void
router_trim(struct router *router)
{
	while (router->bytes > ROUTER_BYTES)
		drop(router, TAILQ_LAST(&router->entries, entries_head));
}

void
router_free(struct router *router)
{
	struct cached *entry;

	while ((entry = TAILQ_FIRST(&router->entries)) != NULL)
		drop(router, entry);
	free(router);
}
