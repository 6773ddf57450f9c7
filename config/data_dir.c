/* Taking the lock of DATA_DIR. */
#include "config/data_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/pid_lock.h"

int
data_dir_lock_path(const char *data_dir, char out[PATH_MAX], struct error *err)
{
	if (snprintf(out, PATH_MAX, "%s/" DATA_DIR_LOCK, data_dir) < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return error_set(err, "DATA_DIR=%s is too long", data_dir);
}

int
data_dir_lock(const char *data_dir, struct error *err)
{
	char path[PATH_MAX], what[PATH_MAX + sizeof "DATA_DIR="];

	if (data_dir_lock_path(data_dir, path, err) != 0)
		return -1;
	(void)snprintf(what, sizeof what, "DATA_DIR=%s", data_dir);
	return pid_lock(path, "DATA_DIR", what, err);
}
