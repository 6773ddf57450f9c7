/* The statement that disables an endpoint checks it again: it may have recovered. */
#include "control/failing_endpoints.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/text_rules.h"
#include "control/propagation.h"
#include "shm/counters.h"
#include "store/webhooks/changes.h"

#define AT_ONCE 100

static int
disable(struct failing_endpoints *failing, struct db *db, const struct endpoint_disabling *disabling, struct error *err)
{
	bool disabled = false;
	int64_t version = 0;
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = endpoint_disable(db, &failing->ids, disabling, &disabled, err);
	if (rc == 0 && disabled)
		rc = changes_raise(db, &version, err);
	rc = db_end(db, rc, err);
	if (rc != 0 || !disabled)
		return rc;
	propagation_wake_couriers(failing->segment, version);
	counter_add(segment_slot(failing->segment, ROLE_CONTROL, 0), COUNTER_ENDPOINTS_DISABLED_ONLY_FAILED, 1);
	endpoint_disabled_log(disabling);
	return 0;
}

static void
log_refused(struct failing_endpoints *failing, const char *endpoint_id, const struct error *err)
{
	uint64_t times = repeat_met(&failing->refused, clock_steady_us());

	if (times > 0)
		log_warning("the store refuses to disable an endpoint: it stays active", LOG_STR("error", err->text),
		    LOG_STR("endpoint_id", endpoint_id), LOG_UINT("times", times));
}

static int
disable_row(
    struct failing_endpoints *failing, struct db *db, const struct db_rows *rows, uint32_t row, struct error *err)
{
	struct span id = db_rows_text(rows, row, ONLY_FAILED_ID);
	uint8_t endpoint_id[16];
	const struct endpoint_disabling disabling = {.tenant_id = db_rows_text(rows, row, ONLY_FAILED_TENANT),
	    .endpoint_id = endpoint_id,
	    .cause = DISABLED_ONLY_FAILED};
	int rc = 0;

	/* The row may have been edited. */
	if (disabling.tenant_id.len > 0 && disabling.tenant_id.len <= TENANT_ID_MAX &&
	    uuid_parse(id.base, id.len, endpoint_id))
		rc = disable(failing, db, &disabling, err);
	if (rc == DB_REFUSED)
		log_refused(failing, id.base, err);
	return rc == DB_REFUSED ? 0 : rc;
}

int
failing_endpoints_turn(struct failing_endpoints *failing, struct db *db, struct error *err)
{
	struct db_rows *rows;
	int rc = endpoints_only_failed(db, &failing->place, AT_ONCE, &rows, err);

	if (rc != 0)
		return rc;
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(rows); row++) {
		only_failed_place_set(&failing->place, rows, row);
		rc = disable_row(failing, db, rows, row, err);
	}
	if (rc == 0 && db_rows_count(rows) < AT_ONCE)
		only_failed_place_free(&failing->place);
	db_rows_free(rows);
	return rc;
}

void
failing_endpoints_free(struct failing_endpoints *failing)
{
	only_failed_place_free(&failing->place);
}
