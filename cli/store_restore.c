/*
 * The new database is written beside the old one under another name, and takes its name by one rename. Before that the
 * old one's log is written into it, so that it is a single file. So whenever this process dies, one complete database
 * has the name, and the new one has no old log beside it.
 */
#include "cli/store_restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/store_manifest.h"
#include "config/data_dir.h"

#define PATHS (PATH_MAX + 64)

struct restore {
	const struct config *config;
	const char *from;
	char source[PATH_MAX]; /* the snapshot's database */
	char target[PATH_MAX]; /* HL_DATA_PATH behind its symbolic links */
	char fresh[PATHS]; /* the new database until it has its name */
	char aside[PATHS]; /* name of the old database afterwards; "": there was none */
	struct store_work work;
	struct store_manifest manifest;
};

/* ---- the snapshot ---- */

/* Reads the database, writes it to work.to unless that is -1, and compares it with the manifest. */
static int
read_database(struct restore *restore, struct error *err)
{
	const struct store_manifest *manifest = &restore->manifest;
	struct store_sum sum;
	struct stat st;
	int fd = open(restore->source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return error_errno(err, "the snapshot is incomplete: cannot open %s", restore->source);
	int rc = fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
		     ? store_read_all(&restore->work, fd, restore->source, &sum, err)
		     : error_set(err, "%s is not a regular file", restore->source);
	close(fd);
	if (rc == 0 && (sum.bytes != manifest->sum.bytes || strcmp(sum.digest, manifest->sum.digest) != 0))
		rc = error_set(err,
		    "the snapshot is damaged: %s has %" PRIu64 " bytes and SHA-256 %s, and its manifest says %" PRIu64
		    " and %s. Nothing was changed: take another snapshot",
		    restore->source, sum.bytes, sum.digest, manifest->sum.bytes, manifest->sum.digest);
	return rc;
}

static int
validate(struct restore *restore, struct error *err)
{
	const struct sqlite_copy_watch watch = {store_work_goes_on, &restore->work};
	struct sqlite_copy_facts found;
	struct error why;
	int rc = store_path(restore->from, STORE_DATABASE_FILE, restore->source, err);

	if (rc == 0)
		rc = store_manifest_read(restore->from, &restore->manifest, err);
	if (rc == 0)
		rc = read_database(restore, err);
	if (rc != 0)
		return rc;
	rc = sqlite_copy_read(restore->source, &found, &watch, &why);
	if (rc == 0)
		rc = store_manifest_check(&restore->manifest, &found, &why);
	if (rc == 0 || rc == SQLITE_COPY_STOPPED)
		return rc;
	return error_set(err, "the snapshot is damaged: %s. Nothing was changed: take another snapshot", why.text);
}

/* ---- the place ---- */

/* Checks that the file belongs to this user: hooksd's files must be its user's. */
static int
check_owner(const char *path, const char *option, struct error *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? 0 : error_errno(err, "cannot look at %s=%s", option, path);
	if (st.st_uid == geteuid())
		return 0;
	return error_set(err, "%s=%s belongs to the user %u and not to %u: run this as that user", option, path,
	    (unsigned)st.st_uid, (unsigned)geteuid());
}

static int
find_target(struct restore *restore, struct error *err)
{
	const char *path = restore->config->hl_data_path;
	char *real = realpath(path, NULL);
	struct stat st;

	if (real == NULL && lstat(path, &st) == 0)
		return error_errno(err, "HL_DATA_PATH=%s leads nowhere", path);
	if (real == NULL && errno != ENOENT)
		return error_errno(err, "cannot look at HL_DATA_PATH=%s", path);
	int len = snprintf(restore->target, sizeof restore->target, "%s", real != NULL ? real : path);
	free(real);
	if (len >= (int)sizeof restore->target)
		return error_set(err, "HL_DATA_PATH=%s is too long", path);
	(void)snprintf(restore->fresh, sizeof restore->fresh, "%s.restoring", restore->target);
	return 0;
}

/* The lock is held until this process ends. */
static int
take_place(struct restore *restore, struct error *err)
{
	const struct config *config = restore->config;
	int rc = check_owner(config->data_dir, "DATA_DIR", err);

	if (rc == 0)
		rc = check_owner(config->hl_data_path, "HL_DATA_PATH", err);
	if (rc == 0)
		rc = find_target(restore, err);
	if (rc == 0 && data_dir_lock(config->data_dir, err) < 0)
		rc = -1;
	return rc;
}

/* ---- the new database ---- */

static int
write_fresh(struct restore *restore, struct error *err)
{
	struct store_work *work = &restore->work;
	int rc;

	(void)unlink(restore->fresh); /* left by a killed restore */
	work->to = files_open(restore->fresh, O_RDWR | O_EXCL | O_NOFOLLOW, 0600, "HL_DATA_PATH", err);
	if (work->to < 0)
		return -1;
	rc = read_database(restore, err);
	if (rc == 0 && store_work_sync(work) != 0)
		rc = error_errno(err, "cannot sync %s", restore->fresh);
	close(work->to);
	work->to = -1;
	return rc;
}

/* ---- the old one ---- */

/* Gives a file a second name; *there: false: there is no such file. */
static int
link_aside(const char *path, const char *aside, bool *there, struct error *err)
{
	*there = link(path, aside) == 0;
	if (*there || errno == ENOENT)
		return 0;
	return error_errno(err, "cannot keep %s as %s, so it is not replaced", path, aside);
}

static int
remove_file(const char *path, struct error *err)
{
	return unlink(path) == 0 || errno == ENOENT ? 0 : error_errno(err, "cannot remove %s", path);
}

/* Makes the names durable in the directory of path. */
static int
sync_names(const char *path, struct error *err)
{
	char *copy = mem_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL)
		     ? 0
		     : error_errno(err, "cannot sync the directory of %s", path);

	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

/* Files that SQLite may have beside a database. A log or journal of the old database would corrupt the new one. */
static const struct {
	const char *suffix;
	bool kept;
} companions[] = {{"-wal", true}, {"-journal", true}, {"-shm", false}};

#define COMPANIONS (sizeof companions / sizeof *companions)

/* Gives the old database a second name, and also its log if that cannot be written into it. */
static int
keep_old(struct restore *restore, struct error *err)
{
	char beside[PATHS + 16], aside[PATHS + 16];
	bool there, companion_there;

	(void)snprintf(
	    restore->aside, sizeof restore->aside, "%s.set-aside.%" PRId64, restore->target, clock_wall_us());
	int rc = link_aside(restore->target, restore->aside, &there, err);
	for (size_t i = 0; rc == 0 && i < COMPANIONS; i++) {
		(void)snprintf(beside, sizeof beside, "%s%s", restore->target, companions[i].suffix);
		(void)snprintf(aside, sizeof aside, "%s%s", restore->aside, companions[i].suffix);
		if (companions[i].kept)
			rc = link_aside(beside, aside, &companion_there, err);
	}
	if (!there)
		restore->aside[0] = '\0';
	return rc == 0 ? sync_names(restore->target, err) : rc;
}

static int
remove_companions(const struct restore *restore, struct error *err)
{
	char beside[PATHS + 16];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < COMPANIONS; i++) {
		(void)snprintf(beside, sizeof beside, "%s%s", restore->target, companions[i].suffix);
		rc = remove_file(beside, err);
	}
	return rc == 0 ? sync_names(restore->target, err) : rc;
}

/* Writes the log into the old database. A damaged one is kept with its log as it is. */
static int
end_old_log(const struct restore *restore, struct error *err)
{
	struct error why;
	int rc;

	if (access(restore->target, F_OK) != 0)
		return 0;
	rc = sqlite_copy_end_log(restore->target, &why);
	if (rc == SQLITE_COPY_DAMAGED) {
		fprintf(stderr, "hooksctl store: the store that is replaced is damaged: %s\n", why.text);
		return 0;
	}
	if (rc == SQLITE_COPY_IN_USE)
		return error_set(
		    err, "HL_DATA_PATH=%s is open in another program, which must end: %s", restore->target, why.text);
	return rc == 0 ? 0 : error_set(err, "%s", why.text);
}

static int
restore_database(struct restore *restore, struct error *err)
{
	int rc = take_place(restore, err);

	if (rc != 0)
		return rc;
	rc = write_fresh(restore, err);
	if (rc == 0)
		rc = end_old_log(restore, err);
	if (rc == 0)
		rc = keep_old(restore, err);
	if (rc == 0)
		rc = remove_companions(restore, err);
	if (rc == 0)
		rc = files_rename(restore->fresh, restore->target, err);
	else
		(void)unlink(restore->fresh);
	return rc;
}

/* ---- the command ---- */

static int64_t
rows_of(const struct store_manifest *manifest, const char *table)
{
	for (uint32_t i = 0; i < manifest->facts.table_count; i++)
		if (strcmp(manifest->facts.tables[i].name, table) == 0)
			return manifest->facts.tables[i].rows;
	return 0;
}

static void
print(const struct restore *restore, bool validate_only)
{
	const struct store_manifest *manifest = &restore->manifest;

	printf("%s: a whole snapshot of %s, by hooksctl %s: %" PRId64 " events, %" PRId64 " jobs that wait\n",
	    restore->from, manifest->made_at, manifest->made_by, rows_of(manifest, "events"),
	    rows_of(manifest, "jobs"));
	if (validate_only)
		return;
	printf("It is the store now: %s\n", restore->target);
	if (restore->aside[0] != '\0')
		printf("The store before is kept: %s\n", restore->aside);
	if (rows_of(manifest, "jobs") > 0)
		printf("Deliveries will start paused, since the jobs may have been done after the snapshot; "
		       "`hooksctl deliveries resume` goes on.\n");
}

int
store_restore(const struct config *config, const char *from, bool validate_only)
{
	struct restore restore = {.config = config, .from = from};
	struct error err;
	int rc;

	(void)umask(077);
	store_work_begin(&restore.work, false);
	rc = validate(&restore, &err);
	if (rc == 0 && !validate_only)
		rc = restore_database(&restore, &err);
	if (rc != 0) {
		fprintf(stderr, "hooksctl store: %s\n",
		    restore.work.stopped ? "stopped by a signal: nothing was changed" : err.text);
		return COMMAND_FAILED;
	}
	print(&restore, validate_only);
	return fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
}
