/* Dead letters in DATA_DIR/dead-letters.jsonl: reading them, and taking lines out of the file. */
#ifndef CLI_DEADLETTER_FILE_H
#define CLI_DEADLETTER_FILE_H

#include "base/bytes.h"
#include "base/error.h"
#include "config/config.h"
#include "store/dead_letter.h"

/* The file's path, valid until the next call. */
const char *deadletter_file_path(const struct config *config);

/*
 * Calls fn for the selected letters of the file, with payloads. Reports lines that are no letters on stderr. A missing
 * file has no letters. 0 or <0.
 */
int deadletter_file_walk(const struct config *config, const struct dead_letter_selection *which, dead_letter_fn *fn,
    void *arg, struct error *err);

/* What becomes of a line after a retry. */
enum line_action { LINE_STAYS = 0, LINE_GOES = 1, LINE_CHANGES = 2 };

/* As dead_letter_fn, but returns enum line_action; for LINE_CHANGES *line has the new line, with newline. */
typedef int line_fn(void *arg, const struct dead_letter *letter, struct bytes *line, struct error *err);

/*
 * Calls fn for the selected letters of the file, then replaces the file by one without the removed lines, durably and
 * atomically. Writers may append at any time. If fn fails, its results for earlier lines are kept. If another hooksctl
 * edits the file, this one reports that and changes nothing. 0 or <0.
 */
int deadletter_file_edit(
    const struct config *config, const struct dead_letter_selection *which, line_fn *fn, void *arg, struct error *err);

#endif
