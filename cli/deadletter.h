/*
 * Dead letters as hooksctl sees them, in both places where they are kept. Private to cli/deadletter*.c.
 *
 *   deadletter.c        the subcommand: list, show, export
 *   deadletter_file.c   reading DATA_DIR/dead-letters.jsonl, and taking lines out of it
 *   deadletter_retry.c  storing an event again
 *
 * The table's letters are read and stored again by store/postgres/dead_letter_db.h.
 */
#ifndef CLI_DEADLETTER_H
#define CLI_DEADLETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "config/config.h"
#include "store/dead_letter.h"

struct dead_letter_db;

/* The file's path, valid until the next call. */
const char *deadletter_file_path(const struct config *config);

/*
 * Calls fn for the selected letters of the file, with payloads. Reports lines that are no letters on stderr. A missing
 * file has no letters. 0 or <0.
 */
int deadletter_file_walk(const struct config *config, const struct dead_letter_selection *which, dead_letter_fn *fn,
    void *arg, struct error *err);

/* What becomes of a line after a retry. */
enum line_fate { LINE_STAYS = 0, LINE_GOES = 1, LINE_CHANGES = 2 };

/* As dead_letter_fn, but returns enum line_fate; for LINE_CHANGES it has put the new line, with newline, into *line. */
typedef int line_fn(void *arg, const struct dead_letter *letter, struct bytes *line, struct error *err);

/*
 * Calls fn for the selected letters of the file, then puts a file without the lines that go in its place, durably and
 * in one step. Writers may append all the while. When fn fails, its results for earlier lines hold. While another
 * hooksctl edits the file this one reports that and leaves it alone. 0 or <0.
 */
int deadletter_file_edit(
    const struct config *config, const struct dead_letter_selection *which, line_fn *fn, void *arg, struct error *err);

/*
 * Prints up to max characters of text, the last one an ellipsis when there are more. Prints '?' for broken UTF-8 and
 * for characters that would move a terminal's cursor. Returns how many characters it printed.
 */
int deadletter_print(const char *text, int max);

/* Reports that no letter was selected. Returns the exit code: a failure if one certain letter was asked for. */
int deadletter_none(const struct dead_letter_selection *which);

/* hooksctl deadletter retry. Returns an exit code. */
int deadletter_retry(const struct config *config, struct dead_letter_db *db, const struct dead_letter_selection *which);

#endif
