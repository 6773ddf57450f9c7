/*
 * Facts about an SQLite database, for hooksctl doctor, in a process without another connection to the file. Changes
 * nothing, and makes no file beside it. Including this header needs no sqlite3.h.
 */
#ifndef STORE_SQLITE_SQLITE_FACTS_H
#define STORE_SQLITE_SQLITE_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct sqlite_facts {
	uint64_t bytes, log_bytes; /* of the file, and of its write-ahead log */
	pid_t writer; /* the process that has a writing transaction open now; 0: none */
	bool whole; /* quick_check has found no fault so far */
	bool finished; /* quick_check came to the end in time */
	char fault[256]; /* the fault; "": none */
};

/* Reads the facts of an existing file. 0, or <0: it cannot be read. Ends by until_us (steady). */
int sqlite_facts_read(const char *path, int64_t until_us, struct sqlite_facts *facts, struct error *err);

/* Versions of the schema of hook events, or of webhooks: the file's (0: none) and this program's. As above. */
int sqlite_facts_schema(const char *path, bool webhooks, int *version, int *target, struct error *err);

#endif
