/* A master keeps its ring's file open, so that /proc has it after its name was removed. */
#include "cli/ring_find.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/pid_lock.h"
#include "config/data_dir.h"

/* Opens a ring file that has lost its name, by a descriptor of its master. Returns 0 or <0. */
static int
open_unnamed(struct segment *segment, pid_t master, const char *ring_path)
{
	const char *slash = strrchr(ring_path, '/');
	char directory[64], wanted[PATH_MAX], link[PATH_MAX], path[PATH_MAX];
	const struct dirent *entry;
	struct error err;
	int rc = -1;

	(void)snprintf(directory, sizeof directory, "/proc/%d/fd", (int)master);
	(void)snprintf(wanted, sizeof wanted, "/%s (deleted)", slash != NULL ? slash + 1 : ring_path);
	DIR *descriptors = opendir(directory);
	if (descriptors == NULL)
		return -1;
	while (rc != 0 && (entry = readdir(descriptors)) != NULL) {
		ssize_t len = readlinkat(dirfd(descriptors), entry->d_name, link, sizeof link - 1);
		ssize_t end = len - (ssize_t)strlen(wanted);

		if (end < 0 || memcmp(link + end, wanted, strlen(wanted)) != 0)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
		rc = segment_open_readonly(segment, path, &err);
	}
	closedir(descriptors);
	return rc;
}

int
ring_find(struct segment *segment, const struct config *config, const char *command)
{
	char lock[PATH_MAX];
	struct error err, ignored;
	pid_t holder = 0;

	if (segment_open_readonly(segment, config->ring_path, &err) == 0)
		return 0;
	if (data_dir_lock_path(config->data_dir, lock, &ignored) == 0)
		holder = pid_lock_holder(lock);
	if (holder > 0 && open_unnamed(segment, holder, config->ring_path) == 0)
		return 0;
	fprintf(stderr, "hooksctl %s: %s\n", command, err.text);
	if (holder > 0)
		fprintf(stderr,
		    "hooksctl %s: but pid %d has DATA_DIR=%s: if that is hooksd, it has another RING_PATH or PORT, "
		    "or its ring file was moved away while it runs, which its /health says; restart it then\n",
		    command, (int)holder, config->data_dir);
	return -1;
}
