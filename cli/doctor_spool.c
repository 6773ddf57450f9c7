/* Checks the waiting files in DATA_DIR, and their age. Files come and go while hooksd runs. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/deadletter_file.h"
#include "cli/doctor.h"
#include "cli/spool_source.h"

/* A working service stores spooled events within this time. */
#define OLD_SECONDS 600
/* Above this percentage of SPOOL_MAX_BYTES requests will soon be refused. */
#define FULL_PERCENT 90

#define REPLAY "find out why the store does not take them (database.*); hooksctl spool replay stores them by hand"

struct waiting {
	uint64_t files, bytes, damaged;
	int64_t oldest_us;
};

static struct waiting
measure_waiting(const struct spool_items *found)
{
	struct waiting waiting = {.oldest_us = INT64_MAX};
	struct stat st;

	for (size_t i = 0; i < found->count; i++) {
		const struct spool_item *item = &found->items[i];

		if (stat(item->path, &st) != 0)
			continue;
		if (item->set_aside) {
			waiting.damaged++;
			continue;
		}
		waiting.files++;
		waiting.bytes += (uint64_t)st.st_size;
		if (item->created_us > 0 && item->created_us < waiting.oldest_us)
			waiting.oldest_us = item->created_us;
	}
	return waiting;
}

static void
report_waiting(const struct doctor *doctor, const struct waiting *waiting)
{
	uint64_t most = doctor->config->spool_max_bytes;
	char size[DOCTOR_SIZE_BYTES], limit[DOCTOR_SIZE_BYTES], age[DOCTOR_AGE_BYTES];

	(void)doctor_size(waiting->bytes, size);
	(void)doctor_size(most, limit);
	if (waiting->files > 0 && waiting->bytes >= most / 100 * FULL_PERCENT)
		doctor_fail(doctor->out, CHECK_SPOOL_SIZE, REPLAY,
		    "%s of SPOOL_MAX_BYTES=%s are used: requests get 503 soon", size, limit);
	else
		doctor_ok(doctor->out, CHECK_SPOOL_SIZE, "%" PRIu64 " files, %s of %s", waiting->files, size, limit);
	if (waiting->oldest_us == INT64_MAX)
		return;

	int64_t seconds = (clock_wall_us() - waiting->oldest_us) / 1000000;
	(void)doctor_age(seconds > 0 ? seconds : 0, age);
	if (seconds >= OLD_SECONDS)
		doctor_warn(doctor->out, CHECK_SPOOL_AGE, REPLAY, "the oldest file waits for %s", age);
	else
		doctor_ok(doctor->out, CHECK_SPOOL_AGE, "the oldest file waits for %s", age);
}

static void
check_letters(const struct doctor *doctor)
{
	const char *path = deadletter_file_path(doctor->config);
	char size[DOCTOR_SIZE_BYTES];
	struct stat st = {0};

	if (stat(path, &st) != 0 && errno != ENOENT)
		doctor_fail(doctor->out, CHECK_SPOOL_LETTERS, "run doctor as the user of hooksd",
		    "cannot look at %s: %s", path, strerror(errno));
	else if (st.st_size > 0)
		doctor_warn(doctor->out, CHECK_SPOOL_LETTERS,
		    "hooksctl deadletter list, and retry when the cause is gone",
		    "%s holds events that the database refused: %s", path, doctor_size((uint64_t)st.st_size, size));
	else
		doctor_ok(doctor->out, CHECK_SPOOL_LETTERS, "none in DATA_DIR");
}

void
doctor_spool(const struct doctor *doctor)
{
	char *const none[] = {NULL};
	struct spool_items found = {0};
	struct error err;

	if (access(doctor->config->data_dir, F_OK) != 0)
		return; /* files.data_dir reports it */
	if (spool_find(&found, doctor->config, none, true, &err) != 0) {
		doctor_fail(doctor->out, CHECK_SPOOL_SIZE, "run doctor as the user of hooksd", "%s", err.text);
	} else {
		const struct waiting waiting = measure_waiting(&found);

		report_waiting(doctor, &waiting);
		if (waiting.damaged > 0)
			doctor_warn(doctor->out, CHECK_SPOOL_DAMAGED, "hooksctl spool verify; keep or remove the files",
			    "%" PRIu64 " files hold what was set aside as damaged", waiting.damaged);
		else
			doctor_ok(doctor->out, CHECK_SPOOL_DAMAGED, "none");
	}
	spool_items_free(&found);
	check_letters(doctor);
}
