/*
 * Disables endpoints because of the results of their deliveries. Together with the endpoint's row it writes an audit
 * row, the tenant's routing version, and a notice, which becomes the event "hookline.endpoint.disabled"
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

/* ONLY_FAILED: it has only failed for five days, which the statement checks. */
enum disabling_cause { DISABLED_BY_410, DISABLED_BY_REPLY, DISABLED_ONLY_FAILED };

/* Its word in endpoints.disabled_reason and the API: "http_410", "asked_for_by_reply", "failed_for_5_days". */
const char *disabling_reason(enum disabling_cause cause);

/* Everything is borrowed. */
struct endpoint_disabling {
	struct span tenant_id;
	const uint8_t *endpoint_id; /* 16 bytes */
	enum disabling_cause cause;
	int64_t breaker_version; /* of the attempt (not for ONLY_FAILED): if it has changed the endpoint stays active */
	bool quiet; /* make no notice: the delivery of a notice has caused this */
};

/*
 * Disables the endpoint in the open transaction. *disabled: it was active; the caller then raises `changes`, and calls
 * endpoint_disabled_log() after the commit. An endpoint with a locked row stays active, but ONLY_FAILED waits for the
 * row. Returns as db_query().
 */
int endpoint_disable(struct db *db, struct uuid_source *ids, const struct endpoint_disabling *disabling, bool *disabled,
    struct error *err);

/* Writes the line to the log. */
void endpoint_disabled_log(const struct endpoint_disabling *disabling);

/* A place among failing endpoints, in the order of failing_since. All zero: before the first one. */
struct only_failed_place {
	int64_t since_ms;
	char *tenant_id; /* owned */
	uint8_t endpoint_id[16];
};

enum only_failed_column { ONLY_FAILED_SINCE, ONLY_FAILED_TENANT, ONLY_FAILED_ID };

/*
 * At most limit active endpoints behind that place that have only failed for five days. Leaves out paused ones and
 * those of paused tenants. Returns as db_query().
 */
int endpoints_only_failed(
    struct db *db, const struct only_failed_place *place, uint32_t limit, struct db_rows **rows, struct error *err);

/* Sets the place to that of a row. An id that is no UUID counts as the last one of its tenant and time. */
void only_failed_place_set(struct only_failed_place *place, const struct db_rows *rows, uint32_t row);

/* Frees its members and zeroes it. */
void only_failed_place_free(struct only_failed_place *place);

#endif
