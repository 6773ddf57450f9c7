/*
 * What a power cut, or another program, has left at the end of a JSONL file. Nothing that is damaged there was ever
 * acknowledged: that was on the disk before.
 *
 * Of an append that was not synced a disk may keep any sectors; the others read as zeros, which no line holds. So a line
 * with a zero byte is damage, wherever it stands in the last append, and lines around it may be whole.
 */
#ifndef WRITER_JSONL_REPAIR_H
#define WRITER_JSONL_REPAIR_H

#include "base/error.h"

/*
 * Takes lines with zeros out of the end of the regular file, closes a whole JSON object that only lacks its newline, and
 * cuts off a torn last line; syncs what it has changed. Afterwards the file is empty or ends with a newline. fd is open
 * for reading and appending and used by nobody else; path is for messages. Returns 0 or <0.
 */
int jsonl_repair(int fd, const char *path, struct error *err);

#endif
