/*
 * hooksctl spool replay: stores the spool instead of hooksd, through the same sink, in the same batches, and advances
 * the files' headers in the same way. So a kill at any time loses nothing: events stored after the last advance of a
 * header are stored again, and the store recognises them by its key.
 *
 * From the first damage in a file on, its header is not advanced, and at the end the file is set aside instead of
 * removed. So a second replay, or a look into the file, still finds the damage and all its events.
 */
#include "cli/spool_replay.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/spool_source.h"
#include "config/data_dir.h"
#include "store/store.h"
#include "store/webhooks_store.h"

struct sums {
	uint64_t stored, duplicates, dead_lettered, discarded, damaged_bytes;
};

/* A store, and whether it is open. sink NULL: switched off. */
struct outlet {
	struct sink *sink;
	bool open;
};

struct replay {
	struct outlet events, published;
	bool found_damage;
	struct sums sums;
};

/* ---- one file ---- */

/* 0, or <0: the store is unavailable. */
static int
store_batch(struct outlet *outlet, const struct batch *batch, struct sums *sums, struct error *err)
{
	struct sink *sink = outlet->sink;
	struct sink_result result;

	if (sink == NULL || !sink->ops->keyed)
		return error_set(err, "no option says where its events are to be stored: see `hooksctl spool --help`");
	/* After a failure open the store once more. */
	for (int tries = 0; tries < 2; tries++) {
		if (!outlet->open && sink->ops->open(sink, err) < 0)
			return -1;
		result = (struct sink_result){0};
		outlet->open = sink->ops->store(sink, batch, &result, err) == 0;
		if (outlet->open) {
			sums->stored += result.stored;
			sums->duplicates += result.duplicates;
			sums->dead_lettered += result.dead_lettered;
			sums->discarded += result.discarded;
			return 0;
		}
	}
	return -1;
}

/* 0, or <0: the store is unavailable, and the file's header has the replay's progress. */
static int
store_records(struct replay *replay, const struct spool_reader *reader, struct sums *sums, struct error *err)
{
	uint32_t begin = 0;

	for (uint32_t i = 1; i <= reader->count; i++) {
		uint8_t kind = reader->records[begin]->kind;
		struct outlet *outlet = kind == RECORD_PUBLISHED ? &replay->published : &replay->events;
		const struct batch batch = {reader->records + begin, i - begin, NULL};

		if (i < reader->count && reader->records[i]->kind == kind)
			continue;
		if (store_batch(outlet, &batch, sums, err) != 0)
			return -1;
		begin = i;
	}
	return 0;
}

static void
advance_header(struct spool_source *source)
{
	struct spool_header *header = &source->header;

	spool_header_advance(header, source->reader.to, header->done_events + source->reader.count);
	(void)spool_header_write(source->fd, header, &(struct error){0}); /* it may be behind */
}

/* Returns 0, <0 when the file cannot be read to its end, or STORE_FAILED. */
enum replay_condition { STORE_FAILED = 1 };

static int
replay_records(struct replay *replay, struct spool_source *source, struct sums *sums, struct error *err)
{
	bool advance = source->header_good;
	int run;

	while ((run = spool_source_next(source, err)) > RUN_END) {
		if (run == RUN_RECORDS && store_records(replay, &source->reader, sums, err) < 0)
			return STORE_FAILED;
		if (run == RUN_DAMAGE) {
			sums->damaged_bytes += source->reader.to - source->reader.from;
			advance = false;
		}
		if (run == RUN_RECORDS && advance)
			advance_header(source);
	}
	return run < 0 ? run : 0;
}

/* Renames a damaged file of the spool, so that hooksd does not read it. Does not rename files with other names. */
static int
set_aside(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	char damaged[SPOOL_NAME_MAX], to[PATH_MAX];
	struct spool_id id;

	if (!spool_file_parse_name(name, &id)) {
		fprintf(stderr, "hooksctl spool: %s: stays: its undamaged events are stored\n", path);
		return 0;
	}
	spool_damaged_name(id, clock_wall_us(), 0, damaged);
	if (snprintf(to, sizeof to, "%.*s%s", (int)(name - path), path, damaged) >= (int)sizeof to ||
	    rename(path, to) != 0)
		return error_errno(err, "cannot set it aside as damaged");
	fprintf(stderr, "hooksctl spool: %s: its undamaged events are stored; set aside as %s\n", path, to);
	return 0;
}

static void
print_sums(const char *name, const struct sums *sums)
{
	printf("%s: stored %" PRIu64 ", duplicates %" PRIu64 ", dead letters %" PRIu64 ", damaged bytes %" PRIu64, name,
	    sums->stored, sums->duplicates, sums->dead_lettered, sums->damaged_bytes);
	if (sums->discarded > 0)
		printf(", of deleted tenants %" PRIu64, sums->discarded);
	printf("\n");
	(void)fflush(stdout);
}

/* Returns as replay_records(). */
static int
replay_file(struct replay *replay, const struct spool_item *file, struct error *err)
{
	struct spool_source source;
	struct sums sums = {0};
	int rc = spool_source_open(&source, file, O_RDWR, err);

	if (rc == SPOOL_GONE)
		return 0; /* hooksd stored it before this process had the lock */
	if (rc < 0)
		return rc;
	rc = replay_records(replay, &source, &sums, err);
	bool intact = source.header_good && sums.damaged_bytes == 0;
	if (rc == 0 && !intact)
		rc = set_aside(file->path, err);
	else if (rc == 0 && unlink(file->path) != 0)
		rc = error_errno(err, "its events are stored, but it cannot be removed");
	spool_source_close(&source);

	print_sums(file->name, &sums);
	replay->found_damage |= !intact;
	replay->sums.stored += sums.stored;
	replay->sums.duplicates += sums.duplicates;
	replay->sums.dead_lettered += sums.dead_lettered;
	replay->sums.discarded += sums.discarded;
	replay->sums.damaged_bytes += sums.damaged_bytes;
	return rc;
}

/* ---- all files ---- */

/*
 * Takes the lock of the DATA_DIR that contains the file. *lock -1: there is no lock file, so no service has run there,
 * and a hooksd started later appends to its own files. 0, or <0: another process has the lock.
 */
static int
lock_service(const char *path, int *lock, struct error *err)
{
	char *real = realpath(path, NULL);
	char name[PATH_MAX + sizeof "/" DATA_DIR_LOCK];
	int rc = 0;

	*lock = -1;
	if (real == NULL)
		return 0; /* opening the file reports why */
	const char *data_dir = dirname(dirname(real));
	(void)snprintf(name, sizeof name, "%s/" DATA_DIR_LOCK, data_dir);
	if (access(name, F_OK) == 0) {
		*lock = data_dir_lock(data_dir, err);
		rc = *lock < 0 ? -1 : 0;
	}
	free(real);
	return rc;
}

/* Takes a lock for each file, because each may belong to another service. */
static int
replay_all(struct replay *replay, const struct spool_items *files)
{
	struct error err;
	int code = COMMAND_OK;

	for (size_t i = 0; i < files->count; i++) {
		const struct spool_item *file = &files->items[i];
		int lock;

		if (lock_service(file->path, &lock, &err) < 0)
			return spool_complain(NULL, &err);
		int rc = replay_file(replay, file, &err);
		if (lock >= 0)
			close(lock);
		if (rc != 0)
			code = spool_complain(rc == STORE_FAILED ? NULL : file->path, &err);
		if (rc == STORE_FAILED)
			return code;
	}
	return code;
}

int
spool_replay(const struct config *config, const struct spool_items *files)
{
	const struct sink_env env = {0}; /* no drain, heartbeat or metrics */
	struct replay replay = {.events = {store_new(config, &env), false}};
	bool only_published = files->count > 0;

	for (size_t i = 0; i < files->count; i++)
		only_published = only_published && files->items[i].published;
	if (!replay.events.sink->ops->keyed && !only_published) {
		fprintf(stderr, "hooksctl spool: replay stores in PostgreSQL or SQLite: set DATABASE_URL, or "
				"STORAGE_TYPE=sqlite; for a JSONL file use `hooksctl spool export >> FILE`\n");
		replay.events.sink->ops->close(replay.events.sink);
		return COMMAND_USAGE;
	}
	if (config_api_is_on(config))
		replay.published.sink = webhooks_sink_new(config, &env);
	int code = replay_all(&replay, files);
	replay.events.sink->ops->close(replay.events.sink);
	if (replay.published.sink != NULL)
		replay.published.sink->ops->close(replay.published.sink);
	print_sums("in all", &replay.sums);
	return replay.found_damage ? COMMAND_FAILED : code;
}
