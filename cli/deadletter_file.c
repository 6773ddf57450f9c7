/*
 * The file of dead letters. A writer appends to it under a lock (flock), and checks under the lock that its file still
 * has the name. An edit reads without the lock, because a retry would hold it for long, and takes it only to copy lines
 * appended meanwhile and to put the new file in place.
 *
 * Two edits at once would undo each other: an edit holds a lock on the directory.
 */
#include "cli/deadletter_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/dead_letter_file.h"

const char *
deadletter_file_path(const struct config *config)
{
	static char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/" DEAD_LETTER_FILE_NAME, config->data_dir);
	return path;
}

static int
failed(const char *what, const char *path, struct error *err)
{
	return error_errno(err, "cannot %s %s", what, path);
}

static const char *
text_of(const cJSON *line, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, key));
}

/* Reads a line as a letter, which borrows from the tree. false: it is no letter. */
static bool
read_letter(const cJSON *line, struct dead_letter *letter)
{
	*letter = (struct dead_letter){
	    .refused_at = text_of(line, "refused_at"),
	    .sqlstate = text_of(line, "sqlstate"),
	    .message = text_of(line, "message"),
	    .event_id = text_of(line, "event_id"),
	    .created_date = text_of(line, "created_date"),
	    .event_type = text_of(line, "event_type"),
	    .session_id = text_of(line, "session_id"),
	    .topic = text_of(line, "topic"),
	    .tenant_id = text_of(line, "tenant_id"),
	    .payload = text_of(line, "payload"),
	};
	return letter->refused_at != NULL && letter->sqlstate != NULL && letter->message != NULL &&
	       letter->event_id != NULL && letter->created_date != NULL && letter->payload != NULL &&
	       ((letter->event_type != NULL && letter->session_id != NULL) ||
		   (letter->topic != NULL && letter->tenant_id != NULL));
}

static bool
is_selected(const struct dead_letter_selection *which, const struct dead_letter *letter)
{
	if (which->id != 0)
		return false;
	return which->event_id[0] == '\0' || strcmp(which->event_id, letter->event_id) == 0;
}

/* A walk or an edit in progress. */
struct edit {
	const struct dead_letter_selection *which;
	line_fn *fn;
	void *arg; /* fn's */
	const char *path;
	char new_path[PATH_MAX];
	FILE *in, *out; /* out: NULL for a walk */
	uint64_t line; /* counts from 1 */
	struct bytes new_line; /* fn puts a changed line there */
	bool changed;
};

/* Calls fn for the line, if it is a selected letter. Returns its line_action, or <0. */
static int
visit_line(struct edit *edit, const char *text, size_t len, struct error *err)
{
	cJSON *line = cJSON_ParseWithLength(text, len);
	struct dead_letter letter;
	int action = LINE_STAYS;

	edit->line++;
	edit->new_line.len = 0;
	if (!read_letter(line, &letter))
		fprintf(stderr, "hooksctl deadletter: line %llu of the file is no dead letter: left alone\n",
		    (unsigned long long)edit->line);
	else if (is_selected(edit->which, &letter))
		action = edit->fn(edit->arg, &letter, &edit->new_line, err);
	cJSON_Delete(line);
	return action;
}

static int
write_line(struct edit *edit, const char *text, size_t len, struct error *err)
{
	if (edit->out != NULL && fwrite(text, 1, len, edit->out) != len)
		return failed("write", edit->new_path, err);
	return 0;
}

/* Visits every whole line; *done is the offset of the first byte that was not visited. */
static int
visit_lines(struct edit *edit, off_t *done, struct error *err)
{
	char *text = NULL;
	size_t capacity = 0;
	ssize_t len;
	int rc = 0;

	*done = 0;
	while (rc == 0 && (len = getline(&text, &capacity, edit->in)) > 0 && text[len - 1] == '\n') {
		int action = visit_line(edit, text, (size_t)len, err);

		if (action == LINE_STAYS)
			rc = write_line(edit, text, (size_t)len, err);
		else if (action == LINE_CHANGES)
			rc = write_line(edit, edit->new_line.base, edit->new_line.len, err);
		else if (action < 0)
			rc = action;
		edit->changed |= action > LINE_STAYS;
		if (rc == 0)
			*done += len;
	}
	if (rc == 0 && ferror(edit->in))
		rc = failed("read", edit->path, err);
	free(text);
	bytes_free(&edit->new_line);
	return rc;
}

struct walk {
	dead_letter_fn *fn;
	void *arg;
};

static int
walk_line(void *arg, const struct dead_letter *letter, struct bytes *line, struct error *err)
{
	const struct walk *walk = arg;

	return walk->fn(walk->arg, letter, err) < 0 ? -1 : LINE_STAYS;
}

int
deadletter_file_walk(const struct config *config, const struct dead_letter_selection *which, dead_letter_fn *fn,
    void *arg, struct error *err)
{
	struct walk walk = {fn, arg};
	struct edit edit = {.which = which, .fn = walk_line, .arg = &walk, .path = deadletter_file_path(config)};
	off_t done;

	edit.in = fopen(edit.path, "re");
	if (edit.in == NULL)
		return errno == ENOENT ? 0 : failed("open", edit.path, err);
	int rc = visit_lines(&edit, &done, err);
	fclose(edit.in);
	return rc;
}

static int
open_new(struct edit *edit, struct error *err)
{
	struct stat st;

	(void)snprintf(edit->new_path, sizeof edit->new_path, "%s.new", edit->path);
	edit->out = fopen(edit->new_path, "we");
	/* hooksd may run as another user, and must be able to append. */
	if (edit->out == NULL || fstat(fileno(edit->in), &st) != 0 ||
	    fchown(fileno(edit->out), st.st_uid, st.st_gid) != 0 || fchmod(fileno(edit->out), st.st_mode & 07777) != 0)
		return failed("make", edit->new_path, err);
	return 0;
}

/* Copies everything from done on to the new file. */
static int
copy_rest(struct edit *edit, off_t done, struct error *err)
{
	char buffer[65536];
	size_t len;

	if (fseeko(edit->in, done, SEEK_SET) != 0)
		return failed("read", edit->path, err);
	while ((len = fread(buffer, 1, sizeof buffer, edit->in)) > 0)
		if (write_line(edit, buffer, len, err) < 0)
			return -1;
	return ferror(edit->in) ? failed("read", edit->path, err) : 0;
}

/* Called with the file locked: nobody appends. */
static int
put_in_place(struct edit *edit, int directory, off_t done, struct error *err)
{
	if (copy_rest(edit, done, err) < 0)
		return -1;
	if (fflush(edit->out) != 0 || ferror(edit->out) || fsync(fileno(edit->out)) != 0)
		return failed("write", edit->new_path, err);
	if (ftello(edit->out) == 0 ? unlink(edit->path) != 0 : rename(edit->new_path, edit->path) != 0)
		return failed("replace", edit->path, err);
	return fsync(directory) != 0 ? failed("sync the directory of", edit->path, err) : 0;
}

/* With the directory locked. */
static int
edit_file(struct edit *edit, int directory, struct error *err)
{
	struct error ignored;
	off_t done;

	edit->in = fopen(edit->path, "re");
	if (edit->in == NULL)
		return errno == ENOENT ? 0 : failed("open", edit->path, err);
	int rc = open_new(edit, err);
	if (rc == 0) {
		rc = visit_lines(edit, &done, err);
		if (edit->changed && flock(fileno(edit->in), LOCK_EX) != 0)
			rc = failed("lock", edit->path, err);
		else if (edit->changed && put_in_place(edit, directory, done, rc == 0 ? err : &ignored) < 0)
			rc = -1;
	}
	if (edit->out != NULL)
		fclose(edit->out);
	(void)unlink(edit->new_path); /* once the new file is in place it does not have this name */
	fclose(edit->in); /* unlocks: only now may a writer check the name */
	return rc;
}

int
deadletter_file_edit(
    const struct config *config, const struct dead_letter_selection *which, line_fn *fn, void *arg, struct error *err)
{
	struct edit edit = {.which = which, .fn = fn, .arg = arg, .path = deadletter_file_path(config)};
	int directory = open(config->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return errno == ENOENT ? 0 : failed("open", config->data_dir, err);
	int rc = 0;
	if (flock(directory, LOCK_EX | LOCK_NB) == 0)
		rc = edit_file(&edit, directory, err);
	else if (errno == EWOULDBLOCK)
		fprintf(stderr, "hooksctl deadletter: another one is at work on %s: left to it\n", edit.path);
	else
		rc = failed("lock", config->data_dir, err);
	close(directory);
	return rc;
}
