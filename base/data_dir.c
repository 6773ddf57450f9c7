/* The lock of DATA_DIR. */
#include "base/data_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/pid_lock.h"

int
data_dir_lock(const char *data_dir, struct error *err)
{
	char path[PATH_MAX], what[PATH_MAX + sizeof "DATA_DIR="];

	if (snprintf(path, sizeof path, "%s/" DATA_DIR_LOCK, data_dir) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return error_set(err, "DATA_DIR=%s is too long", data_dir);
	}
	(void)snprintf(what, sizeof what, "DATA_DIR=%s", data_dir);
	return pid_lock(path, "DATA_DIR", what, err);
}
