/*
 * What an SQLite database says of itself, for a program of people's (hooksctl doctor), in a process of its own without
 * another connection to the file. Nothing is changed, and no file is made beside it. Needs no sqlite3.h.
 */
#ifndef STORE_SQLITE_SQLITE_FACTS_H
#define STORE_SQLITE_SQLITE_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct sqlite_facts {
	uint64_t bytes, log_bytes; /* of the file, and of its write-ahead log */
	pid_t writer; /* who has a transaction open that writes, at this moment; 0: nobody */
	bool whole; /* quick_check has found nothing, as far as it came */
	bool finished; /* it came to the end in time */
	char fault[256]; /* what it has found; "": nothing */
};

/* 0, or <0: the file, which is there, cannot be read. Takes no longer than until that instant of the steady clock. */
int sqlite_facts_read(const char *path, int64_t until_us, struct sqlite_facts *facts, struct error *err);

#endif
