/*
 * The spool, whichever call fails: it gives committed events back once, in this process or in the next one, and no
 * others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/faults/torture.h"
#include "tests/faults/torture_writer.h"
#include "tests/unit/record_fixture.h"
#include "writer/spool.h"
#include "writer/spool_replay.h"

#define GIB ((uint64_t)1 << 30)
#define DATA                                                                                                           \
	"{\"text\":\"some hundred bytes, so that a few events fill one of the small files of this test, "              \
	"............\"}"
#define TRIES 3

static struct spool spool;

/* <0: it was refused. */
static int
open_spool(void)
{
	const struct spool_options options = {.directory = SPOOL_DIRECTORY,
	    .data_dir = torture_directory,
	    .writers = 1,
	    .max_bytes = GIB,
	    .slot = torture_slot};
	struct error err = {""};
	int rc;

	rc = spool_open(&spool, &options, &err);
	torture_assert(rc == 0 || strstr(err.text, "DATA_DIR") != NULL, "no place in \"%s\"", err.text);
	spool.file_bytes = 1200;
	return rc;
}

/* Appends two events, with several tries as the writer has. */
static void
append(struct torture_log *log, uint8_t first)
{
	const struct record *records[2];
	struct error err = {""};
	int rc = -1;

	for (int i = 0; i < 2; i++)
		records[i] = record_of(
		    &(struct event){.id = (uint8_t)(first + i), .event_type = "t", .session_id = "s", .data = DATA});
	for (int tries = 0; tries < TRIES && rc != 0; tries++) {
		rc = spool_append(&spool, records, 2, &err);
		torture_assert(rc == 0 || err.text[0] != '\0', "nothing said");
	}
	if (rc != 0)
		return;
	ledger_draft(&torture_slot->ledger)->spool_events += 2;
	log->promised[first] = log->promised[first + 1] = 1;
	ledger_commit(&torture_slot->ledger);
	spool_append_committed(&spool);
}

/* Replays one batch. Returns whether there was one. */
static bool
replay(struct torture_log *log)
{
	struct error err = {""};

	for (int tries = 0; spool_next(&spool, &err) != 0; tries++) {
		torture_assert(err.text[0] != '\0', "nothing said");
		if (tries == TRIES)
			return false;
	}
	if (spool.reader.count == 0)
		return false;
	for (uint32_t i = 0; i < spool.reader.count; i++)
		log->delivered[spool.reader.records[i]->event_id[15]]++;
	spool_draft_replayed(&spool, ledger_draft(&torture_slot->ledger));
	ledger_commit(&torture_slot->ledger);
	spool_replay_committed(&spool);
	return true;
}

/* Moves the last file away, as an administrator may. The spool restores it, if need be at a later try. */
static void
move_the_file(void)
{
	const struct spool_part *part = &spool.parts[spool.count - 1];
	char name[SPOOL_NAME_MAX], path[192], elsewhere[192];
	uint32_t groups = faults()->groups;
	struct error err = {""};

	if (spool.append_fd < 0)
		return;
	spool_file_name(part->id, name);
	(void)snprintf(path, sizeof path, "%s/" SPOOL_DIRECTORY "/%s", torture_directory, name);
	(void)snprintf(elsewhere, sizeof elsewhere, "%s/%s", torture_directory, name);
	faults()->groups = 0;
	torture_assert(rename(path, elsewhere) == 0, "%s", path);
	faults()->groups = groups;
	for (int tries = 0; tries < TRIES; tries++)
		torture_assert(spool_restore_file(&spool, &err) == 0 || err.text[0] != '\0', "nothing said");
}

/* Puts back a file that could not be made again, because the process died or all its calls failed. */
static void
put_the_file_back(void)
{
	char elsewhere[192], path[192];
	struct dirent *entry;
	struct spool_id id;
	DIR *directory = opendir(torture_directory);

	while ((entry = readdir(directory)) != NULL) {
		if (!spool_file_parse_name(entry->d_name, &id))
			continue;
		(void)snprintf(elsewhere, sizeof elsewhere, "%s/%.60s", torture_directory, entry->d_name);
		(void)snprintf(path, sizeof path, "%s/" SPOOL_DIRECTORY "/%.60s", torture_directory, entry->d_name);
		torture_assert(
		    (access(path, F_OK) == 0 ? unlink(elsewhere) : rename(elsewhere, path)) == 0, "%s", elsewhere);
	}
	closedir(directory);
}

static void
leave_a_file(struct torture_log *log)
{
	torture_start_writer_safely();
	torture_assert(open_spool() == 0, "it does not open");
	append(log, 1);
	spool_close(&spool);
}

static void
run(struct torture_log *log)
{
	int rc = -1;

	torture_start_writer_safely();
	for (int tries = 0; tries < TRIES && rc != 0; tries++)
		rc = open_spool();
	if (rc != 0)
		return;
	for (uint8_t id = 11; id < 31; id += 2)
		append(log, id);
	(void)replay(log);
	append(log, 41);
	while (replay(log))
		;
	append(log, 43);
	move_the_file();
	spool_close(&spool);
}

static void
check(struct torture_log *log)
{
	DIR *directory;
	struct dirent *entry;

	put_the_file_back();
	torture_start_writer_safely();
	torture_assert(open_spool() == 0, "it does not open");
	while (replay(log))
		;
	append(log, 51);
	(void)replay(log);
	torture_assert(log->promised[51] && log->delivered[51], "it does not work any more");
	for (int id = 0; id < 256; id++)
		torture_assert(
		    log->delivered[id] == log->promised[id], "event %d came out %d times", id, log->delivered[id]);
	torture_assert(torture_slot->process.levels[LEVEL_SPOOL_EVENTS] == 0, "the level says that events are left");
	spool_close(&spool);
	directory = opendir(torture_directory);
	while ((entry = readdir(directory)) != NULL)
		torture_assert(strncmp(entry->d_name, "damaged-", 8) != 0, "%s", entry->d_name);
	closedir(directory);
}

static void
nothing_accepted_is_lost(void **state)
{
	torture(&(struct torture){leave_a_file, run, check});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_accepted_is_lost)};

	return cmocka_run_group_tests(tests, torture_make_directory, torture_remove_directory);
}
