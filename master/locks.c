/* Lock files with a pid (base/pid_lock.h). inotify reports their removal. */
#include "master/locks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "config/data_dir.h"
#include "base/files.h"
#include "base/log.h"
#include "base/pid_lock.h"
#include "store/webhooks_store.h"

/* If the user has no inotify watches left, a removed lock file goes unnoticed. */
static void
watch(const struct locks *locks, const struct held_lock *lock)
{
	(void)inotify_add_watch(locks->watch, lock->path, IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF);
}

static int
take(struct locks *locks, const char *option, const char *value, const char *path, struct error *err)
{
	struct held_lock *lock = &locks->items[locks->count++];

	lock->option = option;
	(void)snprintf(lock->path, sizeof lock->path, "%s", path);
	(void)snprintf(lock->what, sizeof lock->what, "%s=%s", option, value);
	lock->fd = pid_lock(lock->path, option, lock->what, err);
	if (lock->fd < 0)
		return -1;
	watch(locks, lock);
	return 0;
}

/*
 * Locks a store's file. A JSONL file must have one service, because a service truncates an unfinished append of its
 * predecessor. Two services on one SQLite database would slow each other down.
 */
static int
take_store_file(struct locks *locks, const struct store_file *file, struct error *err)
{
	const char *slash = strrchr(file->path, '/');
	const char *name = slash != NULL ? slash + 1 : file->path;
	char path[PATH_MAX];

	/* Hidden, so that nothing takes it for a file of events. */
	(void)snprintf(path, sizeof path, "%.*s.%s.lock", (int)(name - file->path), file->path, name);
	if (take(locks, file->option, file->path, path, err) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return -1;
	if (strcmp(file->option, "JSONL_PATH") == 0)
		log_warning("cannot lock the JSONL file against another hooksd", LOG_STR("error", err->text));
	else
		log_warning("cannot lock the SQLite database against another hooksd", LOG_STR("error", err->text));
	return 0;
}

int
locks_take(struct locks *locks, const struct config *config, struct error *err)
{
	const struct store_file files[] = {store_file(config), webhooks_store_file(config)};
	char path[PATH_MAX];

	*locks = (struct locks){.watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
	if (data_dir_lock_path(config->data_dir, path, err) != 0 ||
	    take(locks, "DATA_DIR", config->data_dir, path, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (files[i].path != NULL && take_store_file(locks, &files[i], err) != 0)
			return -1;
	return 0;
}

void
locks_forget(struct locks *locks)
{
	if (locks->watch >= 0)
		close(locks->watch);
	locks->watch = -1;
}

static void
take_again(const struct locks *locks, struct held_lock *lock)
{
	struct error err;
	int fd = pid_lock(lock->path, lock->option, lock->what, &err);

	if (fd >= 0) {
		log_warning("a lock file was removed: it is made again", LOG_STR("file", lock->path));
		close(lock->fd);
		lock->fd = fd;
		lock->lost = lock->logged = false;
		watch(locks, lock);
		return;
	}
	if (!lock->logged && errno == EWOULDBLOCK)
		log_error(
		    "a lock file was removed, and another process has taken its place: stop one of the two at once",
		    LOG_STR("error", err.text));
	else if (!lock->logged)
		log_warning("a lock file was removed and cannot be made again: a second hooksd would not be kept away",
		    LOG_STR("error", err.text));
	lock->logged = true;
}

void
locks_check(struct locks *locks)
{
	char events[4096];

	while (read(locks->watch, events, sizeof events) > 0)
		for (uint32_t i = 0; i < locks->count; i++)
			locks->items[i].lost |=
			    locks->items[i].fd >= 0 && !files_in_place(locks->items[i].fd, locks->items[i].path);
	for (uint32_t i = 0; i < locks->count; i++)
		if (locks->items[i].lost)
			take_again(locks, &locks->items[i]);
}
