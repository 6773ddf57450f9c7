/* Opening files durably. */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static int
make_parents(char *path, const char *option, struct error *err)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			return error_errno(err, "cannot make the directory %s for %s", path, option);
		*slash = '/';
	}
	return 0;
}

/* A new name is as durable as its directory. */
static int
sync_directory(const char *directory, const char *option, struct error *err)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || fsync(fd) != 0)
		rc = error_errno(err, "cannot sync the directory %s for %s", directory, option);
	if (fd >= 0)
		close(fd);
	return rc;
}

int
files_open(const char *path, int flags, mode_t mode, const char *option, struct error *err)
{
	char *copy = mem_strdup(path);
	int fd = -1;

	if (make_parents(copy, option, err) == 0) {
		fd = open(path, flags | O_CREAT | O_CLOEXEC, mode);
		if (fd < 0)
			(void)error_errno(err, "cannot open %s (%s)", path, option);
	}
	if (fd >= 0 && sync_directory(dirname(copy), option, err) != 0) {
		close(fd);
		fd = -1;
	}
	free(copy);
	return fd;
}
