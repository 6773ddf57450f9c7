/* What is found is checked again by the statement that disables it: it may be well by then. */
#include "control/failing_endpoints.h"

#include "base/log.h"
#include "config/text_rules.h"
#include "control/at_once.h"
#include "shm/counters.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/endpoint_disabling.h"

#define AT_ONCE 100

static int
disable(const struct segment *segment, struct uuid_source *ids, struct db *db,
    const struct endpoint_disabling *disabling, struct error *err)
{
	bool disabled = false;
	int64_t version = 0;
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = endpoint_disable(db, ids, disabling, &disabled, err);
	if (rc == 0 && disabled)
		rc = changes_raise(db, &version, err);
	rc = db_end(db, rc, err);
	if (rc != 0 || !disabled)
		return rc;
	at_once_tell(segment, version);
	counter_add(segment_slot(segment, ROLE_CONTROL, 0), COUNTER_ENDPOINTS_DISABLED_ONLY_FAILED, 1);
	endpoint_disabled_log(disabling);
	return 0;
}

int
failing_endpoints_disable(const struct segment *segment, struct uuid_source *ids, struct db *db, struct error *err)
{
	struct db_rows *rows;
	int rc = endpoints_only_failed(db, AT_ONCE, &rows, err);

	if (rc != 0)
		return rc;
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(rows); row++) {
		struct span id = db_rows_text(rows, row, 1);
		uint8_t endpoint_id[16];
		const struct endpoint_disabling disabling = {
		    .tenant_id = db_rows_text(rows, row, 0), .endpoint_id = endpoint_id, .cause = DISABLED_ONLY_FAILED};

		/* Somebody may have edited the row. */
		if (disabling.tenant_id.len > 0 && disabling.tenant_id.len <= TENANT_ID_MAX &&
		    uuid_parse(id.base, id.len, endpoint_id))
			rc = disable(segment, ids, db, &disabling, err);
		/* One that the store refuses to change stops no other. */
		if (rc == DB_REFUSED) {
			log_warning("the store refuses to disable an endpoint: it stays active",
			    LOG_STR("error", err->text), LOG_STR("endpoint_id", id.base));
			rc = 0;
		}
	}
	db_rows_free(rows);
	return rc;
}
