/* Reads and replaces the file of counters. */
#include "master/saved_counters.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "shm/counters.h"

#define NAME_BYTES 128

/* The name of a counter in the file: family and labels, without spaces. */
static void
name_of(enum counter counter, char name[NAME_BYTES])
{
	const struct series *series = &counter_table[counter];
	bool labels = series->labels[0] != '\0';

	(void)snprintf(name, NAME_BYTES, "%s%s%s%s", family_table[series->family].name, labels ? "{" : "",
	    series->labels, labels ? "}" : "");
}

static void
set(uint64_t counters[COUNTERS], const char *name, uint64_t value)
{
	char known[NAME_BYTES];

	for (int c = 0; c < COUNTERS; c++) {
		name_of(c, known);
		if (strcmp(known, name) == 0)
			counters[c] = value;
	}
}

void
saved_counters_load(const char *data_dir, const struct segment *segment)
{
	uint64_t counters[COUNTERS] = {0}, value;
	char path[PATH_MAX], line[256], name[NAME_BYTES];

	(void)snprintf(path, sizeof path, "%s/" SAVED_COUNTERS, data_dir);
	FILE *in = fopen(path, "re");
	if (in == NULL) {
		if (errno != ENOENT)
			log_warning("cannot read the saved counters: counting from zero", LOG_STR("path", path),
			    LOG_STR("error", strerror(errno)));
		return;
	}
	while (fgets(line, sizeof line, in) != NULL)
		if (sscanf(line, "%127s %" SCNu64, name, &value) == 2)
			set(counters, name, value);
	(void)fclose(in);
	segment_count_from(segment->header, counters);
}

/* Whether the file is readable and does not begin with a counter. */
static bool
is_foreign(const char *path)
{
	char line[256], name[NAME_BYTES], known[NAME_BYTES];
	FILE *in = fopen(path, "re");
	uint64_t value;

	if (in == NULL)
		return false;
	bool any = fgets(line, sizeof line, in) != NULL;
	(void)fclose(in);
	name_of(0, known);
	return any && (sscanf(line, "%127s %" SCNu64, name, &value) != 2 || strcmp(name, known) != 0);
}

/* Sets aside another program's file of this name, which must not be overwritten. */
static int
set_foreign_aside(const char *path, struct error *err)
{
	char aside[PATH_MAX];
	struct stat st;

	if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) || !is_foreign(path))
		return 0;
	if (files_set_aside(path, aside, err) != 0)
		return -1;
	log_warning("another program's file has the name of the counters: set aside", LOG_STR("path", path),
	    LOG_STR("set_aside_as", aside));
	return 0;
}

/* Writes the file. Returns 0 or <0. */
static int
write_file(const char *path, const uint64_t counters[COUNTERS], struct error *err)
{
	int fd = files_open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW, 0600, "DATA_DIR", err);
	char name[NAME_BYTES];
	bool good = true;

	if (fd < 0)
		return -1;
	for (int c = 0; c < COUNTERS; c++) {
		name_of(c, name);
		good &= dprintf(fd, "%s %" PRIu64 "\n", name, counters[c]) > 0;
	}
	good = good && fsync(fd) == 0;
	if (!good)
		(void)error_errno(err, "cannot write %s (DATA_DIR)", path);
	close(fd);
	return good ? 0 : -1;
}

bool
saved_counters_write(const char *data_dir, const uint64_t counters[COUNTERS])
{
	char path[PATH_MAX], fresh[PATH_MAX];
	struct error err;
	int rc;

	(void)snprintf(path, sizeof path, "%s/" SAVED_COUNTERS, data_dir);
	(void)snprintf(fresh, sizeof fresh, "%s/" SAVED_COUNTERS ".new", data_dir);
	rc = set_foreign_aside(path, &err) != 0 || set_foreign_aside(fresh, &err) != 0
		 ? -1
		 : write_file(fresh, counters, &err);
	if (rc == 0)
		rc = files_rename(fresh, path, &err);
	if (rc != 0)
		log_warning(
		    "cannot save the counters: keeping the ring file, which has them", LOG_STR("error", err.text));
	return rc == 0;
}

bool
saved_counters_save(const char *data_dir, const struct segment *segment)
{
	uint64_t counters[COUNTERS];

	for (int c = 0; c < COUNTERS; c++)
		counters[c] = segment_counter_sum(segment, c);
	return saved_counters_write(data_dir, counters);
}
