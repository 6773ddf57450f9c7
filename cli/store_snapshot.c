/*
 * The manifest is written last, so if this process dies earlier the directory is no snapshot. If the work fails, or a
 * signal ends it, the written files are removed.
 */
#include "cli/store_snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/store_manifest.h"
#include "store/webhooks/identity_rows.h"

struct snapshot {
	const char *source; /* the database */
	const char *dest;
	char path[PATH_MAX]; /* of the copy */
	bool made_dest, made_file;
	struct store_work work;
	struct store_manifest manifest;
};

/* ---- the directory ---- */

static int
check_empty(DIR *directory, const char *dest, struct error *err)
{
	const struct dirent *entry;

	while ((entry = readdir(directory)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return error_set(
			    err, "--dest=%s is not empty (it has %s): name a new directory", dest, entry->d_name);
	return 0;
}

static int
take_directory(struct snapshot *snapshot, struct error *err)
{
	const char *dest = snapshot->dest;

	snapshot->made_dest = mkdir(dest, 0700) == 0;
	if (!snapshot->made_dest && errno != EEXIST)
		return error_errno(err, "cannot make the directory --dest=%s", dest);
	int fd = open(dest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return error_set(err, "--dest=%s is a file or a symbolic link: name a new directory", dest);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (directory == NULL) {
		(void)error_errno(err, "cannot open --dest=%s", dest);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	int rc = check_empty(directory, dest, err);
	if (rc == 0 && fchmod(fd, 0700) != 0)
		rc = error_errno(err, "cannot keep others out of --dest=%s", dest);
	closedir(directory);
	return rc;
}

static void
remove_all(const struct snapshot *snapshot)
{
	if (snapshot->made_file)
		(void)unlink(snapshot->path);
	if (snapshot->made_dest)
		(void)rmdir(snapshot->dest);
}

/* ---- the copy ---- */

static int
make_copy(struct snapshot *snapshot, struct error *err)
{
	const struct sqlite_copy_watch watch = {store_work_goes_on, &snapshot->work};
	struct sqlite_copy_facts *facts = &snapshot->manifest.facts, source;
	int rc = sqlite_copy_identify(snapshot->source, &source, err);

	if (rc == 0 && strncmp(source.store_id, STORE_ID_OF_MOVE, strlen(STORE_ID_OF_MOVE)) == 0)
		rc = error_set(err, "%s is an unfinished move: end it by `hooksctl store migrate`", snapshot->source);
	if (rc == 0)
		rc = sqlite_copy_make(snapshot->source, snapshot->path, &watch, err);
	if (rc == 0 && store_work_sync(&snapshot->work) != 0)
		rc = error_errno(err, "cannot sync %s", snapshot->path);
	if (rc == 0)
		rc = sqlite_copy_read(snapshot->path, facts, &watch, err);
	if (rc == 0) /* the copy has an id of its own */
		(void)snprintf(facts->store_id, sizeof facts->store_id, "%s", source.store_id);
	return rc;
}

static int
describe(struct snapshot *snapshot, struct error *err)
{
	struct store_manifest *manifest = &snapshot->manifest;
	int fd = snapshot->work.to;

	snapshot->work.to = -1;
	int rc = lseek(fd, 0, SEEK_SET) == 0 ? store_read_all(&snapshot->work, fd, snapshot->path, &manifest->sum, err)
					     : error_errno(err, "cannot read %s", snapshot->path);
	snapshot->work.to = fd;
	return rc == 0 ? store_manifest_write(snapshot->dest, manifest, err) : rc;
}

static int
create(struct snapshot *snapshot, struct error *err)
{
	int rc = take_directory(snapshot, err);

	if (rc == 0)
		rc = store_path(snapshot->dest, STORE_DATABASE_FILE, snapshot->path, err);
	if (rc != 0)
		return rc;
	snapshot->work.to = files_open(snapshot->path, O_RDWR | O_EXCL | O_NOFOLLOW, 0600, "--dest", err);
	if (snapshot->work.to < 0)
		return -1;
	snapshot->made_file = true;
	format_time(clock_wall_us(), snapshot->manifest.made_at);
	(void)snprintf(snapshot->manifest.made_by, sizeof snapshot->manifest.made_by, "%s", HOOKS_VERSION);
	rc = make_copy(snapshot, err);
	if (rc == 0)
		rc = describe(snapshot, err);
	close(snapshot->work.to);
	return rc;
}

static void
print(const struct snapshot *snapshot)
{
	const struct store_manifest *manifest = &snapshot->manifest;
	int64_t rows = 0;

	for (uint32_t i = 0; i < manifest->facts.table_count; i++)
		rows += manifest->facts.tables[i].rows;
	printf("snapshot of %s in %s: %" PRId64 " rows in %" PRIu32 " tables, %" PRIu64 " bytes, SHA-256 %s\n"
	       "It holds the secrets by which webhooks are signed.\n",
	    snapshot->source, snapshot->dest, rows, manifest->facts.table_count, manifest->sum.bytes,
	    manifest->sum.digest);
}

int
store_snapshot_create(const struct config *config, const char *dest)
{
	struct snapshot snapshot = {.source = config->hl_data_path, .dest = dest};
	struct error err;
	int rc;

	(void)umask(077);
	if (access(snapshot.source, F_OK) != 0) {
		fprintf(stderr, "hooksctl store: there is no store at HL_DATA_PATH=%s: %s\n", snapshot.source,
		    strerror(errno));
		return COMMAND_FAILED;
	}
	store_work_begin(&snapshot.work, true);
	rc = create(&snapshot, &err);
	if (rc == 0) {
		print(&snapshot);
		return fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
	}
	remove_all(&snapshot);
	fprintf(stderr, "hooksctl store: %s\n",
	    snapshot.work.stopped ? "stopped by a signal: nothing is left of the snapshot" : err.text);
	return COMMAND_FAILED;
}
