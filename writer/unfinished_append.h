/* Truncates a file append that a dead writer began and did not commit (shm/ledger.h). */
#ifndef WRITER_UNFINISHED_APPEND_H
#define WRITER_UNFINISHED_APPEND_H

#include "base/error.h"
#include "shm/ledger.h"

/*
 * Finds the append's file by its inode in one of the directories (elsewhere may be NULL), because it may have been
 * renamed, and truncates it to the append's beginning. Leaves a missing file, or one that another program has changed,
 * with a warning. Returns 0: done, or nothing can be done; <0: the file could not be truncated now. No process may
 * append meanwhile.
 */
int unfinished_append_truncate(const struct unfinished_append *append, enum append_file file, const char *directory,
    const char *elsewhere, struct error *err);

/* The same for that append in the ledger, if it is open; 0 closes it. */
int unfinished_append_cut_off(
    struct ledger *ledger, enum append_file file, const char *directory, const char *elsewhere, struct error *err);

#endif
