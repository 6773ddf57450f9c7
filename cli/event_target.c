/* Databases are written through their sinks, in batches; a file gets its name when it is complete. */
#include "cli/event_target.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/files.h"
#include "base/mem.h"
#include "store/jsonl/jsonl_line.h"
#include "store/store.h"

#define BATCH_BYTES ((size_t)4 << 20)

/*
 * Takes over the unfinished file of a killed hooksctl, but not one that another hooksctl writes: that may get its name
 * meanwhile.
 */
static int
lock_part(int fd, const char *part, const char *path, struct error *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !files_named(fd, part))
		return error_set(err, "another hooksctl writes %s: name another file", part);
	if (access(path, F_OK) == 0)
		return error_set(err, "%s is there already: name another file", path);
	return ftruncate(fd, 0) == 0 ? 0 : error_errno(err, "cannot empty %s", part);
}

static int
open_part(struct event_target *target, char *part, const char *path, struct error *err)
{
	int fd = open(part, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);

	if (fd < 0)
		return error_errno(err, "%s", part);
	if (lock_part(fd, part, path, err) != 0) {
		close(fd);
		return -1;
	}
	target->part = part;
	target->file = fdopen(fd, "w");
	if (target->file == NULL)
		mem_none(0);
	return 0;
}

static int
open_file(struct event_target *target, struct error *err)
{
	const char *path = target->config->jsonl_path;

	if (strcmp(path, "-") == 0) {
		target->file = stdout;
		return 0;
	}
	if (access(path, F_OK) == 0) /* before any file is made */
		return error_set(err, "%s is there already: name another file", path);
	char *part = mem_printf("%s.part", path);
	int rc = open_part(target, part, path, err);
	if (rc != 0)
		free(part);
	return rc;
}

int
event_target_open(struct event_target *target, struct error *err)
{
	static const struct sink_env no_env = {0};

	if (target->dry_run)
		return 0;
	if (target->config->storage == STORAGE_JSONL)
		return open_file(target, err);
	target->sink = store_new(target->config, &no_env);
	return target->sink->ops->open(target->sink, err) == 0 ? 0 : -1;
}

static int
write_line(struct event_target *target, const struct record *record, struct error *err)
{
	target->line.len = 0;
	char *begin = bytes_reserve(&target->line, jsonl_line_max(record));
	size_t len = (size_t)(jsonl_line(begin, record) - begin);

	if (fwrite(begin, 1, len, target->file) != len)
		return error_errno(
		    err, "cannot write to %s", target->part != NULL ? target->part : "the standard output");
	target->stored++;
	return 0;
}

static void
drop_batch(struct event_target *target)
{
	for (uint32_t i = 0; i < target->count; i++)
		free(target->records[i]);
	target->count = 0;
	target->bytes = 0;
}

/* Tries once more after a failure, with a new connection. */
static int
store_batch(struct event_target *target, struct error *err)
{
	const struct batch batch = {(const struct record *const *)target->records, target->count, NULL};
	struct sink *sink = target->sink;
	struct sink_result result = {0};
	int rc = sink->ops->store(sink, &batch, &result, err);

	if (rc != 0 && sink->ops->open(sink, err) == 0) {
		result = (struct sink_result){0};
		rc = sink->ops->store(sink, &batch, &result, err);
	}
	if (rc != 0)
		return -1;
	target->stored += result.stored;
	target->duplicates += result.duplicates;
	target->dead_lettered += result.dead_lettered;
	return 0;
}

static int
flush_batch(struct event_target *target, struct error *err)
{
	int rc = target->count > 0 ? store_batch(target, err) : 0;

	drop_batch(target);
	return rc;
}

int
event_target_add(struct event_target *target, struct record *record, struct error *err)
{
	if (target->sink == NULL) {
		int rc = target->dry_run ? 0 : write_line(target, record, err);

		free(record);
		return rc;
	}
	target->records[target->count++] = record;
	target->bytes += record->length;
	return target->count == TARGET_BATCH || target->bytes >= BATCH_BYTES ? flush_batch(target, err) : 0;
}

int
event_target_finish(struct event_target *target, struct error *err)
{
	if (target->sink != NULL)
		return flush_batch(target, err);
	if (target->file == NULL)
		return 0;
	if (fflush(target->file) != 0)
		return error_errno(
		    err, "cannot write to %s", target->part != NULL ? target->part : "the standard output");
	if (target->part == NULL)
		return 0;
	if (fsync(fileno(target->file)) != 0)
		return error_errno(err, "cannot sync %s", target->part);
	if (files_rename(target->part, target->config->jsonl_path, err) != 0)
		return -1;
	free(target->part);
	target->part = NULL;
	return 0;
}

void
event_target_close(struct event_target *target)
{
	drop_batch(target);
	if (target->sink != NULL)
		target->sink->ops->close(target->sink);
	if (target->part != NULL)
		(void)unlink(target->part);
	if (target->file != NULL && target->file != stdout)
		(void)fclose(target->file);
	free(target->part);
	bytes_free(&target->line);
}
