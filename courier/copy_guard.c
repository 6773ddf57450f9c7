/*
 * Over SQLite the file in DATA_DIR gets a new id before the store does. If a process dies in between, the two ids
 * differ, and the next start compares again.
 */
#include "courier/copy_guard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/format.h"
#include "base/log.h"
#include "base/uuid.h"
#include "courier/line_file.h"
#include "store/webhooks/audit.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/identity_rows.h"
#include "store/webhooks/pause_rows.h"
#include "store/webhooks/routing.h"

#define PREFIX "hl-store 1 "
#define REASON_BYTES 200

struct copy_guard {
	const struct config *config;
	struct db *db;
	struct store_identity here; /* store_id "": SQLite: DATA_DIR has no id; PostgreSQL: the server reports none */
	const char *differs; /* what differs, for people; NULL: nothing */
	int64_t waiting; /* jobs, if it differs */
};

static bool
is_embedded(const struct copy_guard *guard)
{
	return guard->config->hl_store == HL_STORE_EMBEDDED;
}

/* ---- the identity found here ---- */

static int
read_file(struct copy_guard *guard, struct error *err)
{
	char path[PATH_MAX] = "", line[LINE_FILE_BYTES];
	int rc = line_file_read(guard->config->data_dir, STORE_FILE, line, err);

	if (rc == 0 && strncmp(line, PREFIX, strlen(PREFIX)) == 0) {
		(void)snprintf(guard->here.store_id, sizeof guard->here.store_id, "%.*s", STORE_ID_BYTES - 1,
		    line + strlen(PREFIX));
	} else if (rc == 0 || rc == LINE_FILE_DAMAGED) {
		(void)line_file_path(guard->config->data_dir, STORE_FILE, path, err);
		log_warning("the file that names the embedded store is damaged: the store counts as a copy",
		    LOG_STR("path", path));
	}
	return rc < 0 ? rc : 0;
}

static int
look_here(struct copy_guard *guard, struct error *err)
{
	const char *deployment = guard->config->hl_deployment;

	if (deployment != NULL)
		(void)snprintf(guard->here.deployment, sizeof guard->here.deployment, "%s", deployment);
	return is_embedded(guard) ? read_file(guard, err) : identity_rows_server(guard->db, guard->here.store_id, err);
}

/* Makes a new id for a SQLite store and writes it to DATA_DIR. */
static int
make_id(struct copy_guard *guard, struct error *err)
{
	char line[LINE_FILE_BYTES], id[FORMAT_UUID_BYTES + 1] = "";
	uint8_t bytes[16];

	if (!is_embedded(guard))
		return 0;
	crypto_random(bytes, sizeof bytes);
	format_uuid(bytes, id);
	(void)snprintf(guard->here.store_id, sizeof guard->here.store_id, "%s", id);
	(void)snprintf(line, sizeof line, PREFIX "%s", id);
	return line_file_write(guard->config->data_dir, STORE_FILE, line, err);
}

/* ---- the identity in the store ---- */

static const char *
difference(const struct copy_guard *guard, const struct store_identity *stored)
{
	const char *here = guard->here.store_id;

	if (is_embedded(guard) ? strcmp(here, stored->store_id) != 0
			       : here[0] != '\0' && stored->store_id[0] != '\0' && strcmp(here, stored->store_id) != 0)
		return is_embedded(guard) ? "its DATA_DIR is another one" : "its database server is another one";
	return strcmp(guard->here.deployment, stored->deployment) != 0 ? "HL_DEPLOYMENT is another name" : NULL;
}

/* A connection may be older than the move that has begun on the store, or has left it. */
static int
read_stored(struct db *db, bool lock, struct store_identity *stored, bool *exists, struct error *err)
{
	int rc = identity_rows_read(db, lock, stored, exists, err);
	const char *refusal = rc == 0 ? identity_refusal(stored) : NULL;

	return refusal == NULL ? rc : error_set(err, "%s", refusal);
}

static int
add_audit(const struct copy_guard *guard, const char *reason, struct error *err)
{
	char after[REASON_BYTES + 64];
	struct uuid_source ids;
	int len = snprintf(after, sizeof after, "{\"tenant_id\":\"" PAUSE_OF_ALL "\",\"reason\":\"%s\"}", reason);
	const struct audit_entry entry = {
	    .tenant_id = guard->config->hl_tenant_id,
	    .action = "deliveries.pause",
	    .object_kind = "pause",
	    .object_id = PAUSE_OF_ALL,
	    .after = {after, (size_t)len},
	};

	uuid_source_init(&ids);
	return audit_add_by_service(guard->db, &ids, &entry, err);
}

static int
pause(const struct copy_guard *guard, struct error *err)
{
	char reason[REASON_BYTES];
	int64_t version;
	int len = snprintf(reason, sizeof reason,
	    "the store looks like a copy: %s, and %s%" PRId64 " jobs wait. A resume of all deliveries sends them",
	    guard->differs, guard->waiting >= IDENTITY_WAITING_MAX ? "at least " : "", guard->waiting);
	int rc = pause_rows_set(guard->db, PAUSE_OF_ALL, (struct span){reason, (size_t)len}, NULL, err);

	if (rc == 0)
		rc = add_audit(guard, reason, err);
	if (rc == 0)
		rc = routing_raise_all(guard->db, err);
	return rc == 0 ? changes_raise(guard->db, &version, err) : rc;
}

/* Runs in a transaction that has locked the row. Another node may have changed it before. */
static int
take_over(struct copy_guard *guard, struct error *err)
{
	struct store_identity stored;
	bool exists;
	int rc = read_stored(guard->db, true, &stored, &exists, err);

	guard->differs = rc == 0 && exists ? difference(guard, &stored) : NULL;
	if (rc != 0 || (exists && guard->differs == NULL))
		return rc;
	if (exists)
		rc = identity_rows_waiting(guard->db, &guard->waiting, err);
	if (rc == 0 && guard->waiting > 0)
		rc = pause(guard, err);
	if (rc == 0)
		rc = make_id(guard, err);
	if (rc == 0)
		rc = identity_rows_write(guard->db, &guard->here, err);
	return rc;
}

static void
log_difference(const struct copy_guard *guard)
{
	if (guard->differs != NULL && guard->waiting > 0)
		log_warning("the webhooks' store looks like a copy: deliveries are paused until somebody resumes them",
		    LOG_STR("why", guard->differs), LOG_INT("waiting", guard->waiting));
	else if (guard->differs != NULL)
		log_info("the webhooks' store has changed, and no job waits in it", LOG_STR("why", guard->differs));
}

int
copy_guard_check(const struct config *config, struct db *db, struct error *err)
{
	struct copy_guard guard = {.config = config, .db = db};
	struct store_identity stored;
	bool exists;
	int rc = look_here(&guard, err);

	if (rc == 0)
		rc = read_stored(db, false, &stored, &exists, err);
	if (rc != 0 || (exists && difference(&guard, &stored) == NULL))
		return rc;
	rc = db_begin(db, err);
	if (rc == 0)
		rc = take_over(&guard, err);
	rc = db_end(db, rc, err);
	if (rc == 0)
		log_difference(&guard);
	return rc;
}
