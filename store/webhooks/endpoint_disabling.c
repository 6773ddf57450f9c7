/* An endpoint's row is locked before its tenant's routing version, as in control and in couriers. */
#include "store/webhooks/endpoint_disabling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/format.h"
#include "base/json_object.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/text_rules.h"
#include "store/webhooks/audit.h"
#include "store/webhooks/notice_rows.h"
#include "store/webhooks/pause_rows.h"
#include "store/webhooks/routing.h"

#define NOTICE_TOPIC "hookline.endpoint.disabled"
#define HOST_BYTES_MAX 300 /* of a URL's host and port */

/* Five days without a success; two failures at least 12 hours apart; the last one within five days. */
#define ONLY_FAILED                                                                                                    \
	"state = 'active' AND deleted_at IS NULL AND enabled AND NOT paused "                                          \
	"AND failing_since <= hl_time(hl_ms(hl_now()) - 432000000) "                                                   \
	"AND last_failure_at >= hl_time(hl_ms(failing_since) + 43200000) "                                             \
	"AND last_failure_at >= hl_time(hl_ms(hl_now()) - 432000000) "                                                 \
	"AND NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.tenant_id IN (endpoints.tenant_id, '" PAUSE_OF_ALL "'))"

#define DISABLE                                                                                                        \
	"UPDATE endpoints SET state = 'disabled', disabled_reason = $3, version = version + 1, "                       \
	"updated_at = hl_now() WHERE tenant_id = $1 AND endpoint_id = $2 AND "
#define RETURNED " RETURNING url, hl_ms(failing_since), hl_ms(last_success_at), hl_ms(updated_at)"

enum column { URL, FAILING_SINCE, LAST_SUCCESS, NOW };

static const char *const reasons[] = {
    [DISABLED_BY_410] = "http_410",
    [DISABLED_BY_REPLY] = "asked_for_by_reply",
    [DISABLED_ONLY_FAILED] = "failed_for_5_days",
};

const char *
disabling_reason(enum disabling_cause cause)
{
	return reasons[cause];
}

int
endpoints_only_failed(
    struct db *db, const struct only_failed_place *place, uint32_t limit, struct db_rows **rows, struct error *err)
{
	static const struct db_statement find = {
	    "SELECT hl_ms(failing_since), tenant_id, endpoint_id FROM endpoints WHERE " ONLY_FAILED
	    " AND (hl_ms(failing_since), tenant_id, endpoint_id) > ($1, $2, $3)"
	    " ORDER BY hl_ms(failing_since), tenant_id, endpoint_id LIMIT $4"};
	const struct db_param params[] = {db_int(place->since_ms),
	    db_string(place->tenant_id != NULL ? place->tenant_id : ""), db_uuid(place->endpoint_id), db_int(limit)};

	return db_query(db, &find, params, 4, rows, err);
}

void
only_failed_place_set(struct only_failed_place *place, const struct db_rows *rows, uint32_t row)
{
	struct span id = db_rows_text(rows, row, ONLY_FAILED_ID);

	place->since_ms = db_rows_int(rows, row, ONLY_FAILED_SINCE);
	free(place->tenant_id);
	place->tenant_id = mem_strdup(db_rows_text(rows, row, ONLY_FAILED_TENANT).base);
	if (!uuid_parse(id.base, id.len, place->endpoint_id))
		memset(place->endpoint_id, 0xff, sizeof place->endpoint_id);
}

void
only_failed_place_free(struct only_failed_place *place)
{
	free(place->tenant_id);
	*place = (struct only_failed_place){0};
}

/* Skips a locked row, because outcomes of other jobs would wait too. The next attempt's reply asks again. */
#define AS_IT_WAS "state = 'active' AND deleted_at IS NULL AND breaker_version = $4"
#define UNLOCKED                                                                                                       \
	"endpoint_id IN (SELECT endpoint_id FROM endpoints WHERE tenant_id = $1 AND endpoint_id = $2 AND " AS_IT_WAS   \
	" FOR NO KEY UPDATE SKIP LOCKED)"

static int
change_row(struct db *db, const struct endpoint_disabling *disabling, struct db_rows **rows, struct error *err)
{
	static const struct db_statement only_failed = {DISABLE ONLY_FAILED RETURNED},
					 by_attempt = {DISABLE UNLOCKED RETURNED, DISABLE AS_IT_WAS RETURNED};
	const struct db_param params[] = {db_text(disabling->tenant_id), db_uuid(disabling->endpoint_id),
	    db_string(disabling_reason(disabling->cause)), db_int(disabling->breaker_version)};

	return disabling->cause == DISABLED_ONLY_FAILED ? db_query(db, &only_failed, params, 3, rows, err)
							: db_query(db, &by_attempt, params, 4, rows, err);
}

/* ---- audit ---- */

static int
add_audit(struct db *db, struct uuid_source *ids, const char *tenant_id, const struct endpoint_disabling *disabling,
    struct error *err)
{
	static const char before[] = "{\"state\":\"active\"}";
	char object_id[FORMAT_UUID_BYTES + 1] = "", after[128];
	int len = snprintf(after, sizeof after, "{\"state\":\"disabled\",\"disabled_reason\":\"%s\"}",
	    disabling_reason(disabling->cause));
	const struct audit_entry entry = {
	    .tenant_id = tenant_id,
	    .action = "endpoint.disable",
	    .object_kind = "endpoint",
	    .object_id = object_id,
	    .before = {before, sizeof before - 1},
	    .after = {after, (size_t)len},
	};

	format_uuid(disabling->endpoint_id, object_id);
	return audit_add_by_service(db, ids, &entry, err);
}

/* ---- the notice ---- */

/* The host and port of a URL, without a user's name. base NULL: none that can be shown. */
static struct span
host_of(struct span url)
{
	static const char before[] = "://";
	const char *begin = memmem(url.base, url.len, before, strlen(before));
	struct span host = {NULL, 0};

	if (begin == NULL)
		return host;
	host.base = begin + strlen(before);
	for (const char *end = url.base + url.len; host.base + host.len < end; host.len++) {
		char c = host.base[host.len];

		if (c == '/' || c == '?' || c == '#')
			break;
		if (c <= ' ' || c > '~')
			return (struct span){NULL, 0};
	}
	for (const char *at; (at = memchr(host.base, '@', host.len)) != NULL;)
		host = (struct span){at + 1, (size_t)(host.base + host.len - at - 1)};
	return host.len > 0 && host.len <= HOST_BYTES_MAX ? host : (struct span){NULL, 0};
}

/* Adds a time, or null if there is none. */
static void
add_time(struct json_object *object, const char *key, const struct db_rows *rows, enum column column)
{
	char text[24] = "null";

	if (!db_rows_null(rows, 0, column))
		(void)snprintf(text, sizeof text, "%lld", (long long)db_rows_int(rows, 0, column));
	json_object_add_json(object, key, (struct span){text, strlen(text)});
}

static int
add_notice(struct db *db, struct uuid_source *ids, const struct endpoint_disabling *disabling,
    const struct db_rows *rows, struct error *err)
{
	struct bytes payload = {0};
	struct json_object object = json_object_begin(&payload);

	json_object_add_uuid(&object, "endpoint_id", disabling->endpoint_id);
	json_object_add(&object, "host", host_of(db_rows_text(rows, 0, URL)));
	json_object_add_text(&object, "reason", disabling_reason(disabling->cause));
	add_time(&object, "failing_since", rows, FAILING_SINCE);
	add_time(&object, "last_success_at", rows, LAST_SUCCESS);
	add_time(&object, "disabled_at", rows, NOW);
	json_object_end(&object);

	const struct notice notice = {
	    disabling->tenant_id, {NOTICE_TOPIC, strlen(NOTICE_TOPIC)}, {payload.base, payload.len}};
	int rc = notice_add(db, ids, &notice, err);

	bytes_free(&payload);
	return rc;
}

int
endpoint_disable(struct db *db, struct uuid_source *ids, const struct endpoint_disabling *disabling, bool *disabled,
    struct error *err)
{
	char tenant_id[TENANT_ID_MAX + 1] = "";
	struct db_rows *rows;
	int rc = change_row(db, disabling, &rows, err);

	if (rc != 0)
		return rc;
	*disabled = db_rows_count(rows) > 0;
	if (*disabled) {
		memcpy(tenant_id, disabling->tenant_id.base, disabling->tenant_id.len);
		rc = add_audit(db, ids, tenant_id, disabling, err);
		if (rc == 0 && !disabling->quiet)
			rc = add_notice(db, ids, disabling, rows, err);
		if (rc == 0)
			rc = routing_raise(db, tenant_id, err);
	}
	db_rows_free(rows);
	return rc;
}

void
endpoint_disabled_log(const struct endpoint_disabling *disabling)
{
	char tenant_id[TENANT_ID_MAX + 1] = "", id[FORMAT_UUID_BYTES + 1] = "";

	memcpy(tenant_id, disabling->tenant_id.base, disabling->tenant_id.len);
	format_uuid(disabling->endpoint_id, id);
	log_warning("an endpoint is disabled because of its deliveries", LOG_STR("endpoint_id", id),
	    LOG_STR("tenant_id", tenant_id), LOG_STR("reason", disabling_reason(disabling->cause)));
}
