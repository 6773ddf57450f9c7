/* Checks the webhooks' store over all tenants: stopped and late deliveries, and those that will stop soon. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/secrets.h"
#include "base/clock.h"
#include "cli/doctor.h"
#include "store/postgres/server_facts.h"
#include "store/sqlite/sqlite_facts.h"
#include "store/webhooks/identity_rows.h"
#include "store/webhooks/overview.h"
#include "store/webhooks/pause_rows.h"
#include "store/webhooks/secret_rows.h"
#include "store/webhooks_store.h"

#define STATEMENT_MS 4000
#define DAY_MS (24 * 3600 * INT64_C(1000))
#define KEY_DAYS 14
/* Jobs of failing endpoints get a later due time, so an overdue job waits for something else. */
#define LATE_MS (5 * 60 * INT64_C(1000))

static int64_t
now_ms(void)
{
	return clock_wall_us() / 1000;
}

/* "more than 100000", or the number. */
static const char *
counted(int64_t count, char out[32])
{
	bool more = count > OVERVIEW_ROWS;

	(void)snprintf(out, 32, "%s%" PRId64, more ? "more than " : "", more ? OVERVIEW_ROWS : count);
	return out;
}

/* Reports a failed statement. Returns whether it has failed. */
static bool
failed(const struct doctor *doctor, enum doctor_check check, int rc, const struct error *err)
{
	if (rc != 0)
		doctor_fail(doctor->out, check, "see webhooks.connection and webhooks.rights", "%s", err->text);
	return rc != 0;
}

static void
check_paused(const struct doctor *doctor, struct db *db)
{
	struct db_rows *rows = NULL;
	struct error err;
	char age[DOCTOR_AGE_BYTES];

	if (failed(doctor, CHECK_DELIVERIES_PAUSED, pause_rows_list(db, &rows, &err), &err))
		return;
	for (uint32_t i = 0; i < db_rows_count(rows); i++) {
		const char *tenant = db_rows_text(rows, i, PAUSE_COLUMN_TENANT_ID).base;
		const char *reason = db_rows_text(rows, i, PAUSE_COLUMN_REASON).base;
		bool all = strcmp(tenant, PAUSE_OF_ALL) == 0;
		int64_t since_ms = now_ms() - db_rows_int(rows, i, PAUSE_COLUMN_PAUSED_MS);

		doctor_warn(doctor->out, CHECK_DELIVERIES_PAUSED, "hooksctl admin resume",
		    "deliveries of %s%s are paused for %s: %s", all ? "all tenants" : "the tenant ", all ? "" : tenant,
		    doctor_age(since_ms / 1000, age), reason != NULL ? reason : "no reason given");
	}
	if (db_rows_count(rows) == 0)
		doctor_ok(doctor->out, CHECK_DELIVERIES_PAUSED, "none");
	db_rows_free(rows);
}

static void
check_endpoints(const struct doctor *doctor, struct db *db)
{
	struct overview_endpoints found;
	struct error err;
	char age[DOCTOR_AGE_BYTES] = "";

	if (failed(doctor, CHECK_DELIVERIES_ENDPOINTS, overview_endpoints(db, &found, &err), &err))
		return;
	if (found.failing > 0)
		(void)doctor_age((now_ms() - found.failing_since_ms) / 1000, age);
	if (found.disabled + found.failing + found.open_breakers == 0)
		doctor_ok(doctor->out, CHECK_DELIVERIES_ENDPOINTS, "%" PRId64 ", of which none fails", found.all);
	else
		doctor_warn(doctor->out, CHECK_DELIVERIES_ENDPOINTS,
		    "hooksctl deliveries ls --status=failure tells why; hooksctl endpoints enable, when the receiver "
		    "works",
		    "of %" PRId64 " endpoints %" PRId64 " were disabled, %" PRId64 " fail%s%s, %" PRId64
		    " have open breakers",
		    found.all, found.disabled, found.failing, found.failing > 0 ? ", the longest for " : "", age,
		    found.open_breakers);
}

static void
check_queue(const struct doctor *doctor, struct db *db)
{
	struct overview_rows jobs;
	struct error err;
	char count[32], age[DOCTOR_AGE_BYTES];

	if (failed(doctor, CHECK_DELIVERIES_QUEUE, overview_jobs(db, &jobs, &err), &err))
		return;
	int64_t late_ms = jobs.ms != 0 ? now_ms() - jobs.ms : 0;
	if (late_ms >= LATE_MS)
		doctor_warn(doctor->out, CHECK_DELIVERIES_QUEUE,
		    "see deliveries.paused, deliveries.nodes; HooksDeliveriesLate in docs/operations.md has other "
		    "causes",
		    "%s jobs wait, and one is due for %s", counted(jobs.count, count), doctor_age(late_ms / 1000, age));
	else
		doctor_ok(
		    doctor->out, CHECK_DELIVERIES_QUEUE, "%s jobs wait, and none is late", counted(jobs.count, count));
}

static void
check_letters(const struct doctor *doctor, struct db *db)
{
	struct overview_rows letters;
	struct error err;
	char count[32], age[DOCTOR_AGE_BYTES];

	if (failed(doctor, CHECK_DELIVERIES_LETTERS, overview_dead_letters(db, &letters, &err), &err))
		return;
	if (letters.count > 0 && now_ms() - letters.ms < DAY_MS)
		doctor_warn(doctor->out, CHECK_DELIVERIES_LETTERS,
		    "hooksctl dlq ls, and requeue when the receiver works", "%s, the newest died %s ago",
		    counted(letters.count, count), doctor_age((now_ms() - letters.ms) / 1000, age));
	else
		doctor_ok(
		    doctor->out, CHECK_DELIVERIES_LETTERS, "%s, none of the last day", counted(letters.count, count));
}

static void
check_nodes(const struct doctor *doctor, struct db *db)
{
	struct db_rows *rows = NULL;
	struct error err;
	char age[DOCTOR_AGE_BYTES];
	uint32_t silent = 0;

	if (failed(doctor, CHECK_DELIVERIES_NODES, overview_nodes(db, &rows, &err), &err))
		return;
	for (uint32_t i = 0; i < db_rows_count(rows); i++) {
		int64_t silence_ms = db_rows_int(rows, i, 2);

		if (silence_ms < db_rows_int(rows, i, 3))
			continue;
		silent++;
		doctor_warn(doctor->out, CHECK_DELIVERIES_NODES,
		    "start it again with its DATA_DIR, or another hooksd, which takes its jobs over",
		    "node %" PRId64 " (%s) is silent for %s", db_rows_int(rows, i, 0), db_rows_text(rows, i, 1).base,
		    doctor_age(silence_ms / 1000, age));
	}
	if (silent == 0)
		doctor_ok(doctor->out, CHECK_DELIVERIES_NODES, "%" PRIu32 " deliver", db_rows_count(rows));
	db_rows_free(rows);
}

static void
check_secrets(const struct doctor *doctor, struct db *db)
{
	char fingerprint[SECRET_FINGERPRINT_BYTES + 1];
	struct secrets secrets;
	struct db_rows *rows = NULL;
	struct error err;
	uint32_t lost = 0;

	if (failed(doctor, CHECK_DELIVERIES_SECRETS, secret_rows_by_key(db, &rows, &err), &err))
		return;
	secrets_open(&secrets, doctor->config);
	for (uint32_t i = 0; i < db_rows_count(rows); i++) {
		if (!secret_lacks_key(&secrets, db_rows_text(rows, i, 0), fingerprint))
			continue;
		lost++;
		doctor_fail(doctor->out, CHECK_DELIVERIES_SECRETS,
		    "add that key to HL_MASTER_KEY_OLD, or set it as HL_MASTER_KEY",
		    "secrets of %" PRId64 " endpoints were encrypted by a key that is not configured (fingerprint %s)",
		    db_rows_int(rows, i, 1), fingerprint);
	}
	if (lost == 0 && secrets.encrypts)
		doctor_ok(doctor->out, CHECK_DELIVERIES_SECRETS,
		    "no key is missing; HL_MASTER_KEY has the fingerprint %s", secrets.fingerprints[0]);
	else if (lost == 0)
		doctor_ok(doctor->out, CHECK_DELIVERIES_SECRETS, "no key is missing");
	secrets_close(&secrets);
	db_rows_free(rows);
}

static void
check_keys(const struct doctor *doctor, struct db *db)
{
	struct db_rows *rows = NULL;
	struct error err;
	char age[DOCTOR_AGE_BYTES];
	int rc = overview_expiring_keys(db, now_ms() + KEY_DAYS * DAY_MS, &rows, &err);

	if (failed(doctor, CHECK_DELIVERIES_KEYS, rc, &err))
		return;
	for (uint32_t i = 0; i < db_rows_count(rows); i++)
		doctor_warn(doctor->out, CHECK_DELIVERIES_KEYS, "hooksctl tenants rotate-key",
		    "the key %s... of the tenant %s ends in %s", db_rows_text(rows, i, 1).base,
		    db_rows_text(rows, i, 0).base, doctor_age((db_rows_int(rows, i, 2) - now_ms()) / 1000, age));
	if (db_rows_count(rows) == 0)
		doctor_ok(doctor->out, CHECK_DELIVERIES_KEYS, "none ends within %d days", KEY_DAYS);
	db_rows_free(rows);
}

/* Whether the schema is not this program's, which the checks of schemas report: a start may migrate it. */
static bool
has_other_schema(const struct config *config)
{
	struct server *server = NULL;
	bool other = false;
	struct error err;
	int version, target;

	if (config->hl_store == HL_STORE_EMBEDDED)
		return sqlite_facts_schema(config->hl_data_path, true, &version, &target, &err) == 0 &&
		       version != target;
	if (server_open(&server, config->hl_postgres_url, &err) != 0)
		return false;
	for (int webhooks = 0; webhooks < 2 && !other; webhooks++)
		other = server_read_schema(server, webhooks != 0, &version, &target, &err) == 0 && version != target;
	server_close(server);
	return other;
}

/* Returns whether the service begins on the store. */
static bool
check_identity(const struct doctor *doctor, struct db *db)
{
	struct store_identity identity;
	struct error err;
	bool there;

	if (failed(doctor, CHECK_DELIVERIES_STORE, identity_rows_read(db, false, &identity, &there, &err), &err))
		return false;
	const char *refusal = identity_refusal(&identity);
	if (refusal != NULL)
		doctor_fail(doctor->out, CHECK_DELIVERIES_STORE, "see docs/moving.md", "%s", refusal);
	else
		doctor_ok(doctor->out, CHECK_DELIVERIES_STORE, "can be read");
	return refusal == NULL;
}

static void
check_rows(const struct doctor *doctor, struct db *db)
{
	check_paused(doctor, db);
	check_endpoints(doctor, db);
	check_queue(doctor, db);
	check_letters(doctor, db);
	check_nodes(doctor, db);
	check_secrets(doctor, db);
	check_keys(doctor, db);
}

void
doctor_deliveries(const struct doctor *doctor)
{
	static const struct db_env env = {0};
	struct config config = *doctor->config;
	struct db *db = NULL;
	struct error err;

	if (!config_api_is_on(&config) ||
	    (config.hl_store == HL_STORE_EMBEDDED && access(config.hl_data_path, F_OK) != 0))
		return;
	if (config.store_timeout_ms > STATEMENT_MS)
		config.store_timeout_ms = STATEMENT_MS;
	if (db_open_to_look(&db, &config, &env, &err) != 0) {
		if (!has_other_schema(&config))
			doctor_fail(
			    doctor->out, CHECK_DELIVERIES_STORE, "see webhooks.* or embedded.*", "%s", err.text);
		return;
	}
	if (check_identity(doctor, db))
		check_rows(doctor, db);
	db_close(db);
}
