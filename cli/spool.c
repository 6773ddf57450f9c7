/* hooksctl spool: lists, verifies, exports or replays the spool's files. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "cli/commands.h"
#include "cli/spool_export.h"
#include "cli/spool_replay.h"
#include "cli/spool_source.h"

const char command_spool_usage[] =
    "usage: hooksctl spool list | verify | export | replay [FILE ...] [--option=value ...]\n\n"
    "The events that wait in DATA_DIR/spool to be stored, and the published events that wait in\n"
    "DATA_DIR/hl-spool. With FILEs: only those, wherever they are, in that order; also damaged-*.bin.\n\n"
    "  list    prints the files, how old they are, and what is in them\n"
    "  verify  reads all files and checks every record\n"
    "  export  writes the events that are not stored yet to the standard output, one line of JSON\n"
    "          an event, as hooksd writes them to JSONL_PATH; published events as the API shows them\n"
    "  replay  stores the events in DATABASE_URL, or with STORAGE_TYPE=sqlite in SQLITE_PATH,\n"
    "          and published events in the store of webhooks, for the options of hooksd;\n"
    "          records its progress in the files, and removes what is stored. If it is interrupted,\n"
    "          run it again. Stop the hooksd on this DATA_DIR first, and run it as hooksd's user.\n"
    "          For a JSONL file use `hooksctl spool export >> FILE`, and remove the spool's files then\n\n"
    "list, verify and export change nothing and may be used while hooksd runs. Damage is reported on\n"
    "stderr with file and offset; no other events are lost by it. A file that replay found damaged\n"
    "stays beside the others as damaged-*.bin, like the pieces that hooksd cuts out of files.\n\n"
    "Exit codes: 0 done; 1 failed, or there is damage; 64 wrong usage or configuration.\n";

#define AGE_BYTES 32

/* "2 h 3 min"; returns out. */
static const char *
age(int64_t created_us, char out[AGE_BYTES])
{
	int64_t seconds = (clock_wall_us() - created_us) / 1000000;

	if (seconds < 0)
		seconds = 0; /* made by another machine's clock */
	if (seconds < 3600)
		(void)snprintf(out, AGE_BYTES, "%" PRId64 " min %" PRId64 " s", seconds / 60, seconds % 60);
	else if (seconds < 48 * 3600)
		(void)snprintf(out, AGE_BYTES, "%" PRId64 " h %" PRId64 " min", seconds / 3600, seconds / 60 % 60);
	else
		(void)snprintf(out, AGE_BYTES, "%" PRId64 " d %" PRId64 " h", seconds / 86400, seconds / 3600 % 24);
	return out;
}

static void
print_row(const struct spool_item *file, const struct spool_source *source)
{
	const struct spool_header *header = &source->header;
	char created[FORMAT_TIME_BYTES + 1] = "?", old[AGE_BYTES] = "?", events[32] = "?";

	if (source->header_good) {
		format_time(header->created_us, created);
		(void)age(header->created_us, old);
		(void)snprintf(events, sizeof events, "%" PRIu64, header->events - header->done_events);
	}
	printf("%-37s %-27.27s  %-14s %12" PRIu64 " %10s%s\n", file->name, created, old, source->size, events,
	    file->set_aside       ? "  set aside as damaged"
	    : source->header_good ? ""
				  : "  damaged header");
}

static int
list(const struct config *config, const struct spool_items *files)
{
	uint64_t waiting = 0, set_aside = 0, bytes = 0, events = 0;
	int64_t oldest_us = INT64_MAX;
	char old[AGE_BYTES];
	struct error err;
	int code = COMMAND_OK;

	if (files->count > 0)
		printf("%-37s %-27s  %-14s %12s %10s\n", "FILE", "CREATED", "AGE", "BYTES", "EVENTS");
	for (size_t i = 0; i < files->count; i++) {
		struct spool_source source;
		int rc = spool_source_open(&source, &files->items[i], O_RDONLY, &err);

		if (rc < 0)
			code = spool_complain(files->items[i].path, &err);
		if (rc != 0)
			continue; /* SPOOL_GONE: hooksd has stored it by now */
		print_row(&files->items[i], &source);
		set_aside += files->items[i].set_aside;
		if (!files->items[i].set_aside) {
			waiting++;
			bytes += source.size;
			events += source.header.events - source.header.done_events;
		}
		if (source.header_good && !files->items[i].set_aside && source.header.created_us < oldest_us)
			oldest_us = source.header.created_us;
		spool_source_close(&source);
	}
	printf("%s%" PRIu64 " file%s, %" PRIu64 " bytes, %" PRIu64 " events wait", files->count > 0 ? "\n" : "",
	    waiting, waiting == 1 ? "" : "s", bytes, events);
	if (oldest_us != INT64_MAX)
		printf("; the oldest for %s", age(oldest_us, old));
	printf("\n");
	if (set_aside > 0)
		printf("%" PRIu64 " damaged-*.bin: see `hooksctl spool --help`\n", set_aside);
	return code;
}

static int
verify(const struct config *config, const struct spool_items *files)
{
	uint64_t all_good = 0, all_damaged = 0;
	struct error err;
	int code = COMMAND_OK;

	for (size_t i = 0; i < files->count; i++) {
		const struct spool_item *file = &files->items[i];
		uint64_t good = 0, damaged = 0;
		struct spool_source source;
		int run, rc = spool_source_open(&source, file, O_RDONLY, &err);

		if (rc < 0)
			code = spool_complain(file->path, &err);
		if (rc != 0)
			continue;
		while ((run = spool_source_next(&source, &err)) > RUN_END) {
			good += source.reader.count;
			if (run == RUN_DAMAGE)
				damaged += source.reader.to - source.reader.from;
		}
		printf("%-37s %10" PRIu64 " good, %10" PRIu64 " damaged bytes%s\n", file->name, good, damaged,
		    source.header_good ? "" : ", no good header");
		if (run < 0)
			code = spool_complain(file->path, &err);
		if (damaged > 0 || !source.header_good)
			code = COMMAND_FAILED;
		spool_source_close(&source);
		all_good += good;
		all_damaged += damaged;
	}
	printf("%" PRIu64 " good, %" PRIu64 " damaged bytes in all\n", all_good, all_damaged);
	return code;
}

static const struct action {
	const char *name;
	int (*run)(const struct config *config, const struct spool_items *files);
	bool with_set_aside;
} actions[] = {
    {"list", list, true},
    {"verify", verify, false},
    {"export", spool_export, false},
    {"replay", spool_replay, false},
};

int
command_spool(const struct config *config, char *const *words)
{
	const struct action *action = NULL;
	struct spool_items files;
	struct error err;

	for (size_t i = 0; words[0] != NULL && i < sizeof actions / sizeof *actions; i++)
		if (strcmp(words[0], actions[i].name) == 0)
			action = &actions[i];
	if (action == NULL) {
		fputs(command_spool_usage, stderr);
		return COMMAND_USAGE;
	}
	/* The write fails instead. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	int rc = spool_find(&files, config, words + 1, action->with_set_aside, &err);
	int code = rc == 0 ? action->run(config, &files) : spool_complain(NULL, &err);
	spool_items_free(&files);
	return fflush(stdout) != 0 ? COMMAND_FAILED : code;
}
