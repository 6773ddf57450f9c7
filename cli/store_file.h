/* Whole files for snapshot and restore: copying with a digest, in pieces that leave the disk to hooksd. */
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

/* Long work: a signal ends it, and few bytes at a time wait for the disk. */
struct store_work {
	int signals; /* signals_open(): TERM, INT and HUP end the work */
	int to; /* the file that grows; -1: none */
	off_t written; /* bytes of it that have been written to the disk */
	int failed; /* errno of such a write; 0: none has failed */
	bool yields; /* it rests between turns, because hooksd is working */
	int64_t turn_began_us; /* clock_steady_us() */
	bool stopped; /* a signal has stopped it */
};

/* A file's length, and SHA-256 in lower-case hex. */
struct store_sum {
	uint64_t bytes;
	char digest[STORE_DIGEST_TEXT_BYTES];
};

enum store_work_condition { STORE_WORK_STOPPED = 1 };

/*
 * Begins: signals wait for store_work_goes_on(), and hooksd has priority if the CPU is busy. yields: the work uses CPU
 * and disk a quarter of the time.
 */
void store_work_begin(struct store_work *work, bool yields);

/* For a struct sqlite_copy_watch: writes new bytes to the disk, a piece at a time, and rests. false: a signal came. */
bool store_work_goes_on(void *work);

/* Syncs work->to. 0, or -1 with errno: also if a piece could not be written before. */
int store_work_sync(struct store_work *work);

/* Makes DIRECTORY/NAME. 0, or <0: it is too long. */
int store_path(const char *directory, const char *name, char out[PATH_MAX], struct error *err);

/* Reads the whole file, and writes it to work->to unless that is -1. path is for messages. 0, STOPPED or <0. */
int store_read_all(struct store_work *work, int from, const char *path, struct store_sum *sum, struct error *err);

#endif
