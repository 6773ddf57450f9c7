/* Directories and files that the service writes, as this user sees them, and the room on their disks. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/sizes.h"
#include "cli/doctor.h"
#include "store/store.h"
#include "store/webhooks_store.h"

#define BE_WRITABLE "give it to the user of hooksd (chown, chmod), and run doctor as that user"

/* A disk with less room than this counts as full. */
#define LEAST_BYTES (64 * MIB)
#define LEAST_INODES 1000

/* Finds the path, or the nearest existing directory above it. */
static bool
find_existing(const char *path, char at[PATH_MAX], struct stat *st)
{
	(void)snprintf(at, PATH_MAX, "%s", path);
	while (stat(at, st) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return false;
		char *above = dirname(at); /* in the same buffer */
		(void)memmove(at, above, strlen(above) + 1);
	}
	return true;
}

static const char *
owner_name(uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user != NULL ? user->pw_name : "a user without a name";
}

/* Checks a place to be written. what: "DATA_DIR=/x". */
static void
check_place(const struct doctor *doctor, enum doctor_check check, const char *what, const char *path, bool directory)
{
	char at[PATH_MAX];
	struct stat st;

	if (!find_existing(path, at, &st)) {
		doctor_fail(doctor->out, check, BE_WRITABLE, "%s: cannot look at %s: %s", what, at, strerror(errno));
		return;
	}
	bool there = strcmp(at, path) == 0;
	if (S_ISDIR(st.st_mode) != (directory || !there)) {
		doctor_fail(doctor->out, check, "name another path, or move away what is there", "%s: %s is %s", what,
		    at, S_ISDIR(st.st_mode) ? "a directory" : "no directory");
		return;
	}
	int wanted = S_ISDIR(st.st_mode) ? W_OK | X_OK : R_OK | W_OK;
	if (faccessat(AT_FDCWD, at, wanted, AT_EACCESS) != 0) {
		doctor_fail(doctor->out, check, BE_WRITABLE, "%s: this user cannot write %s, which %s owns (mode %04o)",
		    what, at, owner_name(st.st_uid), (unsigned)st.st_mode & 07777);
		return;
	}
	if (there && (st.st_mode & S_IWOTH) != 0) {
		doctor_warn(doctor->out, check, "chmod o-w", "%s: every user of this machine may write it (mode %04o)",
		    what, (unsigned)st.st_mode & 07777);
		return;
	}
	if (there)
		doctor_ok(doctor->out, check, "%s: of %s, mode %04o", what, owner_name(st.st_uid),
		    (unsigned)st.st_mode & 07777);
	else
		doctor_ok(doctor->out, check, "%s: is not there yet, and can be made in %s", what, at);
}

/* Checks the directory too, because SQLite makes files beside the database. */
static void
check_companions(const struct doctor *doctor, const char *what, const char *path)
{
	char directory[PATH_MAX];

	(void)snprintf(directory, sizeof directory, "%s", path);
	const char *above = dirname(directory);
	if (access(path, F_OK) == 0 && faccessat(AT_FDCWD, above, W_OK | X_OK, AT_EACCESS) != 0)
		doctor_fail(doctor->out, CHECK_FILES_STORE, BE_WRITABLE,
		    "%s: this user cannot make files beside it, in %s: %s", what, above, strerror(errno));
}

/* Whether this path is on a file system that was checked already. */
static bool
seen_before(dev_t seen[], size_t *count, const char *path, char at[PATH_MAX])
{
	struct stat st;

	if (!find_existing(path, at, &st))
		return true;
	for (size_t i = 0; i < *count; i++)
		if (seen[i] == st.st_dev)
			return true;
	seen[(*count)++] = st.st_dev;
	return false;
}

/* wanted: bytes that may still be written there. */
static void
check_space(const struct doctor *doctor, const char *what, const char *at, uint64_t wanted)
{
	char room[DOCTOR_SIZE_BYTES], size[DOCTOR_SIZE_BYTES];
	struct statvfs disk;

	if (statvfs(at, &disk) != 0) {
		doctor_fail(doctor->out, CHECK_FILES_SPACE, BE_WRITABLE, "%s: cannot ask for the room of %s: %s", what,
		    at, strerror(errno));
		return;
	}
	uint64_t bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
	bool few_inodes = disk.f_files > 0 && disk.f_favail < LEAST_INODES;
	(void)doctor_size(bytes, room);
	if (bytes < LEAST_BYTES || (few_inodes && disk.f_favail == 0))
		doctor_fail(doctor->out, CHECK_FILES_SPACE, "make room, or enlarge the disk",
		    "%s: the disk of %s is full: %s free, %" PRIu64 " inodes", what, at, room, (uint64_t)disk.f_favail);
	else if (few_inodes)
		doctor_warn(doctor->out, CHECK_FILES_SPACE, "remove files, or make a disk with more inodes",
		    "%s: the disk of %s has only %" PRIu64 " inodes left", what, at, (uint64_t)disk.f_favail);
	else if (bytes < wanted)
		doctor_warn(doctor->out, CHECK_FILES_SPACE, "make room, or set a smaller SPOOL_MAX_BYTES",
		    "%s: the disk of %s has %s free, and the spool may grow by %s", what, at, room,
		    doctor_size(wanted, size));
	else
		doctor_ok(doctor->out, CHECK_FILES_SPACE, "%s: the disk of %s has %s free", what, at, room);
}

/* Checks that the files are not another program's. */
static void
check_owners(const struct doctor *doctor)
{
	struct error err;

	if (store_check(doctor->config, &err) != 0 || webhooks_store_check(doctor->config, &err) != 0)
		doctor_fail(doctor->out, CHECK_FILES_STORE, "name another path, or move the file away", "%s", err.text);
}

void
doctor_files(const struct doctor *doctor)
{
	const struct config *config = doctor->config;
	const struct store_file files[] = {store_file(config), webhooks_store_file(config)};
	char what[PATH_MAX + 32], at[PATH_MAX];
	dev_t seen[3];
	size_t count = 0;

	(void)snprintf(what, sizeof what, "DATA_DIR=%s", config->data_dir);
	check_place(doctor, CHECK_FILES_DATA_DIR, what, config->data_dir, true);
	if (!seen_before(seen, &count, config->data_dir, at))
		check_space(doctor, "DATA_DIR", at, config->spool_max_bytes);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		if (files[i].path == NULL)
			continue;
		(void)snprintf(what, sizeof what, "%s=%s", files[i].option, files[i].path);
		check_place(doctor, CHECK_FILES_STORE, what, files[i].path, false);
		if (files[i].has_companions)
			check_companions(doctor, what, files[i].path);
		if (!seen_before(seen, &count, files[i].path, at))
			check_space(doctor, files[i].option, at, 0);
	}
	check_owners(doctor);
}
