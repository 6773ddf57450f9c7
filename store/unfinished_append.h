/* Taking back what a writer has appended to a file and never committed (shm/ledger.h). */
#ifndef STORE_UNFINISHED_APPEND_H
#define STORE_UNFINISHED_APPEND_H

#include "base/error.h"
#include "shm/ledger.h"

/*
 * If that append is open, finds its file in one of the directories (elsewhere: NULL for none), whatever its name is by
 * now, cuts the append off and forgets it. A file that is gone, or that somebody else has written to since, is left alone and
 * forgotten with a warning. Returns 0, or <0 when it could not be cut off: then it stays open.
 * The caller sees to it that nobody appends meanwhile.
 */
int unfinished_append_cut_off(
    struct ledger *ledger, enum append_file file, const char *directory, const char *elsewhere, struct error *err);

#endif
