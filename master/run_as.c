/*
 * Root never changes the owner of an existing file, because anyone who can write into a parent directory could choose
 * that file. It makes a missing directory only where all parents belong to root, and reports other files with a wrong
 * owner.
 */
#include "master/run_as.h"

#include <errno.h>
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

#include "base/log.h"
#include "base/mem.h"
#include "config/data_dir.h"
#include "store/store.h"
#include "store/webhooks_store.h"

struct user {
	uid_t uid;
	gid_t gid;
	char name[64], home[PATH_MAX]; /* "": none */
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

/* Finds the user. A number without an entry gets the same number as its group. */
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

static int
check_owner(const char *path, const struct user *user, const char *text, struct error *err)
{
	struct stat st;

	if (path == NULL || stat(path, &st) != 0 || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return 0;
	return error_set(err, "RUN_AS=%s: %s belongs to root: chown -R %u:%u it, or leave RUN_AS out", text, path,
	    user->uid, user->gid);
}

/* Whether only root can change the directory's entries. */
static bool
is_roots(const char *directory)
{
	struct stat st;

	return stat(directory, &st) == 0 && st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/*
 * Makes the first missing parent directory of path, owned by the user, if only root could have made a link on the way.
 * The user makes the others.
 */
static int
make_above(const char *path, const char *option, const struct user *user, struct error *err)
{
	char *copy = mem_strdup(path);
	bool goes_on = is_roots(path[0] == '/' ? "/" : ".");
	int rc = 0;

	for (char *slash = strchr(copy + 1, '/'); slash != NULL && goes_on; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		goes_on = mkdir(copy, 0777) != 0;
		if (!goes_on)
			rc = lchown(copy, user->uid, user->gid);
		else if (errno == EEXIST)
			goes_on = is_roots(copy);
		else
			rc = -1;
		if (rc != 0) {
			(void)error_errno(err, "cannot make the directory %s for %s", copy, option);
			goes_on = false;
		}
		*slash = '/';
	}
	free(copy);
	return rc;
}

static int
make_directories(const struct config *config, const struct user *user, struct error *err)
{
	const struct store_file files[] = {store_file(config), webhooks_store_file(config)};
	char path[PATH_MAX];
	int rc = data_dir_lock_path(config->data_dir, path, err);

	if (rc == 0)
		rc = make_above(path, "DATA_DIR", user, err);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (rc == 0 && files[i].path != NULL)
			rc = make_above(files[i].path, files[i].option, user, err);
	return rc;
}

/* Refuses files that an earlier service of root has left: changing their owner here would be unsafe. */
static int
check_files(const struct config *config, const struct user *user, struct error *err)
{
	const char *const files[] = {store_file(config).path, webhooks_store_file(config).path};
	int rc = check_owner(config->data_dir, user, config->run_as, err);

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *copy = files[i] != NULL ? mem_strdup(files[i]) : NULL;

		if (rc == 0 && copy != NULL)
			rc = check_owner(dirname(copy), user, config->run_as, err);
		if (rc == 0)
			rc = check_owner(files[i], user, config->run_as, err);
		free(copy);
	}
	return rc == 0 ? check_owner(config->ring_path, user, config->run_as, err) : rc;
}

/* ---- becoming the user ---- */

/* Drops all capabilities, except that for listening on any port if listen_anywhere. */
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
		(void)setenv("HOME", user->home, 1); /* libpq reads certificates and passwords there */
	log_info("running as another user", LOG_UINT("uid", user->uid), LOG_UINT("gid", user->gid));
	return 0;
}

static int
check(const struct config *config, struct user *user, struct error *err)
{
	if (find_user(config->run_as, user, err) != 0)
		return -1;
	if (geteuid() == user->uid)
		return 0;
	if (geteuid() == 0)
		return check_files(config, user, err);
	return error_set(
	    err, "RUN_AS=%s: only root can become another user: start as root, or leave it out", config->run_as);
}

/* Warns about files of other users: the processes lack root's capability to use them (base/sandbox.h). */
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
	return make_directories(config, &user, err) == 0 ? become(&user, err) : -1;
}

void
run_as_finish(const struct config *config)
{
	if (config->run_as != NULL && geteuid() != 0)
		(void)keep_capability(false);
}
