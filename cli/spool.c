/* hooksctl spool: looks at the files of the spool, changes nothing, and may be used while hooksd runs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/format.h"
#include "cli/commands.h"
#include "writer/spool.h"

const char command_spool_usage[] =
    "usage: hooksctl spool list | verify [--data-dir=DIRECTORY]\n\n"
    "  list    the files that wait to be stored\n"
    "  verify  reads them all and checks every record; exit code 1 when there is damage\n";

struct found {
	uint64_t events; /* whole records that are not stored yet */
	uint64_t damaged_bytes;
};

/* Reads what is not stored yet. 0 or <0. */
static int
verify(int fd, uint64_t size, const struct spool_header *header, struct found *found, struct error *err)
{
	struct spool_reader reader = {0};
	int rc = 0;

	for (uint64_t at = header->done; rc == 0 && at < size; at = reader.to) {
		rc = spool_read_at(&reader, fd, at, size, err);
		found->events += reader.count;
		if (reader.damaged)
			found->damaged_bytes += reader.to - reader.from;
	}
	spool_reader_free(&reader);
	return rc;
}

/* Prints a line about one file. Returns whether all is well. */
static bool
show(int directory, const char *name, bool verifying)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char created[FORMAT_TIME_BYTES + 1] = "?";
	struct spool_header header;
	struct found found = {0};
	struct error err;
	struct stat st;
	bool good;

	if (fd < 0 || fstat(fd, &st) != 0) {
		bool gone = errno == ENOENT; /* stored meanwhile */

		if (!gone)
			fprintf(stderr, "hooksctl spool: cannot open %s: %s\n", name, strerror(errno));
		if (fd >= 0)
			close(fd);
		return gone;
	}
	good = spool_header_read(fd, (uint64_t)st.st_size, &header);
	if (good)
		format_time(header.created_us, created);
	printf("%-28s %-27.27s %12" PRId64 " %12" PRIu64, name, created, (int64_t)st.st_size,
	    header.events - header.done_events);
	if (!verifying) {
		printf("%s\n", good ? "" : "  damaged header");
	} else if (verify(fd, (uint64_t)st.st_size, &header, &found, &err) != 0) {
		printf("  %s\n", err.text);
		good = false;
	} else {
		printf("  %" PRIu64 " good, %" PRIu64 " damaged bytes%s\n", found.events, found.damaged_bytes,
		    good ? "" : ", damaged header");
		good = good && found.damaged_bytes == 0;
	}
	close(fd);
	return good;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int
command_spool(const struct config *config, char *const *words)
{
	bool verifying = words[0] != NULL && strcmp(words[0], "verify") == 0;
	struct dirent **names = NULL;
	char path[4096];
	bool good = true;

	if (words[0] == NULL || words[1] != NULL || (!verifying && strcmp(words[0], "list") != 0)) {
		fputs(command_spool_usage, stderr);
		return COMMAND_USAGE;
	}
	(void)snprintf(path, sizeof path, "%s/" SPOOL_DIRECTORY, config->data_dir);
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int count = directory < 0 ? -1 : scandirat(directory, ".", &names, NULL, by_name);
	if (count < 0 && errno != ENOENT) {
		fprintf(stderr, "hooksctl spool: cannot read %s: %s\n", path, strerror(errno));
		return COMMAND_FAILED;
	}
	printf("FILE                         CREATED                            BYTES       EVENTS\n");
	for (int i = 0; i < count; i++) {
		uint64_t sequence;
		uint32_t writer;

		if (spool_file_parse_name(names[i]->d_name, &writer, &sequence))
			good &= show(directory, names[i]->d_name, verifying);
		free(names[i]);
	}
	free(names);
	if (directory >= 0)
		close(directory);
	return good || !verifying ? COMMAND_OK : COMMAND_FAILED;
}
