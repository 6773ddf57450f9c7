/*
 * The endpoints that the follower knows, because the loop has asked for them, and those that are to be read because
 * they have changed, known or not. For the store thread.
 */
#ifndef COURIER_KNOWN_ENDPOINTS_H
#define COURIER_KNOWN_ENDPOINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "courier/endpoint_config.h"
#include "courier/id_table.h"
#include "store/db_rows.h"

struct known_endpoint {
	struct id_link link; /* first */
	char *tenant_id;
	int64_t version;
	bool there, holds, fifo, exact_limits;
	uint32_t max_in_flight;
	int64_t lifetime_ms;
	uint32_t seen; /* the look at its tenant that has found it last */
};

struct changed_endpoint {
	struct changed_endpoint *next;
	char *tenant_id;
	uint8_t endpoint_id[16];
};

/* All zero knows none. */
struct known_endpoints {
	struct id_table table;
	uint32_t with_fifo; /* of these */
	struct changed_endpoint *first, *last; /* to be read */
	uint32_t looks; /* at tenants */
};

void known_endpoints_free(struct known_endpoints *known);

/* NULL: it is not known. */
struct known_endpoint *known_endpoint_find(const struct known_endpoints *known, const uint8_t endpoint_id[16]);

/* Is known from now on, and not any more. */
void known_endpoint_add(struct known_endpoints *known, const char *tenant_id, const uint8_t endpoint_id[16]);
void known_endpoint_forget(struct known_endpoints *known, const uint8_t endpoint_id[16]);

/* Whether its limits hold among nodes in another way by that. Not of one that was not there, or is not. */
bool known_endpoint_has_other_limits(const struct known_endpoint *endpoint, const struct endpoint_config *config);

/* As it was read; config is NULL when there is none. */
void known_endpoint_set(
    struct known_endpoints *known, struct known_endpoint *endpoint, const struct endpoint_config *config);

/* Is to be read, behind the others; the first one has been read. */
void changed_endpoint_add(struct known_endpoints *known, const char *tenant_id, const uint8_t endpoint_id[16]);
void changed_endpoint_remove_first(struct known_endpoints *known);

/*
 * A look at a tenant: begin, then all its endpoints in the store, each with its version and whether it has changed of
 * late, then the end, which finds those that are in the store no more.
 */
void known_endpoints_look(struct known_endpoints *known);
void known_endpoints_compare(struct known_endpoints *known, const char *tenant_id, const uint8_t endpoint_id[16],
    int64_t version, bool recent); /* five: an endpoint as its row says */
void known_endpoints_end_look(struct known_endpoints *known, const char *tenant_id);

/*
 * Those of tenants that are gone are to be read. page: tenants that are there, in the order of bytes, all of those
 * behind `after` up to the page's last one; ends: none stands behind the page.
 */
void known_endpoints_find_orphans(
    struct known_endpoints *known, const char *after, const struct db_rows *page, bool ends);

#endif
