/* Collects the paths of a sandbox, applies it, and detects replaced paths. */
#include "base/sandbox.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/exit_codes.h"
#include "base/landlock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/seccomp_filter.h"

/* The paths of this process's sandbox, with the inodes that they had on entry: the rules cover those. */
static struct {
	char *path;
	dev_t device;
	ino_t inode; /* 0: the path did not exist */
} entered[SANDBOX_PLACES_MAX];
static uint32_t entered_count;

static struct sandbox_place *
add(struct sandbox *sandbox)
{
	assert(sandbox->count < SANDBOX_PLACES_MAX);
	return &sandbox->places[sandbox->count++];
}

void
sandbox_may_read(struct sandbox *sandbox, const char *path)
{
	*add(sandbox) = (struct sandbox_place){.path = mem_strdup(path)};
}

void
sandbox_may_write(struct sandbox *sandbox, const char *directory)
{
	*add(sandbox) = (struct sandbox_place){.path = mem_strdup(directory), .writes = true};
}

void
sandbox_may_reopen(struct sandbox *sandbox, int fd)
{
	*add(sandbox) = (struct sandbox_place){.fd = fd, .writes = true};
}

/* ---- entering ---- */

static void
close_inherited(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL) {
		int fd = atoi(entry->d_name);

		if (fd > STDERR_FILENO && fcntl(fd, F_GETFD) == 0)
			close(fd);
	}
	closedir(directory);
}

static int
drop_capabilities(struct error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
	static const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	/* Some service managers refuse capset(2) to processes that have nothing to drop. */
	if (syscall(SYS_capget, &head, sets) == 0 && memcmp(sets, none, sizeof sets) == 0)
		return 0;
	head = (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
	return syscall(SYS_capset, &head, none) == 0 ? 0 : error_errno(err, "cannot drop capabilities");
}

/* Whether errno means that the kernel or the container lacks or forbids the step. */
static bool
is_refusal(void)
{
	return errno == EPERM || errno == EACCES || errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP;
}

/* Combines the result of a step (rc, with its error in why) with that of the steps before it. */
static int
take_step(int rc, int result, struct error *err, const struct error *why)
{
	if (rc == 0)
		return result;
	*err = *why;
	return result < 0 || !is_refusal() ? -1 : SANDBOX_REFUSED;
}

static bool
is_shortage(void)
{
	return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
}

/* Opens the directory or its nearest existing parent. -1: that is "/", or descriptors or memory are exhausted. */
static int
open_nearest(const char *directory)
{
	char at[PATH_MAX];
	int fd;

	(void)snprintf(at, sizeof at, "%s", directory);
	while ((fd = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0 && !is_shortage() && strcmp(at, ".") != 0) {
		char *above = dirname(at); /* in the same buffer, or a constant */

		if (strcmp(above, "/") == 0)
			return -1;
		(void)memmove(at, above, strlen(above) + 1);
	}
	return fd;
}

/* Records the inode that the path names now. */
static void
remember(const char *path)
{
	struct stat st;
	bool there = stat(path, &st) == 0;

	entered[entered_count].path = mem_strdup(path);
	entered[entered_count].device = there ? st.st_dev : 0;
	entered[entered_count++].inode = there ? st.st_ino : 0;
}

/* 9p makes a new inode for each open(2). A rule belongs to an inode, so it would never match there. */
static bool
is_on_9p(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == V9FS_MAGIC;
}

/*
 * Skips a path that cannot be opened, but fails when descriptors or memory are exhausted: the path would stay forbidden
 * for good. remember() comes first, so that a path replaced before the open is found stale.
 */
static int
allow(int rules, const struct sandbox_place *place, struct error *err)
{
	int fd, rc, saved;

	remember(place->path);
	fd = place->writes ? open_nearest(place->path) : open(place->path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return is_shortage() ? error_errno(err, "cannot look at %s", place->path) : 0;
	if (is_on_9p(fd)) {
		rc = error_set(err, "Landlock cannot know files of a 9p file system: %s", place->path);
		saved = EOPNOTSUPP;
	} else {
		rc = landlock_allow(rules, fd, place->writes, err);
		saved = errno;
	}
	close(fd);
	errno = saved;
	return rc;
}

static int
enter_landlock(const struct sandbox *sandbox, struct error *err)
{
	int rules = landlock_rules(sandbox->connects, err), rc = 0, saved;

	if (rules < 0)
		return -1;
	entered_count = 0;
	for (uint32_t i = 0; i < sandbox->count && rc == 0; i++) {
		const struct sandbox_place *place = &sandbox->places[i];

		rc = place->path != NULL ? allow(rules, place, err) : landlock_allow(rules, place->fd, true, err);
	}
	if (rc == 0)
		rc = landlock_enter(rules, err);
	saved = errno;
	if (rc != 0)
		entered_count = 0;
	close(rules);
	errno = saved;
	return rc;
}

int
sandbox_enter(struct sandbox *sandbox, struct error *err)
{
	struct error why;
	int rc = 0;

	close_inherited();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		rc = take_step(error_errno(&why, "cannot set no_new_privs"), rc, err, &why);
	rc = take_step(drop_capabilities(&why), rc, err, &why);
	if (rc >= 0 && landlock_version() > 0)
		rc = take_step(enter_landlock(sandbox, &why), rc, err, &why);
	if (rc >= 0 && seccomp_filter_known())
		rc = take_step(seccomp_filter_enter(sandbox->serves, sandbox->connects, &why), rc, err, &why);
	for (uint32_t i = 0; i < sandbox->count; i++)
		free(sandbox->places[i].path);
	sandbox->count = 0;
	return rc;
}

/* ---- in the sandbox ---- */

/* If stat(2) fails otherwise, the path counts as unchanged. */
static bool
is_stale(uint32_t number)
{
	struct stat st;

	if (stat(entered[number].path, &st) != 0)
		return entered[number].inode != 0 && (errno == ENOENT || errno == ENOTDIR);
	return st.st_dev != entered[number].device || st.st_ino != entered[number].inode;
}

void
sandbox_end_if_stale(void)
{
	for (uint32_t i = 0; i < entered_count; i++) {
		if (!is_stale(i))
			continue;
		log_warning(
		    "a file or directory of this process was replaced: ending, so that a new process may use it",
		    LOG_STR("path", entered[i].path));
		_exit(EXIT_FAILED);
	}
}

const char *
sandbox_missing(void)
{
	bool landlock = landlock_version() > 0, seccomp = seccomp_filter_known();

	if (landlock)
		return seccomp ? NULL : "seccomp";
	return seccomp ? "Landlock" : "seccomp, Landlock";
}

void
sandbox_hide_memory(bool hidden)
{
	(void)prctl(PR_SET_DUMPABLE, hidden ? 0 : 1, 0, 0, 0);
}
