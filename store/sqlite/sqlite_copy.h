/*
 * Copies of the webhooks' database while hooksd writes to it, and what a copy holds. For hooksctl, which is one thread:
 * nothing here writes to a database that hooksd has open.
 */
#ifndef STORE_SQLITE_SQLITE_COPY_H
#define STORE_SQLITE_SQLITE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * STOPPED: the watch has said so. DAMAGED: the database is, and *err says how. IN_USE: another program has it open.
 */
enum sqlite_copy_condition { SQLITE_COPY_STOPPED = 1, SQLITE_COPY_DAMAGED, SQLITE_COPY_IN_USE };

/* Called every few milliseconds while something takes long; false ends it. */
struct sqlite_copy_watch {
	bool (*goes_on)(void *context);
	void *context;
};

/*
 * Copies the database at path, as it is at one moment, into the file at to, which is there and empty. Commits of other
 * processes go on meanwhile; what they write stays in the log beside the database until the copy is made. The copy
 * needs no log, and has an id of its own (store_identity), so that a DATA_DIR in which it is put takes it for a copy.
 * The caller syncs it. 0, STOPPED or <0; after any result but 0 the file holds anything.
 */
int sqlite_copy_make(const char *path, const char *to, const struct sqlite_copy_watch *watch, struct error *err);

#define SQLITE_COPY_TEXT_BYTES 128 /* with a NUL */
#define SQLITE_COPY_TABLES_MAX 64

struct sqlite_copy_table {
	char name[SQLITE_COPY_TEXT_BYTES];
	int64_t rows;
};

/* What a database holds. */
struct sqlite_copy_facts {
	int schema_version;
	char store_id[SQLITE_COPY_TEXT_BYTES]; /* "": it has none */
	char deployment[SQLITE_COPY_TEXT_BYTES]; /* "": it has no name */
	uint32_t table_count;
	struct sqlite_copy_table tables[SQLITE_COPY_TABLES_MAX]; /* by name */
};

/*
 * Reads the whole of a database that nobody writes to and that has no log beside it, and checks it. 0; STOPPED;
 * DAMAGED; or <0: it cannot be read.
 */
int sqlite_copy_read(
    const char *path, struct sqlite_copy_facts *facts, const struct sqlite_copy_watch *watch, struct error *err);

/* Only schema_version, store_id and deployment of a database that may be in use. 0 or <0. */
int sqlite_copy_identify(const char *path, struct sqlite_copy_facts *facts, struct error *err);

/* The version of the schema that this program makes. */
int sqlite_copy_target_version(void);

/*
 * Brings what the log beside the database holds into the database, durably, and removes the log. For a database that no
 * process uses, before another one takes its name. 0, IN_USE, DAMAGED or <0: the database is as it was.
 */
int sqlite_copy_end_log(const char *path, struct error *err);

#endif
