/*
 * Endpoints in the webhooks' store. Each function sees only the endpoints of the given tenant, and none whose
 * deleted_at is set: upkeep removes these. Ids are UUIDs in lower case. Secrets and headers are passed as stored
 * (api/secrets.h).
 *
 * The functions return what db_query() does (store/db.h). Those that change something are for a transaction.
 */
#ifndef STORE_WEBHOOKS_ENDPOINTS_H
#define STORE_WEBHOOKS_ENDPOINTS_H

#include "base/span.h"
#include "store/db.h"
#include "store/webhooks/list_slice.h"

/*
 * A row. Texts are borrowed from db_rows or from a document; base NULL: null. `enabled` is also false if the service
 * disabled the endpoint.
 */
struct endpoint {
	struct span id; /* UUIDv7 */
	int64_t version; /* 1 when it was made */
	struct span url;
	struct span secret, old_secret; /* as stored; old_secret may be null */
	int64_t old_secret_until; /* ms since 1970; 0 without old_secret */
	struct span headers; /* as stored: of a JSON object of strings */
	struct span name, description; /* may be null, as the following */
	struct span metadata, extra; /* JSON objects, as sent */
	struct span retry_schedule; /* JSON, as sent */
	int64_t max_attempts; /* 0: the schedule is not cut */
#define ENDPOINT_BOOL(name, ...) bool name;
#define ENDPOINT_INT(name, ...) int64_t name;
#define ENDPOINT_CHOICE(name, ...) struct span name;
#include "store/webhooks/endpoint_fields.def"

	/* The service's part: endpoints_update() writes it only with reset_state. */
	struct span state, disabled_reason; /* the latter may be null */
	int64_t failing_since, last_success_at; /* ms since 1970; 0: none */
	int64_t created_at, updated_at;
	struct span breaker; /* "closed", "open", "half_open" */
	int64_t breaker_version; /* version of the last change of url, secret or enabled, which closes the breaker */
};

/* The endpoint of a row of endpoints_get(), _insert(), _update() or _list(); it borrows from rows. */
struct endpoint endpoint_of_row(const struct db_rows *rows, uint32_t row);

/*
 * Reads one. *rows has one row, or none: there is no such endpoint. for_update: in a transaction; locks the row until
 * its end.
 */
int endpoints_get(struct db *db, const char *tenant_id, struct span id, bool for_update, struct db_rows **rows,
    struct error *err); /* six: a key, how, and what comes back */

/* Makes one, with version 1. *rows has the stored row. Ignores the service's part. */
int endpoints_insert(
    struct db *db, const char *tenant_id, const struct endpoint *endpoint, struct db_rows **rows, struct error *err);

/*
 * Writes all members but id and version, and raises version by one. reset_state: activates an endpoint that the service
 * disabled, and resets its run of failures. That, or another secret, closes the breaker. The end of a pause also resets
 * the run, because no attempt was made meanwhile. *rows has the stored row; none: it is deleted.
 */
int endpoints_update(struct db *db, const char *tenant_id, const struct endpoint *endpoint, bool reset_state,
    struct db_rows **rows, struct error *err); /* six: see above */

/* Marks it as deleted. */
int endpoints_delete(struct db *db, const char *tenant_id, struct span id, struct error *err);

/* The endpoints of a tenant in the order of their ids. enabled: 1 or 0: only those; -1: all. */
int endpoints_list(struct db *db, const char *tenant_id, int enabled, const struct list_slice *slice,
    struct db_rows **rows, struct error *err); /* six: as above */

#endif
