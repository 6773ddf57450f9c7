/*
 * Endpoints that the service disables by itself, because of what deliveries came to. With the endpoint's row go an
 * audit row, the tenant's routing version, and a notice, which becomes the event "hookline.endpoint.disabled"
 * (store/webhooks/notice_rows.h).
 */
#ifndef STORE_WEBHOOKS_ENDPOINT_DISABLING_H
#define STORE_WEBHOOKS_ENDPOINT_DISABLING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/uuid.h"
#include "store/db.h"

/* ONLY_FAILED: it has only failed for five days; the statement finds out whether that is so. */
enum disabling_cause { DISABLED_BY_410, DISABLED_BY_REPLY, DISABLED_ONLY_FAILED };

/* Its word in endpoints.disabled_reason and the API: "http_410", "asked_for_by_reply", "failed_for_5_days". */
const char *disabling_reason(enum disabling_cause cause);

/* Everything is borrowed. */
struct endpoint_disabling {
	struct span tenant_id;
	const uint8_t *endpoint_id; /* 16 bytes */
	enum disabling_cause cause;
	int64_t breaker_version; /* of the attempt, but for ONLY_FAILED: what is another endpoint by now stays active */
	bool quiet; /* no notice is made: the delivery of one has led to this */
};

/*
 * Disables the endpoint in the transaction that db_begin() began. *disabled: it was active and is there; the caller
 * raises `changes` then, and after the commit says so by endpoint_disabled_log(). One whose row somebody has locked
 * stays active, but for ONLY_FAILED, which waits. Returns as db_query().
 */
int endpoint_disable(struct db *db, struct uuid_source *ids, const struct endpoint_disabling *disabling, bool *disabled,
    struct error *err);

/* The line in the log. */
void endpoint_disabled_log(const struct endpoint_disabling *disabling);

/* The order of endpoints that fail: those that have failed longest come first. All zero: before the first one. */
struct only_failed_place {
	int64_t since_ms;
	char *tenant_id; /* owned */
	uint8_t endpoint_id[16];
};

enum only_failed_column { ONLY_FAILED_SINCE, ONLY_FAILED_TENANT, ONLY_FAILED_ID };

/*
 * Active endpoints that have only failed for five days, behind that place, at most limit. Paused ones, and those of
 * paused tenants, are left alone. Returns as db_query().
 */
int endpoints_only_failed(
    struct db *db, const struct only_failed_place *place, uint32_t limit, struct db_rows **rows, struct error *err);

/* The place of such a row. An id that is no UUID is the last one of its tenant and time. */
void only_failed_place_set(struct only_failed_place *place, const struct db_rows *rows, uint32_t row);

/* Frees what it has; it is all zero then. */
void only_failed_place_free(struct only_failed_place *place);

#endif
