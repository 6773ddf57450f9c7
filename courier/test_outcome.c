/* If a COMMIT was in doubt and had succeeded, the repeat finds no row of the test and adds nothing. */
#include "courier/test_outcome.h"

#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "base/repeat.h"
#include "store/webhooks/attempt_rows.h"
#include "store/webhooks/test_rows.h"

/* The parts to store, the most first. */
enum form { WHOLE, WITHOUT_TEXTS, WITHOUT_ATTEMPT, FORMS };

static struct span
text_of(const char *text, enum form form)
{
	return form == WHOLE && text[0] != '\0' ? (struct span){text, strlen(text)} : (struct span){NULL, 0};
}

static int
write_in_one(struct db *db, const struct attempt_row *row, const char *tenant_id, enum form form, struct error *err)
{
	bool exists = false;
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = test_rows_end(db, tenant_id, row->attempt_id, &exists, err);
	if (rc == 0 && exists && form != WITHOUT_ATTEMPT)
		rc = attempt_rows_add_test(db, row, err);
	return db_end(db, rc, err);
}

static void
log_refused(const uint8_t endpoint_id[16], const struct error *why)
{
	static struct repeat refused; /* only the store thread uses it */
	uint64_t times = repeat_met(&refused, clock_steady_us());
	char id[FORMAT_UUID_BYTES + 1] = "";

	format_uuid(endpoint_id, id);
	if (times > 0)
		log_warning("the store refuses the result of a test: only a part of it is stored, or nothing",
		    LOG_STR("endpoint_id", id), LOG_STR("error", why->text), LOG_UINT("times", times));
}

int
test_outcome_write(struct db *db, const char *tenant_id, const uint8_t endpoint_id[16],
    const struct attempt_result *result, struct error *err)
{
	struct attempt_row row = {
	    .tenant_id = {tenant_id, strlen(tenant_id)},
	    .attempt_id = result->attempt_id,
	    .endpoint_id = endpoint_id,
	    .started_us = result->started_us,
	    .duration_ms = result->duration_ms,
	    .dns_ms = result->dns_ms,
	    .connect_ms = result->connect_ms,
	    .tls_ms = result->tls_ms,
	    .first_byte_ms = result->first_byte_ms,
	    .attempt_n = 1,
	    .http_status = result->http_status,
	};
	int rc = DB_REFUSED;

	for (enum form form = WHOLE; rc == DB_REFUSED && form < FORMS; form++) {
		row.peer_address = text_of(result->peer, form);
		row.error = text_of(result->error, form);
		row.certificate_error = text_of(result->certificate_error, form);
		row.response_body = text_of(result->response, form);
		rc = write_in_one(db, &row, tenant_id, form, err);
		if (rc == DB_REFUSED)
			log_refused(endpoint_id, err);
	}
	return rc == DB_REFUSED ? 0 : rc; /* its row stays until it expires */
}
