/* A rotated file has its time in its name. */
#include "store/jsonl/jsonl_rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"

int
jsonl_rotate(const char *path, struct error *err)
{
	char time[FORMAT_TIME_BYTES], file[PATH_MAX], aside[PATH_MAX + FORMAT_TIME_BYTES + 1];
	size_t used;

	/* Renames the file and not a link to it, so that the next file is made where the link leads to. */
	if (realpath(path, file) == NULL)
		return error_errno(err, "cannot rotate JSONL_PATH=%s", path);
	format_time(clock_wall_us(), time);
	used = (size_t)snprintf(aside, sizeof aside, "%s.", file);
	for (size_t i = 0; i < sizeof time; i++)
		if (time[i] != '-' && time[i] != ':')
			aside[used++] = time[i];
	aside[used] = '\0';
	if (rename(file, aside) != 0)
		return error_errno(err, "cannot rotate JSONL_PATH=%s to %s", path, aside);
	log_info("rotated", LOG_STR("jsonl_path", path), LOG_STR("to", aside));
	return 0;
}

int
jsonl_rotate_check(const char *path, struct error *err)
{
	char file[PATH_MAX];
	struct statx st;

	if (realpath(path, file) == NULL)
		return error_errno(err, "cannot rotate JSONL_PATH=%s", path);
	if (statx(AT_FDCWD, file, 0, 0, &st) == 0 && (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0)
		return error_set(
		    err, "JSONL_PATH=%s is a mount of its own, which cannot be renamed: mount its directory", path);
	if (access(dirname(file), W_OK | X_OK) != 0)
		return error_errno(err, "cannot rename files in the directory of JSONL_PATH=%s", path);
	return 0;
}
