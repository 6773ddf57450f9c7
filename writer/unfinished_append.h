/* Truncating a file append that a dead writer began and did not commit (shm/ledger.h). */
#ifndef WRITER_UNFINISHED_APPEND_H
#define WRITER_UNFINISHED_APPEND_H

#include "base/error.h"
#include "shm/ledger.h"

/*
 * Finds the append's file by its inode in one of the directories (elsewhere: NULL for none), because it may have been
 * renamed, and truncates it to where the append began. A missing file, or one that another program wrote to since, is
 * left alone with a warning. Returns 0: nothing more can be done; or <0: the file could not be truncated now. The
 * caller makes sure that no process appends meanwhile.
 */
int unfinished_append_truncate(const struct unfinished_append *append, enum append_file file, const char *directory,
    const char *elsewhere, struct error *err);

/* The same for that append of the ledger, if it is open; after 0 it is no more. */
int unfinished_append_cut_off(
    struct ledger *ledger, enum append_file file, const char *directory, const char *elsewhere, struct error *err);

#endif
