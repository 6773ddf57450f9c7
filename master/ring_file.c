/* Checks the ring file's name, and removes or keeps the file at the end. */
#include "master/ring_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/exit_codes.h"
#include "master/saved_counters.h"
#include "shm/counters.h"
#include "shm/segment_file.h"
#include "shm/settle.h"

void
ring_file_check(const struct config *config, const struct segment *segment)
{
	bool gone = !segment_in_place(segment, config->ring_path);

	if (gone == segment_file_gone(segment->header))
		return;
	segment_set_file_gone(segment->header, gone);
	if (gone)
		log_error("the ring file is gone: if all processes were killed now, the events on it would be lost",
		    LOG_STR("ring_path", config->ring_path), LOG_STR("do", "restart hooksd"));
	else
		log_info("the ring file is in its place again", LOG_STR("ring_path", config->ring_path));
}

/*
 * Makes sure that the segment has a name, at RING_PATH or else in DATA_DIR, and writes that to path. Returns 0 or <0.
 */
static int
keep(const struct config *config, const struct segment *segment, char path[PATH_MAX], struct error *err)
{
	struct error at_name, in_data_dir;

	(void)snprintf(path, PATH_MAX, "%s", config->ring_path);
	if (segment_in_place(segment, path) || segment_copy(segment, path, &at_name) == 0)
		return 0;
	(void)snprintf(path, PATH_MAX, "%s/kept-%lld.ring", config->data_dir, (long long)clock_wall_us());
	if (segment_copy(segment, path, &in_data_dir) == 0)
		return 0;
	return error_set(err, "%s; %s", at_name.text, in_data_dir.text);
}

static int
finish_with_events(const struct config *config, const struct segment *segment, uint64_t left)
{
	char path[PATH_MAX];
	struct error err;

	if (keep(config, segment, path, &err) != 0) {
		log_error("events on the ring are lost: its file is gone and cannot be made again",
		    LOG_UINT("events", left), LOG_STR("error", err.text));
		return EXIT_FAILED;
	}
	if (strcmp(path, config->ring_path) == 0)
		log_warning("stopped with events in the ring file: the next start stores them",
		    LOG_UINT("events_waiting", left), LOG_STR("ring_path", path));
	else
		log_warning("stopped with events in a copy of the ring file: a start with it as RING_PATH stores them",
		    LOG_UINT("events_waiting", left), LOG_STR("ring_path", path));
	return EXIT_EVENTS_LEFT;
}

bool
ring_file_remove(const struct config *config, const struct segment *segment)
{
	bool done = settle_finished(segment) && saved_counters_save(config->data_dir, segment);

	if (done)
		segment_unlink(segment, config->ring_path);
	return done;
}

int
ring_file_finish(const struct config *config, const struct segment *segment, int code)
{
	uint64_t left = segment_waiting(segment, BOOKS_EVENTS) + segment_waiting(segment, BOOKS_MESSAGES);
	const char *path = config->ring_path;
	struct error err;

	if (left > 0)
		return finish_with_events(config, segment, left);
	if (!ring_file_remove(config, segment) && !segment_in_place(segment, path) &&
	    segment_copy(segment, path, &err) != 0)
		log_warning("the ring file is gone and cannot be made again: a JSONL file may get its last lines twice",
		    LOG_STR("error", err.text));
	log_info("stopped", LOG_UINT("received", segment_counter_sum(segment, COUNTER_RECEIVED)),
	    LOG_UINT("stored", segment_counter_sum(segment, COUNTER_STORED)));
	return code;
}
