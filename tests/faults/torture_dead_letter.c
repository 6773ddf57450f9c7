/*
 * The file of dead letters, whichever call fails: a letter that was synced is in the file, whole and on a line of its
 * own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/torture.h"
#include "tests/unit/record_fixture.h"
#include "store/dead_letter_file.h"

#define TRIES 3

static char path[96];

static void
append(struct torture_log *log, struct dead_letter_file *letters, uint8_t id)
{
	struct record *record = record_of(&(struct event){.id = id, .event_type = "t", .session_id = "s"});
	const struct refused refused = {.sqlstate = "22P02", .message = "a \"bad\"\nvalue"};
	struct error err = {""};
	int rc = -1;

	for (int tries = 0; tries < TRIES && rc != 0; tries++) {
		log->tried[id]++;
		rc = dead_letter_file_append(letters, &refused, record, &err);
		if (rc == 0)
			rc = dead_letter_file_sync(letters, &err);
		torture_assert(
		    rc == 0 || strstr(err.text, DEAD_LETTER_FILE_NAME) != NULL || strstr(err.text, "DATA_DIR") != NULL,
		    "no place in \"%s\"", err.text);
	}
	log->promised[id] = rc == 0;
	free(record);
}

static void
leave_a_torn_line(struct torture_log *log)
{
	struct dead_letter_file letters;
	FILE *file;

	dead_letter_file_init(&letters, torture_directory);
	append(log, &letters, 1);
	dead_letter_file_free(&letters);
	file = fopen(path, "a");
	fputs("{\"torn", file);
	fclose(file);
}

static void
run(struct torture_log *log)
{
	struct dead_letter_file letters;

	dead_letter_file_init(&letters, torture_directory);
	for (uint8_t id = 2; id < 5; id++)
		append(log, &letters, id);
	/* hooksctl does the same. */
	(void)remove(path);
	log->promised[1] = log->promised[2] = log->promised[3] = log->promised[4] = 0;
	for (uint8_t id = 5; id < 8; id++)
		append(log, &letters, id);
	dead_letter_file_free(&letters);
}

static void
check(struct torture_log *log)
{
	char line[4096];
	struct dead_letter_file letters;
	int torn = 0;

	dead_letter_file_init(&letters, torture_directory);
	append(log, &letters, 9);
	dead_letter_file_free(&letters);

	FILE *file = fopen(path, "r");

	torture_assert(file != NULL, "there is no file");
	while (fgets(line, sizeof line, file) != NULL) {
		cJSON *letter = cJSON_ParseWithOpts(line, NULL, 0);
		const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(letter, "event_id"));

		/* A line that a crash or a full disk has cut short is allowed. */
		torn += id == NULL;
		if (id != NULL)
			log->delivered[strtoul(id + strlen(id) - 2, NULL, 16)]++;
		cJSON_Delete(letter);
	}
	fclose(file);
	for (int id = 0; id < 256; id++) {
		torture_assert(!log->promised[id] || log->delivered[id] > 0, "letter %d is lost", id);
		torture_assert(log->delivered[id] <= log->tried[id], "letter %d is doubled", id);
	}
	torture_assert(torn <= 2, "%d torn lines", torn);
}

static void
nothing_synced_is_lost(void **state)
{
	torture(&(struct torture){leave_a_torn_line, run, check});
}

static int
set_up(void **state)
{
	int rc = torture_make_directory(state);

	(void)snprintf(path, sizeof path, "%s/" DEAD_LETTER_FILE_NAME, torture_directory);
	return rc;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_synced_is_lost)};

	return cmocka_run_group_tests(tests, set_up, torture_remove_directory);
}
