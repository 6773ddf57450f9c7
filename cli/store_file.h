/* What snapshot and restore do with whole files: copying with a digest, in pieces that leave the disk to hooksd. */
#ifndef CLI_STORE_FILE_H
#define CLI_STORE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/crypto.h"
#include "base/error.h"
#include "store/sqlite/sqlite_copy.h"

#define STORE_DIGEST_TEXT_BYTES (2 * SHA256_BYTES + 1)

/* Work that takes long: ended by a signal, and with few bytes at a time on their way to the disk. */
struct store_work {
	int signals; /* signals_open(): TERM, INT and HUP end the work */
	int to; /* the file that grows; -1: none */
	off_t synced; /* so much of it is on the disk */
	bool stopped; /* by a signal */
};

/* What a file holds: its length, and SHA-256 in lower-case hex. */
struct store_sum {
	uint64_t bytes;
	char digest[STORE_DIGEST_TEXT_BYTES];
};

enum store_work_condition { STORE_WORK_STOPPED = 1 };

/* From now on signals wait for store_work_goes_on(), and hooksd comes first where the CPU is short. */
void store_work_begin(struct store_work *work);

/* For a struct sqlite_copy_watch: syncs what has been written, a piece at a time. Returns false after a signal. */
bool store_work_goes_on(void *work);

/* DIRECTORY/NAME. 0, or <0: it is too long. */
int store_path(const char *directory, const char *name, char out[PATH_MAX], struct error *err);

/* Reads the whole file, and writes it to work->to unless that is -1. path is for messages. 0, STOPPED or <0. */
int store_read_all(struct store_work *work, int from, const char *path, struct store_sum *sum, struct error *err);

#endif
