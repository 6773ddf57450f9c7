/*
 * What a power cut, or another program, has left at the end of a JSONL file. Nothing that is torn there was ever
 * acknowledged: that was on the disk before.
 */
#ifndef STORE_JSONL_JSONL_REPAIR_H
#define STORE_JSONL_JSONL_REPAIR_H

#include "base/error.h"

/*
 * Takes torn lines (store/jsonl/jsonl_look.h) out of the end of the regular file, keeps them beside it as PATH.torn.TIME, and
 * ends a last line that only lacks its newline. Afterwards the file is empty or ends with a newline. fd is open for
 * reading and appending and used by nobody else; path is the file's. Returns 0, or <0: the file is not one of events and
 * is left alone, or reading, keeping or writing failed.
 */
int jsonl_repair(int fd, const char *path, struct error *err);

#endif
