/*
 * Copies the webhooks' database while hooksd writes to it, and reads what a copy holds. For hooksctl, which is one
 * thread. Nothing here writes to a database that hooksd has open.
 */
#ifndef STORE_SQLITE_SQLITE_COPY_H
#define STORE_SQLITE_SQLITE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* STOPPED: by the watch. DAMAGED: the database is damaged, and *err says how. IN_USE: another program has it open. */
enum sqlite_copy_condition { SQLITE_COPY_STOPPED = 1, SQLITE_COPY_DAMAGED, SQLITE_COPY_IN_USE };

/* Called every few milliseconds during a long call; false ends the call. */
struct sqlite_copy_watch {
	bool (*goes_on)(void *context);
	void *context;
};

/*
 * Copies a snapshot of the database at path into the existing empty file at `to`. Other processes can commit meanwhile;
 * their changes stay in the log beside the database until the copy is finished. The copy needs no log. It gets its own
 * id (store_identity), so that a node recognises it as a copy. The caller syncs it. 0, STOPPED or <0; after any result
 * but 0 the file's content is undefined.
 */
int sqlite_copy_make(const char *path, const char *to, const struct sqlite_copy_watch *watch, struct error *err);

#define SQLITE_COPY_TEXT_BYTES 128 /* with a NUL */
#define SQLITE_COPY_TABLES_MAX 64

struct sqlite_copy_table {
	char name[SQLITE_COPY_TEXT_BYTES];
	int64_t rows;
};

/* What a copy holds. */
struct sqlite_copy_facts {
	int schema_version;
	char store_id[SQLITE_COPY_TEXT_BYTES]; /* "": it has none */
	char deployment[SQLITE_COPY_TEXT_BYTES]; /* "": it has no name */
	uint32_t table_count;
	struct sqlite_copy_table tables[SQLITE_COPY_TABLES_MAX]; /* by name */
};

/*
 * Reads and checks a whole database that nobody writes to and that has no log. 0; STOPPED; DAMAGED; or <0: it cannot be
 * read.
 */
int sqlite_copy_read(
    const char *path, struct sqlite_copy_facts *facts, const struct sqlite_copy_watch *watch, struct error *err);

/* Reads only schema_version, store_id and deployment of a database that may be in use. 0 or <0. */
int sqlite_copy_identify(const char *path, struct sqlite_copy_facts *facts, struct error *err);

/* The version of the schema that this program makes. */
int sqlite_copy_target_version(void);

/*
 * Writes the log into the database, durably, and removes the log. For a database that no process uses, before another
 * one takes its name. 0; or IN_USE, DAMAGED, <0: the database is unchanged.
 */
int sqlite_copy_end_log(const char *path, struct error *err);

#endif
