/*
 * The JSONL sink, whichever call fails, over rotation, reopening and a torn line: every event of the ring is once in a
 * file, on a whole line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/settle.h"
#include "tests/faults/torture.h"
#include "tests/faults/torture_writer.h"
#include "writer/intake.h"
#include "writer/store_env.h"
#include "store/jsonl/sink_jsonl.h"

#define TRIES 3
#define TORN "{\"torn"
#define PARCELS 8
#define PARCEL_EVENTS 2

static char jsonl_path[128], moved_path[160];
static struct config config;
static struct intake intake;
static struct store_env env;
static struct sink *sink;

static void
start_sink(void)
{
	uint32_t groups = faults()->groups;
	struct error err = {""};

	faults()->groups = 0; /* another test is about mapping */
	torture_assert(intake_open(&intake, &torture_segment, ROLE_WRITER, 0, &err) == 0, "%s", err.text);
	faults()->groups = groups;
	config = (struct config){.jsonl_path = jsonl_path, .jsonl_rotate_bytes = 1000};
	store_env_init(&env, &torture_segment, torture_slot);
	sink = sink_jsonl_new(&config, &env.sink_env);
}

static void
start(void)
{
	torture_start_writer_safely();
	start_sink();
}

/* Publishes one parcel of events. The first one has that number. */
static void
publish(struct torture_log *log, int first)
{
	struct lane *lane = &intake.lanes[0]; /* it is mapped for the writer, but there is only one process here */
	size_t available, used = 0;
	char *space = lane_reserve(lane, &available);

	for (int id = first; id < first + PARCEL_EVENTS; id++) {
		struct record *record = (struct record *)(space + used);

		memset(record, 0, sizeof *record);
		char *at = record_begin(record);
		record->event_id[15] = (uint8_t)id;
		for (int s = 0; s < RECORD_STRINGS; s++)
			record->string_bytes[s] = RECORD_NULL;
		record->string_bytes[RECORD_EVENT_TYPE] = record->string_bytes[RECORD_SESSION_ID] = 1;
		record->data_bytes = 2;
		memcpy(at, "es{}", 4);
		used += record_seal(record);
		log->promised[id] = 1;
	}
	lane_publish(lane, used, PARCEL_EVENTS, 0);
}

/* Stores the events on the ring as the writer's loop does. Gives up after several tries. */
static void
store_all(void)
{
	struct sink_result result;
	struct error err = {""};
	bool open = false;

	for (int tries = 0; tries < TRIES && intake_gather(&intake);) {
		int rc = open ? 0 : sink->ops->open(sink, &err);

		open = rc == 0;
		if (open)
			rc = sink->ops->store(sink, &(struct batch){intake.records, intake.count}, &result, &err);
		torture_assert(
		    rc == 0 || strstr(err.text, "JSONL_PATH") != NULL || strstr(err.text, torture_directory) != NULL,
		    "no place in \"%s\"", err.text);
		if (rc == 0) {
			intake_draft_release(&intake, ledger_draft(&torture_slot->ledger), false);
			ledger_commit(&torture_slot->ledger);
			settle_lanes(&torture_segment, ROLE_WRITER, 0);
			sink->ops->settled(sink);
			tries = 0;
		} else {
			open = false;
			tries++;
		}
	}
}

static void
leave_a_torn_line(struct torture_log *log)
{
	FILE *file;

	start();
	publish(log, 1);
	store_all();
	file = fopen(jsonl_path, "a");
	fputs(TORN, file);
	fclose(file);
	for (int i = 0; i < PARCELS; i++)
		publish(log, 10 + i * PARCEL_EVENTS);
}

static void
run(struct torture_log *log)
{
	uint32_t groups = faults()->groups;

	start();
	store_all();
	publish(log, 50);
	sink->ops->reopen(sink);
	store_all();
	faults()->groups = 0; /* another program does this */
	(void)rename(jsonl_path, moved_path);
	faults()->groups = groups;
	publish(log, 60);
	store_all();
	sink->ops->close(sink);
}

static void
count_lines(struct torture_log *log, const char *path)
{
	char line[1024];
	FILE *file = fopen(path, "r");

	torture_assert(file != NULL, "%s", path);
	while (fgets(line, sizeof line, file) != NULL) {
		/* The file was moved before the line could be cut off. */
		if (strcmp(line, TORN) == 0 && strcmp(path, moved_path) == 0)
			continue;
		cJSON *event = cJSON_ParseWithOpts(line, NULL, 0);
		const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(event, "event_id"));

		torture_assert(id != NULL && strchr(line, '\n') != NULL, "a broken line in %s: %s", path, line);
		log->delivered[strtoul(id + strlen(id) - 2, NULL, 16)]++;
		cJSON_Delete(event);
	}
	fclose(file);
}

static void
check(struct torture_log *log)
{
	char pattern[160];
	glob_t found;

	start();
	publish(log, 70);
	store_all();
	(void)snprintf(pattern, sizeof pattern, "%s/events.jsonl*", torture_directory);
	torture_assert(glob(pattern, 0, NULL, &found) == 0, "no files");
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (strstr(found.gl_pathv[i], ".torn.") == NULL)
			count_lines(log, found.gl_pathv[i]);
	for (int id = 0; id < 256; id++)
		torture_assert(
		    log->delivered[id] == log->promised[id], "event %d stands there %d times", id, log->delivered[id]);
}

/* A writer has died between an append and its commit. */
static void
leave_an_append(struct torture_log *log)
{
	struct sink_result result;
	struct error err = {""};

	start();
	publish(log, 1);
	store_all();
	publish(log, 10);
	torture_assert(intake_gather(&intake), "nothing to store");
	torture_assert(
	    sink->ops->store(sink, &(struct batch){intake.records, intake.count}, &result, &err) == 0, "%s", err.text);
}

static void
take_over(struct torture_log *log)
{
	if (torture_start_writer() != 0)
		return;
	start_sink();
	store_all();
	sink->ops->close(sink);
}

static void
every_event_stands_there_once(void **state)
{
	torture(&(struct torture){leave_a_torn_line, run, check});
}

static void
after_a_crash_too(void **state)
{
	torture(&(struct torture){leave_an_append, take_over, check});
}

static int
set_up(void **state)
{
	int rc = torture_make_directory(state);

	(void)snprintf(jsonl_path, sizeof jsonl_path, "%s/events.jsonl", torture_directory);
	(void)snprintf(moved_path, sizeof moved_path, "%s.1", jsonl_path);
	return rc;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_event_stands_there_once), cmocka_unit_test(after_a_crash_too)};

	return cmocka_run_group_tests(tests, set_up, torture_remove_directory);
}
