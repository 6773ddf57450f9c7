/* The file is three numbers on a line. */
#include "courier/node_file.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "courier/line_file.h"

#define FORMAT "hl-node 1 %" PRId64 " %" PRId64 " %" PRId64

static void
print(const struct node_file *file, char line[LINE_FILE_BYTES])
{
	(void)snprintf(line, LINE_FILE_BYTES, FORMAT, file->node_id, file->epoch, file->next_epoch);
}

/* Parses the line, and accepts it only if writing its numbers gives the same line. */
static bool
parse(const char *line, struct node_file *file)
{
	char expected[LINE_FILE_BYTES];

	if (sscanf(line, "hl-node 1 %" SCNd64 " %" SCNd64 " %" SCNd64, &file->node_id, &file->epoch,
		&file->next_epoch) != 3)
		return false;
	print(file, expected);
	return strcmp(line, expected) == 0 && file->node_id >= 0;
}

int
node_file_read(const char *data_dir, struct node_file *file, struct error *err)
{
	char path[PATH_MAX] = "", line[LINE_FILE_BYTES];
	int rc = line_file_read(data_dir, NODE_FILE, line, err);

	if (rc < 0)
		return rc;
	if (rc == LINE_FILE_NONE)
		return NODE_FILE_NONE;
	if (rc == 0 && parse(line, file))
		return 0;
	(void)line_file_path(data_dir, NODE_FILE, path, err);
	log_warning("the file that names this node is damaged: the node begins anew", LOG_STR("path", path));
	return NODE_FILE_NONE;
}

int
node_file_write(const char *data_dir, const struct node_file *file, struct error *err)
{
	char line[LINE_FILE_BYTES];

	print(file, line);
	return line_file_write(data_dir, NODE_FILE, line, err);
}
