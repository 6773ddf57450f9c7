/*
 * Appending dead letters. A line is one write(2); a line that did not fit (a full disk) is cut off again, and one that
 * a power cut left torn is closed by a newline, so that no line is ever glued to another.
 */
#include "writer/dead_letter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/format.h"

#define FILE_NAME "dead-letters.jsonl"

void
dead_letters_init(struct dead_letters *letters, const char *data_dir)
{
	*letters = (struct dead_letters){.data_dir = data_dir, .fd = -1};
}

static int
open_file(struct dead_letters *letters, struct error *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/" FILE_NAME, letters->data_dir) >= (int)sizeof path)
		return error_set(err, "DATA_DIR=%s is too long", letters->data_dir);
	letters->fd = files_open(path, O_RDWR | O_APPEND, 0600, "DATA_DIR", err);
	return letters->fd < 0 ? -1 : 0;
}

static void
add_key(struct bytes *line, const char *key)
{
	bytes_add_text(line, line->len == 0 ? "{\"" : ",\"");
	bytes_add_text(line, key);
	bytes_add_text(line, "\":");
}

static void
add_string(struct bytes *line, const char *key, struct span text)
{
	add_key(line, key);
	if (text.base == NULL) {
		bytes_add_text(line, "null");
		return;
	}
	char *end = format_json_string(bytes_reserve(line, format_json_max(text.len)), text.base, text.len);
	line->len = (size_t)(end - line->base);
}

static void
add_text(struct bytes *line, const char *key, const char *text)
{
	add_string(line, key, (struct span){text, strlen(text)});
}

static void
add_time(struct bytes *line, const char *key, int64_t us)
{
	char text[FORMAT_TIME_BYTES];

	format_time(us, text);
	add_string(line, key, (struct span){text, sizeof text});
}

static void
format_line(struct bytes *line, const struct record *record, const char *sqlstate, const char *message)
{
	char id[FORMAT_UUID_BYTES];

	format_uuid(record->event_id, id);
	line->len = 0;
	add_time(line, "time", clock_wall_us());
	add_text(line, "sqlstate", sqlstate);
	add_text(line, "message", message);
	add_string(line, "event_id", (struct span){id, sizeof id});
	add_string(line, "client_event_id", record_string(record, RECORD_CLIENT_EVENT_ID));
	add_string(line, "event_type", record_string(record, RECORD_EVENT_TYPE));
	add_string(line, "session_id", record_string(record, RECORD_SESSION_ID));
	add_string(line, "workflow_id", record_string(record, RECORD_WORKFLOW_ID));
	add_string(line, "phase_id", record_string(record, RECORD_PHASE_ID));
	add_string(line, "milestone_id", record_string(record, RECORD_MILESTONE_ID));
	add_time(line, "timestamp", record->timestamp_us);
	add_time(line, "received_at", record->received_us);
	add_string(line, "data", record_data(record));
	bytes_add_text(line, "}\n");
}

/* Called with the lock held. */
static int
append_line(struct dead_letters *letters, struct error *err)
{
	struct stat st;
	char last = '\n';

	if (fstat(letters->fd, &st) != 0 || (st.st_size > 0 && pread(letters->fd, &last, 1, st.st_size - 1) != 1))
		return error_errno(err, "cannot read the end of %s/" FILE_NAME, letters->data_dir);
	if (last != '\n' && write(letters->fd, "\n", 1) != 1)
		return error_errno(err, "cannot write to %s/" FILE_NAME, letters->data_dir);

	ssize_t written = write(letters->fd, letters->line.base, letters->line.len);
	if (written == (ssize_t)letters->line.len)
		return 0;
	if (written >= 0)
		errno = ENOSPC;
	(void)error_errno(err, "cannot write to %s/" FILE_NAME, letters->data_dir);
	/* If this fails too, the next line starts with the newline above. */
	(void)!ftruncate(letters->fd, st.st_size);
	return -1;
}

int
dead_letters_append(struct dead_letters *letters, const struct record *record, const char *sqlstate,
    const char *message, struct error *err)
{
	if (letters->fd < 0 && open_file(letters, err) < 0)
		return -1;
	format_line(&letters->line, record, sqlstate, message);
	if (flock(letters->fd, LOCK_EX) != 0)
		return error_errno(err, "cannot lock %s/" FILE_NAME, letters->data_dir);
	int rc = append_line(letters, err);
	(void)flock(letters->fd, LOCK_UN);
	return rc;
}

int
dead_letters_sync(struct dead_letters *letters, struct error *err)
{
	if (fdatasync(letters->fd) == 0)
		return 0;
	(void)error_errno(err, "cannot sync %s/" FILE_NAME, letters->data_dir);
	/* After a failed sync the kernel may forget the pages: this descriptor would report success next time. */
	dead_letters_close(letters);
	return -1;
}

void
dead_letters_close(struct dead_letters *letters)
{
	if (letters->fd >= 0)
		close(letters->fd);
	letters->fd = -1;
}

void
dead_letters_free(struct dead_letters *letters)
{
	dead_letters_close(letters);
	bytes_free(&letters->line);
}
