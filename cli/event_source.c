/* A database filters events by itself; in a file each line is checked. */
#include "cli/event_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/format.h"
#include "cli/event_text.h"
#include "ingest/timestamp.h"
#include "store/store.h"

/* ---- databases ---- */

struct rows {
	struct event_source *source;
	struct bytes text;
};

static int
take_row(void *arg, const struct event_row *row, struct error *err)
{
	struct rows *rows = arg;
	struct record *record = event_text_of_row(&rows->source->ids, row, &rows->text);
	struct span id = row->columns[HOOK_COLUMN_EVENT_ID];

	if (record != NULL)
		return rows->source->take(rows->source->arg, record, err);
	fprintf(stderr, "the row of event %.*s is no event that hooksd takes\n", (int)(id.len < 64 ? id.len : 64),
	    id.base != NULL ? id.base : "");
	rows->source->unreadable++;
	return 0;
}

static const char *
bound(int64_t us, int64_t none, char out[FORMAT_TIME_BYTES + 1])
{
	if (us == none)
		return NULL;
	format_time(us, out);
	out[FORMAT_TIME_BYTES] = '\0';
	return out;
}

static int
read_rows(struct event_source *source, struct error *err)
{
	const struct event_choice *choice = source->choice;
	char since[FORMAT_TIME_BYTES + 1], until[FORMAT_TIME_BYTES + 1];
	const struct event_wish filter = {.session_id = choice->session_id,
	    .event_type = choice->event_type,
	    .since = bound(choice->since_us, TIMESTAMP_MIN_US, since),
	    .until = bound(choice->until_us, INT64_MAX, until)};
	struct rows rows = {.source = source};
	int rc = store_read(source->config, &filter, take_row, &rows, err);

	bytes_free(&rows.text);
	return rc;
}

/* ---- files ---- */

static bool
is(struct span text, const char *wanted)
{
	return wanted == NULL ||
	       (text.base != NULL && text.len == strlen(wanted) && memcmp(text.base, wanted, text.len) == 0);
}

static bool
is_chosen(const struct event_choice *choice, const struct record *record)
{
	return is(record_string(record, RECORD_SESSION_ID), choice->session_id) &&
	       is(record_string(record, RECORD_EVENT_TYPE), choice->event_type) &&
	       record->timestamp_us >= choice->since_us && record->timestamp_us < choice->until_us;
}

static int
take_line(struct event_source *source, char *line, size_t len, uint64_t number, struct error *err)
{
	struct record *record = event_text_of_line(&source->ids, line, len, clock_wall_us());

	if (record == NULL) {
		fprintf(stderr, "line %" PRIu64 " is no event with event_id and timestamp\n", number);
		source->unreadable++;
		return 0;
	}
	if (is_chosen(source->choice, record))
		return source->take(source->arg, record, err);
	free(record);
	return 0;
}

static int
read_lines(struct event_source *source, FILE *file, struct error *err)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t len;
	int rc = 0;

	errno = 0;
	for (uint64_t number = 1; rc == 0 && (len = getline(&line, &capacity, file)) > 0; number++)
		if ((size_t)len > strspn(line, " \t\r\n")) /* no blank line */
			rc = take_line(source, line, (size_t)len, number, err);
	if (rc == 0 && !feof(file)) /* out of memory for a line sets no error of the file */
		rc = error_errno(err, "%s", source->config->jsonl_path);
	free(line);
	return rc;
}

static int
read_file(struct event_source *source, struct error *err)
{
	bool standard = strcmp(source->config->jsonl_path, "-") == 0;
	FILE *file = standard ? stdin : fopen(source->config->jsonl_path, "re");

	if (file == NULL)
		return error_errno(err, "%s", source->config->jsonl_path);
	int rc = read_lines(source, file, err);
	if (!standard)
		(void)fclose(file);
	return rc;
}

int
event_source_read(struct event_source *source, struct error *err)
{
	return source->config->storage == STORAGE_JSONL ? read_file(source, err) : read_rows(source, err);
}
