/*
 * The files are given by descriptors that were opened without following links, and only those that root owns and that
 * have one name: whoever may write into a directory must not choose what root gives away. A directory that holds files
 * of others is left as it is, with what is in it.
 */
#include "master/run_as.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/data_dir.h"
#include "courier/copy_guard.h"
#include "courier/node_file.h"
#include "master/saved_counters.h"
#include "shm/segment_layout.h"
#include "store/dead_letter_file.h"
#include "store/store.h"
#include "store/webhooks_store.h"
#include "writer/spool_file.h"

struct user {
	uid_t uid;
	gid_t gid;
	char name[64], home[PATH_MAX]; /* "": it has none */
};

/* ---- the user ---- */

static bool
read_number(const char *text, unsigned *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*number = (unsigned)value;
	return *end == '\0' && *text >= '0' && *text <= '9' && value < UINT_MAX;
}

static int
find_group(const char *text, gid_t *gid, struct error *err)
{
	const struct group *group = getgrnam(text);

	if (group != NULL)
		*gid = group->gr_gid;
	else if (!read_number(text, gid))
		return error_set(err, "RUN_AS: there is no group %s", text);
	return 0;
}

/* A number without an entry is a user whose group has the same number. */
static int
find_user(const char *text, struct user *user, struct error *err)
{
	char name[sizeof user->name];
	const char *colon = strchr(text, ':');
	const struct passwd *entry;

	*user = (struct user){.uid = 0};
	(void)snprintf(name, sizeof name, "%.*s", colon != NULL ? (int)(colon - text) : (int)strlen(text), text);
	entry = getpwnam(name);
	if (entry == NULL && read_number(name, &user->uid)) {
		user->gid = user->uid;
		entry = getpwuid(user->uid);
	} else if (entry == NULL) {
		return error_set(err, "RUN_AS=%s: there is no user %s", text, name);
	}
	if (entry != NULL) {
		user->uid = entry->pw_uid;
		user->gid = entry->pw_gid;
		(void)snprintf(user->name, sizeof user->name, "%s", entry->pw_name);
		(void)snprintf(user->home, sizeof user->home, "%s", entry->pw_dir);
	}
	return colon != NULL ? find_group(colon + 1, &user->gid, err) : 0;
}

/* ---- its files ---- */

static void
give(int fd, const struct user *user, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_uid != 0 ||
	    (!S_ISDIR(st.st_mode) && (!S_ISREG(st.st_mode) || st.st_nlink != 1)))
		return;
	if (fchownat(fd, "", user->uid, user->gid, AT_EMPTY_PATH) != 0)
		log_warning("cannot give a file to the user of RUN_AS", LOG_STR("path", path),
		    LOG_STR("error", strerror(errno)));
}

static void
give_path(const char *path, const struct user *user)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	give(fd, user, path);
	close(fd);
}

/* The file name of a path. */
static const char *
name_in(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Whether the file is one that this service makes: its own, a store's, or one that belongs to that. */
static bool
is_ours(const char *name, const char *const *stores, size_t count)
{
	static const char *const own[] = {DATA_DIR_LOCK, SAVED_COUNTERS, SPOOL_DIRECTORY, SPOOL_DIRECTORY_PUBLISHED,
	    DEAD_LETTER_FILE_NAME, NODE_FILE, STORE_FILE, "kept-"};

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (strncmp(name, own[i], strlen(own[i])) == 0)
			return true;
	name += *name == '.'; /* of a lock file */
	for (size_t i = 0; i < count; i++)
		if (stores[i] != NULL && strncmp(name, name_in(stores[i]), strlen(name_in(stores[i]))) == 0)
			return true;
	return false;
}

struct giving {
	const struct user *user;
	const char *stores[2]; /* paths of their files; NULL: there is none */
};

static bool
is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool
holds_only_ours(DIR *directory, const struct giving *giving)
{
	const struct dirent *entry;

	while ((entry = readdir(directory)) != NULL)
		if (!is_dot(entry->d_name) && !is_ours(entry->d_name, giving->stores, 2))
			return false;
	rewinddir(directory);
	return true;
}

/* Gives what is in it, and of directories in it what is in those; then itself. Takes fd over. */
static void
give_directory(int fd, const char *path, const struct giving *giving, bool within)
{
	DIR *directory = fdopendir(fd);
	const struct dirent *entry;

	if (directory == NULL) {
		close(fd);
		return;
	}
	if (!within && !holds_only_ours(directory, giving)) {
		log_warning("a directory holds files of others, and stays as it is: the user of RUN_AS must be able to "
			    "write there",
		    LOG_STR("directory", path));
		closedir(directory);
		return;
	}
	while ((entry = readdir(directory)) != NULL) {
		int file = is_dot(entry->d_name) ? -1 : openat(fd, entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		int inner = file < 0 ? -1 : openat(file, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (file >= 0)
			give(file, giving->user, entry->d_name);
		if (inner >= 0 && !within)
			give_directory(inner, entry->d_name, giving, true);
		else if (inner >= 0)
			close(inner);
		if (file >= 0)
			close(file);
	}
	give(fd, giving->user, path);
	closedir(directory);
}

/* Makes the directories above path's file that are missing, for the user; what was there is given if root owns it. */
static int
give_above(const char *path, const char *option, const struct giving *giving, struct error *err)
{
	char *copy = mem_strdup(path);
	int rc = 0;

	for (char *slash = strchr(copy + 1, '/'); slash != NULL && rc == 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0777) == 0)
			give_path(copy, giving->user);
		else if (errno != EEXIST)
			rc = error_errno(err, "cannot make the directory %s for %s", copy, option);
		*slash = '/';
	}
	const char *directory = dirname(copy);
	int fd = rc == 0 ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 0)
		give_directory(fd, directory, giving, false);
	else if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

static void
give_ring(const char *path, const struct user *user)
{
	char magic[sizeof SEGMENT_MAGIC - 1];
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	/* All versions begin so. */
	if (pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic && memcmp(magic, SEGMENT_MAGIC, 6) == 0)
		give(fd, user, path);
	close(fd);
}

static int
give_files(const struct config *config, const struct user *user, struct error *err)
{
	const struct store_file files[] = {store_file(config), webhooks_store_file(config)};
	const struct giving giving = {.user = user, .stores = {files[0].path, files[1].path}};
	char path[PATH_MAX];

	/* Otherwise an option that names another program's file would give that away. */
	if (store_check(config, err) != 0 || webhooks_store_check(config, err) != 0)
		return -1;
	if (data_dir_lock_path(config->data_dir, path, err) != 0 || give_above(path, "DATA_DIR", &giving, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		if (files[i].path == NULL)
			continue;
		if (give_above(files[i].path, files[i].option, &giving, err) != 0)
			return -1;
		give_path(files[i].path, user);
	}
	give_ring(config->ring_path, user);
	return 0;
}

/* ---- becoming it ---- */

/* All that this process may still do as root: to listen on any port, or nothing. */
static int
keep_capability(bool listen_anywhere)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
	const uint32_t kept = listen_anywhere ? 1u << CAP_NET_BIND_SERVICE : 0;

	if (syscall(SYS_capget, &head, sets) != 0)
		return -1;
	sets[0].permitted &= kept;
	sets[0].effective = sets[0].permitted;
	sets[0].inheritable = 0;
	sets[1] = (struct __user_cap_data_struct){0};
	return (int)syscall(SYS_capset, &head, sets);
}

static int
become(const struct user *user, struct error *err)
{
	int rc = user->name[0] != '\0' ? initgroups(user->name, user->gid) : setgroups(1, &user->gid);

	if (rc != 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
	    setresuid(user->uid, user->uid, user->uid) != 0 || keep_capability(true) != 0)
		return error_errno(err, "RUN_AS: cannot become user %u, group %u", user->uid, user->gid);
	if (user->home[0] != '\0')
		(void)setenv("HOME", user->home, 1); /* libpq looks for certificates and passwords there */
	log_info("running as another user", LOG_UINT("uid", user->uid), LOG_UINT("gid", user->gid));
	return 0;
}

static int
check(const struct config *config, struct user *user, struct error *err)
{
	if (find_user(config->run_as, user, err) != 0)
		return -1;
	if (geteuid() == 0 || geteuid() == user->uid)
		return 0;
	return error_set(
	    err, "RUN_AS=%s: only root can become another user: start as root, or leave it out", config->run_as);
}

/*
 * The capabilities that let root use files of others are gone in the processes (base/sandbox.h): to a service that root
 * starts in somebody's directory this is worth a word.
 */
static void
warn_if_foreign(const char *path, const char *option)
{
	struct stat st;

	if (path == NULL || stat(path, &st) != 0 || st.st_uid == 0 || (st.st_mode & S_IWOTH) != 0 ||
	    (st.st_gid == 0 && (st.st_mode & S_IWGRP) != 0))
		return;
	log_warning("root has started the service, whose processes cannot write what another user owns: set RUN_AS",
	    LOG_STR("option", option), LOG_STR("path", path), LOG_UINT("owner", st.st_uid));
}

static void
warn_of_foreign_files(const struct config *config)
{
	const struct store_file events = store_file(config), webhooks = webhooks_store_file(config);

	warn_if_foreign(config->data_dir, "DATA_DIR");
	warn_if_foreign(events.path, events.option);
	warn_if_foreign(webhooks.path, webhooks.option);
}

int
run_as_check(const struct config *config, struct error *err)
{
	struct user user;

	return config->run_as != NULL ? check(config, &user, err) : 0;
}

int
run_as(const struct config *config, struct error *err)
{
	struct user user;

	if (config->run_as == NULL) {
		if (config->sandbox && geteuid() == 0)
			warn_of_foreign_files(config);
		return 0;
	}
	if (check(config, &user, err) != 0)
		return -1;
	if (user.uid == geteuid())
		return 0;
	return give_files(config, &user, err) == 0 ? become(&user, err) : -1;
}

void
run_as_finish(const struct config *config)
{
	if (config->run_as != NULL && geteuid() != 0)
		(void)keep_capability(false);
}
