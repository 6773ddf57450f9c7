/*
 * Dead letters as hooksctl sees them, in both places where they are kept. Private to cli/deadletter*.c.
 *
 *   deadletter.c        the subcommand: list, show, export
 *   deadletter_table.c  reading hook_events_dead_letters
 *   deadletter_file.c   reading DATA_DIR/dead-letters.jsonl, and taking lines out of it
 *   deadletter_retry.c  storing an event again
 */
#ifndef CLI_DEADLETTER_H
#define CLI_DEADLETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "base/error.h"
#include "base/format.h"
#include "store/postgres/pg.h"
#include "base/bytes.h"

/* Borrowed text, as the table's columns are named. */
struct letter {
	const char *id; /* a number; NULL: it is in the file */
	const char *refused_at;
	const char *sqlstate;
	const char *message;
	const char *event_id;
	const char *created_date;
	const char *event_type;
	const char *session_id;
	const char *payload; /* NULL when it was not asked for */
};

/* Which letters: all, the one with that number, or those of that event. */
struct selection {
	int64_t id; /* 0: any */
	char event_id[FORMAT_UUID_BYTES + 1]; /* "": any */
};

/* Called for each letter of a walk. <0 ends it. */
typedef int letter_fn(void *arg, const struct letter *letter, struct error *err);

/*
 * Walks over the selected letters in the order of their numbers; those that are added meanwhile are left out. fn may use
 * pg. A database without the table has no letters. 0, or <0: fn's, or the database's.
 */
int deadletter_table_walk(
    struct pg *pg, const struct selection *which, bool with_payload, letter_fn *fn, void *arg, struct error *err);

/* The file's path, valid until the next call. */
const char *deadletter_file_path(const struct config *config);

/* The same for the file, with payloads. Lines that cannot be read are told on stderr. A missing file has no letters. */
int deadletter_file_walk(
    const struct config *config, const struct selection *which, letter_fn *fn, void *arg, struct error *err);

/* What becomes of a line after a retry. */
enum line_fate { LINE_STAYS = 0, LINE_GOES = 1, LINE_CHANGES = 2 };

/* As letter_fn, but returns enum line_fate; for LINE_CHANGES it has put the new line, newline included, into *line. */
typedef int line_fn(void *arg, const struct letter *letter, struct bytes *line, struct error *err);

/*
 * Calls fn for each selected letter of the file, then puts a file without those that go in its place, durably and in
 * one step; writers may append all the while. When fn fails, what it did to earlier lines is done. Leaves the file
 * alone, and says so, while another hooksctl is at it. 0 or <0.
 */
int deadletter_file_edit(
    const struct config *config, const struct selection *which, line_fn *fn, void *arg, struct error *err);

/*
 * Prints up to max characters of text, the last an ellipsis when there are more. What would move a terminal's cursor, and
 * broken UTF-8, becomes '?'. Returns how many characters it printed.
 */
int deadletter_print(const char *text, int max);

/* Says that there was nothing to do. Returns the exit code: it is a failure if a certain letter was asked for. */
int deadletter_none(const struct selection *which);

/* hooksctl deadletter retry. Returns an exit code. */
int deadletter_retry(const struct config *config, struct pg *pg, const struct selection *which);

#endif
