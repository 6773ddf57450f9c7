/*
 * Works in slices of rows, each a transaction with its audit row. Skips secrets that are encrypted with the present key
 * already, so an interrupted request can simply be repeated.
 */
#include "control/secret_rotation.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/change.h"
#include "api/secrets.h"
#include "control/tree.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/secret_rows.h"

#define SLICE_ROWS 200u
#define MARGIN_US (1000 * 1000) /* before the deadline, for the commit of a slice and the reply */

struct rotation {
	struct db_rows *before; /* the last committed slice; NULL: none */
	struct db_rows *slice; /* the present one */
	uint64_t done; /* endpoints whose secrets were re-encrypted by committed slices */
	uint64_t done_by_slice;
	uint64_t unreadable; /* endpoints with an unreadable secret */
	uint64_t unreadable_by_slice;
	uint64_t missed; /* endpoints that were changed meanwhile */
	uint64_t missed_by_slice;
};

/* The texts of one row, to be stored. */
struct sealed {
	struct bytes secret, old_secret, headers;
};

static int
seal_again(const struct secrets *secrets, const struct secret_place *place, struct span *stored, struct bytes *out,
    struct error *err)
{
	struct bytes plain = {0};
	int rc = 0;

	if (stored->base == NULL || secret_is_current(secrets, *stored))
		return 0;
	rc = secret_read(secrets, place, *stored, &plain, err);
	if (rc == 0) {
		secret_seal(secrets, place, (struct span){plain.base, plain.len}, out);
		*stored = (struct span){out->base, out->len};
	}
	secret_wipe(&plain);
	return rc;
}

/* Re-encrypts the row's texts as needed; they then point into sealed. <0: one of them cannot be read. */
static int
seal_row(const struct secrets *secrets, struct secret_row *row, struct sealed *sealed, struct error *err)
{
	struct secret_place place = {row->tenant_id, row->endpoint_id, SECRET_SIGNING};
	int rc = seal_again(secrets, &place, &row->secret, &sealed->secret, err);

	if (rc == 0)
		rc = seal_again(secrets, &place, &row->old_secret, &sealed->old_secret, err);
	place.kind = SECRET_HEADERS;
	return rc == 0 ? seal_again(secrets, &place, &row->headers, &sealed->headers, err) : rc;
}

static int
rotate_row(const struct request *request, struct rotation *rotation, uint32_t number, struct error *err)
{
	struct secret_row row = secret_row_of(rotation->slice, number);
	const struct secret_row before = row;
	struct sealed sealed = {0};
	struct error why;
	bool written = false;
	int rc = 0;

	if (seal_row(request->context->secrets, &row, &sealed, &why) < 0) {
		rotation->unreadable_by_slice++;
		log_warning("the secrets of an endpoint cannot be encrypted with the present master key",
		    LOG_STR("endpoint_id", row.endpoint_id.base), LOG_STR("error", why.text));
	} else if (row.secret.base != before.secret.base || row.old_secret.base != before.old_secret.base ||
		   row.headers.base != before.headers.base) {
		rc = secret_rows_write(request->db, &row, &written, err);
		rotation->done_by_slice += written;
		rotation->missed_by_slice += !written;
	}
	bytes_free(&sealed.secret);
	bytes_free(&sealed.old_secret);
	bytes_free(&sealed.headers);
	return rc;
}

static int
record(const struct request *request, const struct rotation *rotation, struct error *err)
{
	const struct change change = {"secrets.rotate", "installation", "", request->caller.tenant_id};
	cJSON *after = tree_new();
	int64_t version;
	int rc;

	tree_add_int(after, "reencrypted", (int64_t)rotation->done_by_slice);
	rc = change_audit(request, &change, NULL, after, err);
	if (rc == 0)
		rc = changes_raise(request->db, &version, err);
	cJSON_Delete(after);
	return rc;
}

/*
 * Handles the rows behind the last slice, in a transaction. The answer is only for change_run(): the final reply is
 * made later.
 */
static int
rotate_slice(const struct request *request, void *context, struct reply *reply, struct error *err)
{
	struct rotation *rotation = context;
	uint32_t passed = db_rows_count(rotation->before);
	struct secret_row last = {0};
	int rc;

	if (passed > 0)
		last = secret_row_of(rotation->before, passed - 1);
	db_rows_free(rotation->slice);
	rotation->slice = NULL;
	rotation->done_by_slice = rotation->unreadable_by_slice = rotation->missed_by_slice = 0;
	rc = secret_rows_after(
	    request->db, last.tenant_id.base, last.endpoint_id.base, SLICE_ROWS, &rotation->slice, err);
	for (uint32_t row = 0; rc == 0 && row < db_rows_count(rotation->slice); row++)
		rc = rotate_row(request, rotation, row, err);
	if (rc == 0 && rotation->done_by_slice > 0)
		rc = record(request, rotation, err);
	if (rc == 0)
		answer_nothing(reply);
	return rc;
}

/* Starts again if endpoints were changed meanwhile: such a change keeps other secrets encrypted with the old key. */
static void
begin_again(struct rotation *rotation, bool *end)
{
	db_rows_free(rotation->before);
	rotation->before = NULL;
	rotation->unreadable = rotation->missed = 0;
	*end = false;
}

/* Rotates the next slice. *end: it was the last. false: the reply is an error. */
static bool
next_slice(const struct request *request, struct rotation *rotation, bool *end, struct reply *reply)
{
	if (!change_run(request, rotate_slice, rotation, reply))
		return false;
	reply_reset(reply);
	rotation->done += rotation->done_by_slice;
	rotation->unreadable += rotation->unreadable_by_slice;
	rotation->missed += rotation->missed_by_slice;
	*end = db_rows_count(rotation->slice) < SLICE_ROWS;
	db_rows_free(rotation->before);
	rotation->before = rotation->slice;
	rotation->slice = NULL;
	if (*end && rotation->missed > 0)
		begin_again(rotation, end);
	return true;
}

static void
answer_done(const struct rotation *rotation, struct reply *reply)
{
	cJSON *tree;

	if (rotation->unreadable > 0) {
		answer_error(reply, 409, "conflict",
		    "%" PRIu64 " endpoints have secrets that none of the master keys opens; %" PRIu64
		    " others were encrypted anew. The log names them",
		    rotation->unreadable, rotation->done);
		return;
	}
	tree = tree_new();
	tree_add_bool(tree, "ok", true);
	tree_add_text(tree, "message", (struct span){"the secrets are encrypted with HL_MASTER_KEY", 44});
	tree_add_int(tree, "reencrypted", (int64_t)rotation->done);
	answer_json(reply, 200, tree);
}

/* Rotates slices until the last one, or until the reply is an error. */
static void
rotate_all(const struct request *request, struct rotation *rotation, struct reply *reply)
{
	bool end = false;

	while (!end) {
		if (clock_steady_us() >= request->deadline_us - MARGIN_US) {
			reply->retry_after_seconds = 1;
			answer_error(reply, 503, "store_unavailable",
			    "%" PRIu64 " endpoints were done; ask again, and it goes on from there", rotation->done);
			return;
		}
		if (!next_slice(request, rotation, &end, reply))
			return;
	}
	answer_done(rotation, reply);
}

void
secrets_rotate(const struct request *request, struct reply *reply)
{
	const struct config *config = request->context->config;
	struct rotation rotation = {0};

	if (!request->context->secrets->encrypts) {
		answer_error(reply, 409, "conflict", "HL_MASTER_KEY is not set: there is no key to encrypt with");
		return;
	}
	if (config->hl_master_key_old == NULL || config->hl_master_key_old[0] == '\0') {
		answer_error(reply, 409, "conflict",
		    "HL_MASTER_KEY_OLD is not set: it lists the keys that encrypted the secrets before. For secrets "
		    "that "
		    "were stored without a key it may name HL_MASTER_KEY's");
		return;
	}
	rotate_all(request, &rotation, reply);
	db_rows_free(rotation.before);
	db_rows_free(rotation.slice);
}
