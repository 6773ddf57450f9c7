/* Finds and reads spool files, which may be damaged or foreign; a running hooksd may write to them. */
#include "cli/spool_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/commands.h"

/* Tries: a header that hooksd is writing may be read half old, half new. */
#define HEADER_TRIES 3

int
spool_source_open(struct spool_source *source, const struct spool_item *item, int flags, struct error *err)
{
	bool named = item->name == item->path;
	struct stat st;

	*source = (struct spool_source){.path = item->path};
	/* O_NONBLOCK: opening a FIFO would wait for a writer. */
	source->fd = open(item->path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (source->fd < 0) {
		int failure = errno;

		(void)error_errno(err, "cannot open it");
		return failure == ENOENT && !named ? SPOOL_GONE : -1;
	}
	if (fstat(source->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(source->fd);
		return error_set(err, "is not a regular file");
	}
	for (int tries = 0; tries < HEADER_TRIES && !source->header_good; tries++) {
		int rc = spool_header_read(source->fd, (uint64_t)st.st_size, &source->header, err);

		if (rc < 0) {
			close(source->fd);
			return rc;
		}
		source->header_good = rc == 0;
	}
	source->size = (uint64_t)st.st_size;
	source->at = source->header_good ? source->header.done : 0;
	return 0;
}

void
spool_source_close(struct spool_source *source)
{
	spool_reader_free(&source->reader);
	close(source->fd);
}

int
spool_source_next(struct spool_source *source, struct error *err)
{
	const struct spool_reader *reader = &source->reader;

	if (source->at >= source->size)
		return RUN_END;
	if (spool_read_at(&source->reader, source->fd, source->at, source->size, err) != 0)
		return -1;
	source->at = reader->to;
	if (!reader->damaged)
		return RUN_RECORDS;

	bool unfinished = source->header_good && reader->from >= source->header.end;
	fprintf(stderr, "hooksctl spool: %s: bytes %" PRIu64 " to %" PRIu64 " are %s\n", source->path, reader->from,
	    reader->to, unfinished ? "an append that was never completed nor acknowledged: left out" : "damaged");
	return unfinished ? RUN_UNFINISHED : RUN_DAMAGE;
}

/* ---- finding ---- */

static struct spool_item *
add(struct spool_items *found)
{
	found->items = mem_resize(found->items, found->count + 1, sizeof *found->items);
	return &found->items[found->count++];
}

/* Reads the time for the order; 0: unknown. */
static void
read_created(struct spool_item *item)
{
	struct spool_source source;
	struct error err;

	if (item->set_aside || spool_source_open(&source, item, O_RDONLY, &err) != 0)
		return; /* the action that reads the file reports it */
	item->created_us = source.header.created_us;
	spool_source_close(&source);
}

/* For qsort(): oldest first, files set aside last. */
static int
by_age(const void *a, const void *b)
{
	const struct spool_item *x = a, *y = b;

	if (x->set_aside != y->set_aside)
		return x->set_aside ? 1 : -1;
	if (x->created_us != y->created_us)
		return x->created_us < y->created_us ? -1 : 1;
	return spool_id_compare(x->id, y->id);
}

/* The name to print; for published events with the directory. */
static const char *
name_in(const char *path, const char *directory, bool published)
{
	const char *name = path + strlen(directory) + 1;

	return published ? name - strlen(SPOOL_DIRECTORY_PUBLISHED "/") : name;
}

/* Finds the files of one of the two directories. Returns 0 or <0. */
static int
find_in(struct spool_items *found, const char *data_dir, bool published, bool with_set_aside, struct error *err)
{
	char directory[PATH_MAX];
	struct dirent *entry;

	(void)snprintf(
	    directory, sizeof directory, "%s/%s", data_dir, published ? SPOOL_DIRECTORY_PUBLISHED : SPOOL_DIRECTORY);
	DIR *dir = opendir(directory);
	if (dir == NULL && errno == ENOENT && access(data_dir, F_OK) == 0)
		return 0;
	if (dir == NULL)
		return error_errno(err, "cannot read %.400s (DATA_DIR)", directory);
	while ((entry = readdir(dir)) != NULL) {
		size_t room = strlen(directory) + 1 + strlen(entry->d_name) + 1;
		struct spool_item file = {0};

		file.set_aside =
		    with_set_aside && strncmp(entry->d_name, SPOOL_DAMAGED_PREFIX, strlen(SPOOL_DAMAGED_PREFIX)) == 0;
		if (!file.set_aside && !spool_file_parse_name(entry->d_name, &file.id))
			continue;
		file.path = mem_new(room, 1);
		(void)snprintf(file.path, room, "%s/%s", directory, entry->d_name);
		file.published = published;
		file.name = name_in(file.path, directory, published);
		read_created(&file);
		*add(found) = file;
	}
	closedir(dir);
	return 0;
}

/* Finds the files of DATA_DIR/spool and DATA_DIR/hl-spool, sorted. Returns 0 or <0. */
static int
find_all(struct spool_items *found, const char *data_dir, bool with_set_aside, struct error *err)
{
	if (find_in(found, data_dir, false, with_set_aside, err) != 0 ||
	    find_in(found, data_dir, true, with_set_aside, err) != 0)
		return -1;
	if (found->count > 0)
		qsort(found->items, found->count, sizeof *found->items, by_age);
	return 0;
}

int
spool_find(
    struct spool_items *found, const struct config *config, char *const *names, bool with_set_aside, struct error *err)
{
	*found = (struct spool_items){0};
	if (names[0] == NULL)
		return find_all(found, config->data_dir, with_set_aside, err);
	for (; *names != NULL; names++) {
		char *path = mem_strdup(*names);

		*add(found) = (struct spool_item){.path = path, .name = path};
	}
	return 0;
}

void
spool_items_free(struct spool_items *found)
{
	for (size_t i = 0; i < found->count; i++)
		free(found->items[i].path);
	free(found->items);
}

int
spool_complain(const char *path, const struct error *err)
{
	fprintf(stderr, "hooksctl spool: %s%s%s\n", path != NULL ? path : "", path != NULL ? ": " : "", err->text);
	return COMMAND_FAILED;
}
