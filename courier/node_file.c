/* One line of text with a checksum, written beside the file and renamed over it. */
#include "courier/node_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/files.h"
#include "base/log.h"

#define FORMAT "hl-node 1 %" PRId64 " %" PRId64 " %" PRId64
#define LINE_MAX_BYTES 128

static int
path_of(const char *data_dir, const char *ending, char path[PATH_MAX], struct error *err)
{
	int len = snprintf(path, PATH_MAX, "%s/" NODE_FILE "%s", data_dir, ending);

	if (len < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return error_errno(err, "DATA_DIR=%s", data_dir);
}

/* The line without its checksum; returns its length. */
static int
print(const struct node_file *file, char line[LINE_MAX_BYTES])
{
	return snprintf(line, LINE_MAX_BYTES, FORMAT, file->node_id, file->epoch, file->next_epoch);
}

/* A line is right when it is what would be written for what it says. */
static bool
parse(const char *line, struct node_file *file)
{
	char expected[LINE_MAX_BYTES], whole[LINE_MAX_BYTES + 16];

	if (sscanf(line, "hl-node 1 %" SCNd64 " %" SCNd64 " %" SCNd64, &file->node_id, &file->epoch,
		&file->next_epoch) != 3)
		return false;
	int len = print(file, expected);
	(void)snprintf(whole, sizeof whole, "%s %08" PRIx32 "\n", expected, crc32c(expected, (size_t)len));
	return strcmp(line, whole) == 0 && file->node_id >= 0;
}

int
node_file_read(const char *data_dir, struct node_file *file, struct error *err)
{
	char path[PATH_MAX], line[LINE_MAX_BYTES] = "";
	ssize_t n;

	if (path_of(data_dir, "", path, err) != 0)
		return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? NODE_FILE_NONE : error_errno(err, "cannot open %s", path);
	for (size_t len = 0; (n = read(fd, line + len, sizeof line - 1 - len)) > 0; len += (size_t)n)
		;
	if (n < 0) {
		(void)error_errno(err, "cannot read %s", path);
		close(fd);
		return -1;
	}
	close(fd);
	if (parse(line, file))
		return 0;
	log_warning("the file that names this node is damaged: the node begins anew", LOG_STR("path", path));
	return NODE_FILE_NONE;
}

int
node_file_write(const char *data_dir, const struct node_file *file, struct error *err)
{
	char path[PATH_MAX], fresh[PATH_MAX], line[LINE_MAX_BYTES + 16], body[LINE_MAX_BYTES];

	if (path_of(data_dir, "", path, err) != 0 || path_of(data_dir, ".new", fresh, err) != 0)
		return -1;
	int len = print(file, body);
	len = snprintf(line, sizeof line, "%s %08" PRIx32 "\n", body, crc32c(body, (size_t)len));
	int fd = files_open(fresh, O_WRONLY | O_TRUNC, 0600, "DATA_DIR", err);
	if (fd < 0)
		return -1;
	int rc =
	    files_write(fd, line, (size_t)len) == 0 && fsync(fd) == 0 ? 0 : error_errno(err, "cannot write %s", fresh);
	close(fd);
	return rc == 0 ? files_rename(fresh, path, err) : rc;
}
