/* hooksctl import and export: copies hook events from one store to another. The ids of events show duplicates. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/command_words.h"
#include "cli/commands.h"
#include "cli/event_source.h"
#include "cli/event_target.h"
#include "cli/progress.h"
#include "ingest/timestamp.h"
#include "store/store.h"

#define USAGE_OF_BOTH                                                                                                  \
	"A store is the URL of a PostgreSQL database, a file of JSONL (NAME.jsonl, NAME.ndjson; - is the\n"            \
	"standard input or output), or else a file of SQLite.\n\n"                                                     \
	"  --session, --type  only events of that session, of that type\n"                                             \
	"  --since, --until   only events whose timestamp is not before, or is before: 2026-11-22, or\n"               \
	"                     2026-11-22T03:54:40Z\n"                                                                  \
	"  --dry-run          only counts\n"                                                                           \
	"  --json             prints the counts as JSON\n\n"                                                           \
	"An event that the new store has already, by id and day, is counted as a duplicate: after an\n"                \
	"interruption run the same again. A new file gets its name when it is whole. hooksd may run\n"                 \
	"meanwhile on both. A line or row that is no event is reported, and the others are taken.\n\n"                 \
	"Exit codes: 0 done; 1 failed, or something was no event; 64 wrong usage or configuration.\n"
#define FLAGS_OF_BOTH                                                                                                  \
	"[--session S] [--type T]\n"                                                                                   \
	"                       [--since TIME] [--until TIME] [--dry-run] [--json] [--option=value ...]\n\n"

const char command_import_usage[] =
    "usage: hooksctl import --from STORE [--to STORE] " FLAGS_OF_BOTH
    "Stores hook events of another store. Without --to the new store is that of the options.\n\n" USAGE_OF_BOTH;

const char command_export_usage[] =
    "usage: hooksctl export [--from STORE] [--to STORE] " FLAGS_OF_BOTH
    "Copies hook events to another store. Without --from they are those of the store of the options,\n"
    "without --to they go to the standard output, one line of JSON an event.\n\n" USAGE_OF_BOTH;

const char *const command_transfer_flags[] = {
    "--from=", "--to=", "--session=", "--type=", "--since=", "--until=", "--dry-run", "--json", NULL};

struct transfer {
	const char *name; /* the command's name */
	struct config from, to; /* hooksd's configuration with another store; they borrow its texts */
	struct event_choice choice;
	struct event_source source;
	struct event_target target;
	struct progress progress;
	bool json;
};

/* ---- words ---- */

static bool
ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), of_end = strlen(end);

	return len >= of_end && strcmp(text + len - of_end, end) == 0;
}

/* which NULL: the store of the options. */
static int
choose_store(struct config *side, const struct config *config, const char *which, struct error *err)
{
	char *text = (char *)(uintptr_t)which;
	bool database;

	*side = *config;
	if (which == NULL) {
		if (config->storage == STORAGE_NULL)
			return error_set(err, "the options name no store: name one by --from or --to");
		return 0;
	}
	if (command_is_database(which, &database, err) != 0)
		return -1;
	if (database) {
		side->storage = STORAGE_POSTGRES;
		side->database_url = text;
	} else if (strcmp(which, "-") == 0 || ends_with(which, ".jsonl") || ends_with(which, ".ndjson")) {
		side->storage = STORAGE_JSONL;
		side->jsonl_path = text;
	} else {
		side->storage = STORAGE_SQLITE;
		side->sqlite_path = text;
	}
	return store_check_options(side, err);
}

static int
choose_time(char *const *words, const char *flag, int64_t *us, struct error *err)
{
	const char *text, *wrong = NULL;

	if (command_flag(words, flag, &text, err) != 0)
		return -1;
	if (text != NULL)
		wrong = timestamp_parse(text, strlen(text), us);
	return wrong == NULL ? 0 : error_set(err, "%s='%.40s': %s", flag, text, wrong);
}

static int
choose_events(struct event_choice *choice, char *const *words, struct error *err)
{
	*choice = (struct event_choice){.since_us = TIMESTAMP_MIN_US, .until_us = INT64_MAX};
	if (command_flag(words, "--session", &choice->session_id, err) != 0 ||
	    command_flag(words, "--type", &choice->event_type, err) != 0 ||
	    choose_time(words, "--since", &choice->since_us, err) != 0)
		return -1;
	return choose_time(words, "--until", &choice->until_us, err);
}

static int
choose(struct transfer *transfer, const struct config *config, char *const *words, bool import, struct error *err)
{
	const char *from, *to;

	if (command_flag(words, "--from", &from, err) != 0 || command_flag(words, "--to", &to, err) != 0)
		return -1;
	if (import && from == NULL)
		return error_set(err, "--from is missing: the store that has the events");
	if (to == NULL && !import)
		to = "-";
	if (choose_store(&transfer->from, config, from, err) != 0 || choose_store(&transfer->to, config, to, err) != 0)
		return -1;
	transfer->json = command_has_flag(words, "--json");
	transfer->target.dry_run = command_has_flag(words, "--dry-run");
	return choose_events(&transfer->choice, words, err);
}

/* ---- work ---- */

static int
take(void *arg, struct record *record, struct error *err)
{
	struct transfer *transfer = arg;
	int rc = event_target_add(&transfer->target, record, err);

	progress_add(&transfer->progress, 1);
	return rc;
}

static int
run(struct transfer *transfer, struct error *err)
{
	struct event_source *source = &transfer->source;

	transfer->target.config = &transfer->to;
	*source = (struct event_source){
	    .config = &transfer->from, .choice = &transfer->choice, .take = take, .arg = transfer};
	uuid_source_init(&source->ids);
	int rc = event_target_open(&transfer->target, err);
	if (rc == 0) {
		progress_begin(&transfer->progress, transfer->name, 0, 0);
		rc = event_source_read(source, err);
		progress_end(&transfer->progress);
	}
	if (rc == 0)
		rc = event_target_finish(&transfer->target, err);
	event_target_close(&transfer->target);
	return rc;
}

static void
print_sums(const struct transfer *transfer)
{
	const struct event_target *target = &transfer->target;
	uint64_t read = transfer->progress.done;
	/* The events themselves may be on the standard output. */
	bool beside =
	    transfer->to.storage == STORAGE_JSONL && strcmp(transfer->to.jsonl_path, "-") == 0 && !target->dry_run;
	FILE *out = beside ? stderr : stdout;

	if (transfer->json)
		fprintf(out,
		    "{\"dry_run\":%s,\"read\":%" PRIu64 ",\"stored\":%" PRIu64 ",\"duplicates\":%" PRIu64
		    ",\"dead_letters\":%" PRIu64 ",\"unreadable\":%" PRIu64 "}\n",
		    target->dry_run ? "true" : "false", read, target->stored, target->duplicates, target->dead_lettered,
		    transfer->source.unreadable);
	else
		fprintf(out,
		    "read %" PRIu64 ", stored %" PRIu64 ", duplicates %" PRIu64 ", dead letters %" PRIu64
		    ", unreadable %" PRIu64 "\n",
		    read, target->stored, target->duplicates, target->dead_lettered, transfer->source.unreadable);
}

static int
transfer_events(const struct config *config, char *const *words, const char *name, bool import)
{
	static struct transfer transfer;
	struct error err;

	transfer.name = name;
	if (command_words_count(words) > 0) {
		fputs(import ? command_import_usage : command_export_usage, stderr);
		return COMMAND_USAGE;
	}
	if (choose(&transfer, config, words, import, &err) != 0) {
		fprintf(stderr, "hooksctl %s: %s\n", name, err.text);
		return COMMAND_USAGE;
	}
	/* The write fails instead. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	int rc = run(&transfer, &err);
	print_sums(&transfer);
	if (rc != 0)
		fprintf(stderr, "hooksctl %s: %s\n", name, err.text);
	return rc == 0 && transfer.source.unreadable == 0 && fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
}

int
command_import(const struct config *config, char *const *words)
{
	return transfer_events(config, words, "import", true);
}

int
command_export(const struct config *config, char *const *words)
{
	return transfer_events(config, words, "export", false);
}
