/* A new file is written beside the old one and renamed over it. */
#include "courier/line_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/files.h"

#define WHOLE_BYTES (LINE_FILE_BYTES + 16)

int
line_file_path(const char *data_dir, const char *name, char path[PATH_MAX], struct error *err)
{
	int len = snprintf(path, PATH_MAX, "%s/%s", data_dir, name);

	if (len < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return error_errno(err, "DATA_DIR=%s", data_dir);
}

/* Returns the length of the line with its checksum. */
static int
add_checksum(const char *line, char whole[WHOLE_BYTES])
{
	return snprintf(whole, WHOLE_BYTES, "%s %08" PRIx32 "\n", line, crc32c(line, strlen(line)));
}

int
line_file_read(const char *data_dir, const char *name, char line[LINE_FILE_BYTES], struct error *err)
{
	char path[PATH_MAX], found[WHOLE_BYTES] = "", expected[WHOLE_BYTES], *end;
	ssize_t n;

	if (line_file_path(data_dir, name, path, err) != 0)
		return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? LINE_FILE_NONE : error_errno(err, "cannot open %s", path);
	for (size_t len = 0; (n = read(fd, found + len, sizeof found - 1 - len)) > 0; len += (size_t)n)
		;
	if (n < 0) {
		(void)error_errno(err, "cannot read %s", path);
		close(fd);
		return -1;
	}
	close(fd);
	end = strrchr(found, ' ');
	if (end == NULL || end - found >= LINE_FILE_BYTES)
		return LINE_FILE_DAMAGED;
	memcpy(line, found, (size_t)(end - found));
	line[end - found] = '\0';
	(void)add_checksum(line, expected);
	return strcmp(found, expected) == 0 ? 0 : LINE_FILE_DAMAGED;
}

int
line_file_write(const char *data_dir, const char *name, const char *line, struct error *err)
{
	char path[PATH_MAX], fresh_name[64], fresh[PATH_MAX], whole[WHOLE_BYTES];
	int len = add_checksum(line, whole);

	(void)snprintf(fresh_name, sizeof fresh_name, "%s.new", name);
	if (line_file_path(data_dir, name, path, err) != 0 || line_file_path(data_dir, fresh_name, fresh, err) != 0)
		return -1;
	int fd = files_open(fresh, O_WRONLY | O_TRUNC, 0600, "DATA_DIR", err);
	if (fd < 0)
		return -1;
	int rc =
	    files_write(fd, whole, (size_t)len) == 0 && fsync(fd) == 0 ? 0 : error_errno(err, "cannot write %s", fresh);
	close(fd);
	return rc == 0 ? files_rename(fresh, path, err) : rc;
}
