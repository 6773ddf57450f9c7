/* hooksctl deadletter: the events that PostgreSQL refused for good, in the table and in the file. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_object.h"
#include "base/uuid.h"
#include "cli/commands.h"
#include "cli/deadletter_file.h"
#include "cli/deadletter_print.h"
#include "cli/deadletter_retry.h"
#include "store/postgres/dead_letter_db.h"

const char command_deadletter_usage[] =
    "usage: hooksctl deadletter list | show ID | retry [ID|all] | export [--option=value ...]\n\n"
    "Events that PostgreSQL or SQLite refused for good, such as a number beyond numeric or what\n"
    "a CHECK or a trigger refuses. They are kept in the table hook_events_dead_letters of\n"
    "DATABASE_URL or, where that does not take them or SQLite refused, in\n"
    "DATA_DIR/dead-letters.jsonl. retry stores in DATABASE_URL. Published events that the store\n"
    "of webhooks refused are in the file; retry stores them there, for the options of hooksd\n"
    "(HL_API_KEY, HL_STORE_BACKEND and those that say where).\n\n"
    "  list            one line a letter\n"
    "  show ID         everything about one; ID is its number or an event_id\n"
    "  retry [ID|all]  store the event again: the letter goes when that is committed, and\n"
    "                  stays with the new reason when it is refused again\n"
    "  export          all letters as lines of JSON; \"payload\" is what POST /events takes, or\n"
    "                  POST /v1/events\n\n"
    "Exit codes: 0 done; 1 failed, no such letter, or some are still refused; 64 wrong usage.\n";

/* Reads a selection from the command line; NULL and "all" mean all letters. */
static bool
read_selection(const char *word, struct dead_letter_selection *which)
{
	uint8_t id[16];
	char *end;

	*which = (struct dead_letter_selection){0};
	if (word == NULL || strcmp(word, "all") == 0)
		return true;
	if (uuid_parse(word, strlen(word), id)) {
		format_uuid(id, which->event_id);
		return true;
	}
	which->id = strtoll(word, &end, 10);
	return which->id > 0 && *end == '\0';
}

static void
print_cell(const char *text, int width)
{
	printf("%*s  ", width - deadletter_print(text, width), "");
}

/* Letters being listed, shown or exported. */
struct listing {
	const struct config *config;
	struct dead_letter_db *db; /* NULL: only the file can be read */
	struct dead_letter_selection which;
	uint64_t letters;
	bool in_file; /* the last heading was the file's */
};

static int
list_letter(void *arg, const struct dead_letter *letter, struct error *err)
{
	struct listing *listing = arg;
	bool in_file = letter->id == NULL;
	const char *id = in_file ? letter->event_id : letter->id;
	int id_width = in_file ? FORMAT_UUID_BYTES : 8;
	char second[sizeof "YYYY-MM-DDTHH:MM:SS"];

	if (listing->letters == 0 || in_file != listing->in_file)
		printf("%sin %s (times in UTC):\n%-*s  %-19s  SQLSTATE  %-24s  %-20s  MESSAGE\n",
		    listing->letters > 0 ? "\n" : "",
		    in_file ? deadletter_file_path(listing->config) : "hook_events_dead_letters", id_width,
		    in_file ? "EVENT ID" : "ID", "REFUSED AT", in_file ? "EVENT TYPE OR TOPIC" : "EVENT TYPE",
		    in_file ? "SESSION OR TENANT" : "SESSION");
	listing->in_file = in_file;
	listing->letters++;

	/* Numbers given by another node of a cluster may be longer than the column. */
	printf("%*s  ", id_width - deadletter_print(id, INT_MAX), "");
	(void)snprintf(second, sizeof second, "%s", letter->refused_at);
	print_cell(second, sizeof second - 1);
	print_cell(letter->sqlstate, 8);
	print_cell(letter->event_type != NULL ? letter->event_type : letter->topic, 24);
	print_cell(letter->event_type != NULL ? letter->session_id : letter->tenant_id, 20);
	(void)deadletter_print(letter->message, INT_MAX);
	printf("\n");
	return 0;
}

static void
print_field(const char *name, const char *text)
{
	printf("%-12s  ", name);
	(void)deadletter_print(text, INT_MAX);
	printf("\n");
}

static int
show_letter(void *arg, const struct dead_letter *letter, struct error *err)
{
	struct listing *listing = arg;

	if (listing->letters++ > 0)
		printf("\n");
	print_field("kept in", letter->id != NULL ? "hook_events_dead_letters" : deadletter_file_path(listing->config));
	if (letter->id != NULL)
		print_field("id", letter->id);
	print_field("refused_at", letter->refused_at);
	print_field("sqlstate", letter->sqlstate);
	print_field("message", letter->message);
	print_field("event_id", letter->event_id);
	print_field("created_date", letter->created_date);
	print_field(letter->event_type != NULL ? "event_type" : "topic",
	    letter->event_type != NULL ? letter->event_type : letter->topic);
	print_field(letter->event_type != NULL ? "session_id" : "tenant_id",
	    letter->event_type != NULL ? letter->session_id : letter->tenant_id);
	printf("payload\n");
	deadletter_print_json(letter->payload);
	printf("\n");
	return 0;
}

/* In the format of the file's lines, so that exported letters can be put there. */
static int
export_letter(void *arg, const struct dead_letter *letter, struct error *err)
{
	struct listing *listing = arg;
	struct bytes line = {0};
	struct json_object object = json_object_begin(&line);

	listing->letters++;
	json_object_add_text(&object, "refused_at", letter->refused_at);
	json_object_add_text(&object, "sqlstate", letter->sqlstate);
	json_object_add_text(&object, "message", letter->message);
	json_object_add_text(&object, "event_id", letter->event_id);
	json_object_add_text(&object, "created_date", letter->created_date);
	if (letter->event_type != NULL) {
		json_object_add_text(&object, "event_type", letter->event_type);
		json_object_add_text(&object, "session_id", letter->session_id);
	} else {
		json_object_add_text(&object, "topic", letter->topic);
		json_object_add_text(&object, "tenant_id", letter->tenant_id);
	}
	json_object_add_text(&object, "payload", letter->payload);
	json_object_end(&object);
	bytes_add_text(&line, "\n");
	(void)fwrite(line.base, 1, line.len, stdout);
	bytes_free(&line);
	return ferror(stdout) ? error_errno(err, "cannot write") : 0;
}

static int
complain(const struct error *err)
{
	fprintf(stderr, "hooksctl deadletter: %s\n", err->text);
	return -1;
}

/*
 * Calls fn for the selected letters of table and file. A database that cannot be read does not hide the file. 0 or
 * <0.
 */
static int
walk(struct listing *listing, dead_letter_fn *fn)
{
	struct error err;
	int rc = 0;

	if (listing->db != NULL && dead_letter_db_walk(listing->db, &listing->which, fn, listing, &err) < 0)
		rc = complain(&err);
	if (deadletter_file_walk(listing->config, &listing->which, fn, listing, &err) < 0)
		rc = complain(&err);
	return rc;
}

static int
run_list(const struct config *config, struct dead_letter_db *db, const struct dead_letter_selection *which)
{
	struct listing listing = {.config = config, .db = db, .which = *which};

	listing.which.without_payload = true;
	if (walk(&listing, list_letter) < 0)
		return COMMAND_FAILED;
	if (listing.letters == 0)
		return deadletter_none(which);
	printf("\n%" PRIu64 " dead letter%s\n", listing.letters, listing.letters == 1 ? "" : "s");
	return COMMAND_OK;
}

static int
run_show(const struct config *config, struct dead_letter_db *db, const struct dead_letter_selection *which)
{
	struct listing listing = {.config = config, .db = db, .which = *which};

	if (walk(&listing, show_letter) < 0)
		return COMMAND_FAILED;
	return listing.letters == 0 ? deadletter_none(which) : COMMAND_OK;
}

static int
run_export(const struct config *config, struct dead_letter_db *db, const struct dead_letter_selection *which)
{
	struct listing listing = {.config = config, .db = db, .which = *which};

	return walk(&listing, export_letter) < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static const struct action {
	const char *name;
	int (*run)(const struct config *config, struct dead_letter_db *db, const struct dead_letter_selection *which);
	enum { TAKES_NO_ID, TAKES_ID, NEEDS_ID } id;
	bool needs_database;
} actions[] = {
    {"list", run_list, TAKES_NO_ID, false},
    {"show", run_show, NEEDS_ID, false},
    {"retry", deadletter_retry, TAKES_ID, true},
    {"export", run_export, TAKES_NO_ID, false},
};

/* Reads the words behind "deadletter": the action, and which letters. NULL: they are wrong. */
static const struct action *
read_words(char *const *words, struct dead_letter_selection *which)
{
	for (size_t i = 0; words[0] != NULL && i < sizeof actions / sizeof actions[0]; i++) {
		const struct action *action = &actions[i];

		if (strcmp(words[0], action->name) != 0)
			continue;
		if (words[1] == NULL ? action->id == NEEDS_ID : action->id == TAKES_NO_ID || words[2] != NULL)
			return NULL;
		return read_selection(words[1], which) ? action : NULL;
	}
	return NULL;
}

int
command_deadletter(const struct config *config, char *const *words)
{
	struct dead_letter_selection which;
	struct dead_letter_db *db = NULL;
	struct error err;
	const struct action *action = read_words(words, &which);

	if (action == NULL) {
		fputs(command_deadletter_usage, stderr);
		return COMMAND_USAGE;
	}
	if (config->database_url == NULL && action->needs_database && !config_api_is_on(config)) {
		fprintf(stderr, "hooksctl deadletter: DATABASE_URL is not set: set it to where the events belong\n");
		return COMMAND_USAGE;
	}
	if (config->database_url == NULL)
		fprintf(stderr, "hooksctl deadletter: DATABASE_URL is not set: looking at %s only\n",
		    deadletter_file_path(config));
	bool unreachable = config->database_url != NULL && dead_letter_db_open(&db, config->database_url, &err) < 0;
	if (unreachable)
		(void)complain(&err);
	int code = unreachable && action->needs_database ? COMMAND_FAILED : action->run(config, db, &which);
	dead_letter_db_close(db);
	return unreachable || fflush(stdout) != 0 ? COMMAND_FAILED : code;
}
