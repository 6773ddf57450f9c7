/*
 * Repairs the end of a JSONL file after a power cut, or after another program wrote to it. Torn lines were never
 * acknowledged: a line is acknowledged when it is on the disk.
 */
#ifndef STORE_JSONL_JSONL_REPAIR_H
#define STORE_JSONL_JSONL_REPAIR_H

#include "base/error.h"

/*
 * Moves torn lines (store/jsonl/jsonl_inspect.h) from the end of the regular file to a file beside it,
 * PATH.torn.TIME, and ends a last line that only lacks its newline. Afterwards the file is empty or ends with a
 * newline. fd is open for reading and appending, and no other process uses the file; path is its path. Returns 0, or
 * <0: the file is not one of events and is left alone, or reading or writing failed.
 */
int jsonl_repair(int fd, const char *path, struct error *err);

#endif
