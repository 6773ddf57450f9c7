/*
 * hooksd may be working on the same disk. At most PIECE_BYTES of a copy wait for the disk at a time, and work that
 * yields runs for one part of the time in YIELD_PARTS.
 */
#include "cli/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/mem.h"
#include "base/signals.h"

#define PIECE_BYTES ((off_t)512 << 10)
#define READ_BYTES ((size_t)256 << 10)
#define NICENESS 19
#define YIELD_PARTS 4
#define TURN_US 2000 /* the shortest period of work before a pause */

void
store_work_begin(struct store_work *work, bool yields)
{
	*work = (struct store_work){
	    .signals = signals_open(false), .to = -1, .yields = yields, .turn_began_us = clock_steady_us()};
	(void)signal(SIGXFSZ, SIG_IGN); /* the write fails instead */
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
}

/* sync_file_range(2) does not commit the file system's journal: a sync of hooksd would wait for such a commit. */
static void
write_piece(struct store_work *work)
{
	struct stat st;

	if (work->to < 0 || fstat(work->to, &st) != 0 || st.st_size - work->written < PIECE_BYTES)
		return;
	if (sync_file_range(work->to, work->written, st.st_size - work->written,
		SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) != 0)
		work->failed = errno;
	work->written = st.st_size;
}

/* A signal ends the rest: on a slow disk it is long. */
static void
rest(struct store_work *work)
{
	int64_t worked_us = clock_steady_us() - work->turn_began_us;

	if (!work->yields || worked_us < TURN_US)
		return;
	worked_us *= YIELD_PARTS - 1;
	const struct timespec length = {worked_us / 1000000, worked_us % 1000000 * 1000};
	struct pollfd signals = {.fd = work->signals, .events = POLLIN};
	(void)ppoll(&signals, 1, &length, NULL);
	work->turn_began_us = clock_steady_us();
}

bool
store_work_goes_on(void *context)
{
	struct store_work *work = context;

	if (signals_next(work->signals) != 0)
		work->stopped = true;
	if (!work->stopped) {
		write_piece(work);
		rest(work);
	}
	return !work->stopped;
}

int
store_work_sync(struct store_work *work)
{
	if (fsync(work->to) != 0)
		return -1;
	errno = work->failed; /* the system reports it once */
	return work->failed == 0 ? 0 : -1;
}

int
store_path(const char *directory, const char *name, char out[PATH_MAX], struct error *err)
{
	if (snprintf(out, PATH_MAX, "%s/%s", directory, name) < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return error_errno(err, "%s", directory);
}

static void
write_hex(const uint8_t bytes[SHA256_BYTES], char out[STORE_DIGEST_TEXT_BYTES])
{
	for (size_t i = 0; i < SHA256_BYTES; i++)
		(void)sprintf(out + 2 * i, "%02x", bytes[i]);
}

/* 0 at the end of the file, 1 before it, or <0. */
static int
next_part(const struct store_work *work, int from, const char *path, struct span *part, struct error *err)
{
	ssize_t n;

	do
		n = read(from, (char *)(uintptr_t)part->base, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, "cannot read %s", path);
	part->len = (size_t)n;
	if (n > 0 && work->to >= 0 && files_write(work->to, part->base, part->len) != 0)
		return error_errno(err, "cannot write a copy of %s", path);
	return n > 0;
}

int
store_read_all(struct store_work *work, int from, const char *path, struct store_sum *sum, struct error *err)
{
	char *buffer = mem_new(1, READ_BYTES);
	struct crypto_sha256 *digest = crypto_sha256_begin();
	struct span part = {buffer, 0};
	uint8_t out[SHA256_BYTES];
	int rc;

	sum->bytes = 0;
	while ((rc = next_part(work, from, path, &part, err)) > 0 && store_work_goes_on(work)) {
		crypto_sha256_add(digest, part);
		sum->bytes += part.len;
	}
	crypto_sha256_end(digest, out);
	write_hex(out, sum->digest);
	free(buffer);
	return rc > 0 ? STORE_WORK_STOPPED : rc;
}
