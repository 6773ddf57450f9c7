/*
 * The manifest of a snapshot: a JSON object that describes the snapshot, and what its database must contain. It is
 * written last, so a directory without it is no snapshot.
 */
#ifndef CLI_STORE_MANIFEST_H
#define CLI_STORE_MANIFEST_H

#include <stdint.h>

#include "base/error.h"
#include "base/format.h"
#include "cli/store_file.h"
#include "store/sqlite/sqlite_copy.h"

/* In the snapshot's directory. */
#define STORE_MANIFEST_FILE "manifest.json"
#define STORE_DATABASE_FILE "hookline.db"

/* Raise it when readers of the former version would misread a snapshot. */
#define STORE_MANIFEST_VERSION 1

struct store_manifest {
	char made_at[FORMAT_TIME_BYTES + 1]; /* UTC */
	char made_by[SQLITE_COPY_TEXT_BYTES]; /* version of hooksctl */
	struct store_sum sum; /* of the database */
	struct sqlite_copy_facts facts; /* store_id: of the original store */
};

/* Writes it into the directory, durably and atomically. 0 or <0. */
int store_manifest_write(const char *directory, const struct store_manifest *manifest, struct error *err);

/* Reads the directory's manifest. 0, or <0: it is missing, damaged, another program's or a newer version's. */
int store_manifest_read(const char *directory, struct store_manifest *manifest, struct error *err);

/* Compares the database with the manifest. 0, or <0 with the difference. */
int store_manifest_check(
    const struct store_manifest *manifest, const struct sqlite_copy_facts *found, struct error *err);

#endif
