/* The publisher is four functions; the other session raises versions as control does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "store/webhooks/routing.h"
#include "store/webhooks/sink_publish.h"
#include "store/webhooks_store.h"
#include "tests/unit/publish_fixture.h"

#define ENDPOINT "0190f5fe-0000-7000-8000-00000000000%c"
#define RECORDS_MAX 128

static const struct db_env no_env = {0};
static char directory[] = "/tmp/hooks-publish-XXXXXX";
static char path[128], standard[] = "5s";
struct config config;
static struct db *db; /* another session */
char tenant[32];
struct sink *sink;
struct error err;

/* ---- the publisher ---- */

struct node_row node = {.node_id = 1, .epoch = 77};
char handed[512]; /* "topic:1,2 topic:1" */
uint32_t ends, misses;
void (*in_mid_batch)(void); /* called when the node is asked for, before anything is stored */

static void
add(void *context, const struct record *event, const struct handover_job *jobs, uint32_t count, int64_t begun_us)
{
	struct span topic = record_published_string(event, PUBLISHED_TOPIC);
	char *end = handed + strlen(handed);

	assert_true(begun_us > 0);
	end += sprintf(end, "%s%.*s:", end > handed ? " " : "", (int)topic.len, topic.base);
	for (uint32_t i = 0; i < count; i++) {
		assert_true(jobs[i].expires_ms > 1767225600000);
		end += sprintf(end, "%s%u", i > 0 ? "," : "", jobs[i].number);
	}
}

static void
end_parcel(void *context)
{
	ends++;
}

static void
missed(void *context)
{
	misses++;
}

static bool
this_node(void *context, struct node_row *row)
{
	if (in_mid_batch != NULL)
		in_mid_batch();
	*row = node;
	return node.node_id != 0;
}

static const struct handing_over handing_over = {.add = add, .end = end_parcel, .missed = missed, .node = this_node};
void (*before_transaction)(void);

static int
take_turn(void *context, int64_t (*until_us)(void *), void *until_context, struct error *error)
{
	if (before_transaction != NULL)
		before_transaction();
	return 0;
}

static const struct db_env turns = {.take_write_turn = take_turn};
static const struct sink_env env = {.handing_over = &handing_over, .database = &turns};

/* ---- the store ---- */

static void
must(int rc)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, err.text);
}

/* Runs a statement about the tenant, $1, in a transaction that raises its version. */
void
change(const char *sql)
{
	const struct db_statement statement = {sql, NULL};
	const struct db_param params[] = {db_string(tenant)};

	must(db_begin(db, &err));
	must(db_query(db, &statement, params, 1, NULL, &err));
	must(routing_raise(db, tenant, &err));
	must(db_commit(db, &err));
}

/* The one value that a query of the tenant returns, as text. */
const char *
value(const char *sql)
{
	static char out[256];
	const struct db_statement statement = {sql, NULL};
	const struct db_param params[] = {db_string(tenant)};
	struct db_rows *rows;
	struct span text;

	must(db_query(db, &statement, params, 1, &rows, &err));
	text = db_rows_count(rows) > 0 ? db_rows_text(rows, 0, 0) : (struct span){"none", 4};
	(void)snprintf(out, sizeof out, "%.*s", (int)text.len, text.base != NULL ? text.base : "null");
	db_rows_free(rows);
	return out;
}

void
run_alone(const char *sql)
{
	const struct db_statement statement = {sql, NULL};

	must(db_begin(db, &err));
	must(db_query(db, &statement, NULL, 0, NULL, &err));
	must(db_commit(db, &err));
}

int
set_up(void **state)
{
	char *url = getenv("HOOKS_TEST_POSTGRES_URL");

	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/hookline.db", directory);
	config = (struct config){.hl_store = url != NULL ? HL_STORE_POSTGRES : HL_STORE_EMBEDDED,
	    .data_dir = directory,
	    .hl_data_path = path,
	    .hl_postgres_url = url,
	    .hl_retry_schedule = standard,
	    .auto_migrate = true,
	    .store_timeout_ms = 5000};
	must(db_open(&db, &config, &no_env, &err));
	run_alone(
	    "INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, seen_version) VALUES (1, 77, 'n', "
	    "hl_now(), hl_now(), 0)");
	return 0;
}

int
tear_down(void **state)
{
	char command[160];

	db_close(db);
	(void)snprintf(command, sizeof command, "rm -r %s", directory);
	return system(command);
}

static void
add_endpoint(char endpoint, bool enabled)
{
	char *sql =
	    mem_printf("INSERT INTO endpoints (tenant_id, endpoint_id, version, url, secret, headers, enabled, "
		       "paused, timeout_ms, max_in_flight, rate_limit_rps, exact_limits, fifo, ordering, on_dead, "
		       "fail_fast, keep_response, body, legacy_headers, created_at, updated_at) VALUES ($1, '" ENDPOINT
		       "', 1, 'http://x', 's', '{}', %s, FALSE, 1000, 1, 1, FALSE, FALSE, 'endpoint', "
		       "'continue', TRUE, FALSE, 'envelope', FALSE, hl_now(), hl_now())",
		endpoint, enabled ? "TRUE" : "FALSE");

	change(sql);
	free(sql);
}

void
subscribe_often(char endpoint, const char *pattern, uint32_t times)
{
	static int number;
	struct bytes sql = {0};

	bytes_add_text(&sql, "INSERT INTO subscriptions (tenant_id, subscription_id, endpoint_id, version, "
			     "topic_pattern, enabled, created_at, updated_at) VALUES ");
	for (uint32_t i = 0; i < times; i++) {
		char *row = mem_printf("%s($1, '0190f5fe-0000-7000-8000-1%011d', '" ENDPOINT
				       "', 1, '%s', TRUE, hl_now(), hl_now())",
		    i > 0 ? "," : "", number++, endpoint, pattern);

		bytes_add_text(&sql, row);
		free(row);
	}
	bytes_add(&sql, "", 1);
	change(sql.base);
	bytes_free(&sql);
}

void
subscribe(char endpoint, const char *pattern)
{
	subscribe_often(endpoint, pattern, 1);
}

/* A tenant of its own for each test, whose endpoint 1 gets a.#, and whose endpoint 2 everything. */
int
new_tenant(void **state)
{
	static int number;
	char file[160];

	(void)snprintf(tenant, sizeof tenant, "publish-%d", number++);
	change("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, 'x', hl_now(), hl_now())");
	add_endpoint('1', true);
	add_endpoint('2', true);
	subscribe('1', "a.#");
	subscribe('2', "#");
	handed[0] = '\0';
	ends = misses = 0;
	in_mid_batch = before_transaction = NULL;
	requests = NULL;
	spooled = false;
	node = (struct node_row){.node_id = 1, .epoch = 77};
	(void)snprintf(file, sizeof file, "%s/dead-letters.jsonl", directory);
	(void)unlink(file);
	sink = sink_publish_new(&config, &env, db_open);
	must(sink->ops->open(sink, &err));
	return 0;
}

int
close_sink(void **state)
{
	sink->ops->close(sink);
	return 0;
}

/* ---- publishing ---- */

const uint32_t *requests;
bool spooled;

/* Of this tenant unless they name another. */
int
publish_group(
    const struct published_event *events, uint32_t count, struct publish_outcome *outcomes, struct sink_result *result)
{
	struct record *records[RECORDS_MAX];
	struct publish_outcome *places[RECORDS_MAX];
	int rc;

	for (uint32_t i = 0; i < count; i++) {
		struct published_event event = events[i];

		event.tenant_id = event.tenant_id != NULL ? event.tenant_id : tenant;
		records[i] = published_event(&event);
		places[i] = outcomes != NULL ? &outcomes[i] : NULL;
	}

	static const uint32_t one_request[RECORDS_MAX];
	const struct batch batch = {(const struct record *const *)records, count, outcomes != NULL ? places : NULL,
	    requests != NULL || outcomes == NULL || spooled ? requests : one_request};

	rc = sink->ops->store(sink, &batch, result, &err);
	for (uint32_t i = 0; i < count; i++)
		free(records[i]);
	return rc;
}

static uint32_t
count_done(const struct publish_outcome *outcomes, uint32_t count)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < count; i++)
		done += outcomes[i].result != 0;
	return done;
}

int
publish(
    const struct published_event *events, uint32_t count, struct publish_outcome *outcomes, struct sink_result *result)
{
	*result = (struct sink_result){0};
	if (outcomes == NULL)
		return publish_group(events, count, NULL, result);
	memset(outcomes, 0, count * sizeof *outcomes);
	for (uint32_t done = 0, before = 0; done < count; before = done) {
		struct sink_result part;
		int rc = publish_group(events, count, outcomes, &part);

		if (rc != 0)
			return rc;
		result->stored += part.stored;
		result->duplicates += part.duplicates;
		result->dead_lettered += part.dead_lettered;
		result->discarded += part.discarded;
		done = count_done(outcomes, count);
		assert_true(done > before);
	}
	return 0;
}

/* "2 stored", or what else became of them. */
const char *
publish_all(const struct published_event *events, uint32_t count, struct publish_outcome *outcomes)
{
	static char out[128];
	struct sink_result result;

	must(publish(events, count, outcomes, &result));
	(void)snprintf(out, sizeof out, "%u stored %u duplicates %u dead %u discarded", result.stored,
	    result.duplicates, result.dead_lettered, result.discarded);
	return out;
}

bool
is_dead_letter(const char *part)
{
	char file[160], text[4096] = "";
	FILE *letters;

	(void)snprintf(file, sizeof file, "%s/dead-letters.jsonl", directory);
	letters = fopen(file, "r");
	if (letters == NULL)
		return false;
	(void)!fread(text, 1, sizeof text - 1, letters);
	(void)fclose(letters);
	return strstr(text, part) != NULL;
}
