/* A snapshot may be large while hooksd is working, so at most PIECE_BYTES wait for the disk at a time. */
#include "cli/store_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/mem.h"
#include "base/signals.h"

#define PIECE_BYTES ((off_t)8 << 20)
#define READ_BYTES ((size_t)1 << 20)
#define NICENESS 19

void
store_work_begin(struct store_work *work)
{
	*work = (struct store_work){.signals = signals_open(false), .to = -1};
	(void)signal(SIGXFSZ, SIG_IGN); /* the write fails instead */
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
}

/* A sync that fails here fails again when the whole file is synced. */
static void
sync_piece(struct store_work *work)
{
	struct stat st;

	if (work->to < 0 || fstat(work->to, &st) != 0 || st.st_size - work->synced < PIECE_BYTES)
		return;
	(void)fdatasync(work->to);
	work->synced = st.st_size;
}

bool
store_work_goes_on(void *context)
{
	struct store_work *work = context;

	if (signals_next(work->signals) != 0)
		work->stopped = true;
	sync_piece(work);
	return !work->stopped;
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
