/*
 * The endpoints that the loop has asked the follower for, and the changed endpoints that are still to be read, known or
 * not. For the store thread.
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
	bool exists, holds, fifo, exact_limits;
	uint32_t max_in_flight;
	int64_t lifetime_ms;
	uint32_t seen; /* the last look at its tenant that found it */
};

struct changed_endpoint {
	struct changed_endpoint *next;
	char *tenant_id;
	uint8_t endpoint_id[16];
};

/* All zero: none is known. */
struct known_endpoints {
	struct id_table table;
	uint32_t with_fifo; /* known endpoints with fifo */
	struct changed_endpoint *first, *last; /* to be read */
	uint32_t looks; /* at tenants */
};

void known_endpoints_free(struct known_endpoints *known);

/* NULL: it is not known. */
struct known_endpoint *known_endpoint_find(const struct known_endpoints *known, const uint8_t endpoint_id[16]);

/* Add an endpoint to the known ones, and remove it. */
void known_endpoint_add(struct known_endpoints *known, const char *tenant_id, const uint8_t endpoint_id[16]);
void known_endpoint_forget(struct known_endpoints *known, const uint8_t endpoint_id[16]);

/* Whether config changes how its limits are shared among nodes. false if it did not exist before, or does not now. */
bool known_endpoint_has_other_limits(const struct known_endpoint *endpoint, const struct endpoint_config *config);

/* Records what was read; config NULL: there is no such endpoint. */
void known_endpoint_set(
    struct known_endpoints *known, struct known_endpoint *endpoint, const struct endpoint_config *config);

/* Adds an endpoint to the end of those to be read; removes the first, which has been read. */
void changed_endpoint_add(struct known_endpoints *known, const char *tenant_id, const uint8_t endpoint_id[16]);
void changed_endpoint_remove_first(struct known_endpoints *known);

/*
 * A look at a tenant: begin; then compare each of its endpoints in the store, with its version and whether it has
 * changed lately; then the end, which finds endpoints that are gone from the store.
 */
void known_endpoints_look(struct known_endpoints *known);
void known_endpoints_compare(struct known_endpoints *known, const char *tenant_id, const uint8_t endpoint_id[16],
    int64_t version, bool recent); /* five: an endpoint as its row says */
void known_endpoints_end_look(struct known_endpoints *known, const char *tenant_id);

/*
 * Adds the known endpoints of removed tenants to those to be read. page: all existing tenants behind `after`, in the
 * order of bytes, up to the page's last; ends: no tenant follows the page.
 */
void known_endpoints_find_orphans(
    struct known_endpoints *known, const char *after, const struct db_rows *page, bool ends);

#endif
