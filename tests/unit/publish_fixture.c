/* A publisher of four functions, and a session that raises versions as control does; see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/webhooks/sink_publish.h"
#include "tests/unit/publish_fixture.h"

#define RECORDS_MAX 128

static char directory[] = "/tmp/hooks-publish-XXXXXX"; /* DATA_DIR */
struct sink *sink;

/* ---- the publisher ---- */

struct node_row node = {.node_id = 1, .epoch = 77};
char handed[512]; /* "topic:1,2 topic:1" */
uint32_t ends, misses;
void (*in_mid_batch)(void); /* called when the sink asks for the node, before it stores anything */

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

const char *
value(const char *sql)
{
	static char out[256];
	const struct db_statement statement = {sql, NULL};
	const struct db_param params[] = {db_string(tenant)};
	struct db_rows *rows;
	struct span text;

	must(db_query(routes_db, &statement, params, 1, &rows, &err));
	text = db_rows_count(rows) > 0 ? db_rows_text(rows, 0, 0) : (struct span){"none", 4};
	(void)snprintf(out, sizeof out, "%.*s", (int)text.len, text.base != NULL ? text.base : "null");
	db_rows_free(rows);
	return out;
}

void
run_alone(const char *sql)
{
	must_begin(routes_db);
	must_run(routes_db, SAME(sql), NULL, 0);
	must_commit(routes_db);
}

int
set_up(void **state)
{
	int rc = routes_set_up(state);

	assert_non_null(mkdtemp(directory));
	db_config.data_dir = directory;
	run_alone(
	    "INSERT INTO delivery_nodes (node_id, epoch, name, started_at, alive_at, seen_version) VALUES (1, 77, 'n', "
	    "hl_now(), hl_now(), 0)");
	return rc;
}

int
tear_down(void **state)
{
	char command[160];

	(void)snprintf(command, sizeof command, "rm -r %s", directory);
	return system(command) | routes_tear_down(state);
}

int
new_tenant(void **state)
{
	char file[160];

	routes_new_tenant("publish", "a.#");
	handed[0] = '\0';
	ends = misses = 0;
	in_mid_batch = before_transaction = NULL;
	requests = NULL;
	spooled = false;
	node = (struct node_row){.node_id = 1, .epoch = 77};
	(void)snprintf(file, sizeof file, "%s/dead-letters.jsonl", directory);
	(void)unlink(file);
	sink = sink_publish_new(&db_config, &env, db_open);
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
