/* Server-sent events, a line at a time: https://html.spec.whatwg.org/multipage/server-sent-events.html */
#include "cli/api_stream.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/span.h"
#include "cli/api_print.h"
#include "cli/commands.h"

/* The default wait before reconnecting, and the most that a refused client waits. */
#define RETRY_MS 2000u
#define RETRY_MOST_MS 30000u
/* Ids remembered, because the service may repeat frames sent shortly before a connection was lost. */
#define KNOWN_IDS 4096u
#define ID_BYTES 40
#define LINE_MAX_BYTES ((size_t)32 << 20)

struct reader {
	bool for_people; /* false: JSON lines */
	struct bytes line; /* an incomplete line */
	struct bytes data, id; /* of the frame; with a NUL once complete */
	char *last_id; /* of the last frame that had one; NULL: none */
	unsigned retry_ms;
	bool connected; /* at least once */
	bool waits; /* stderr has the message about reconnecting */
	char known[KNOWN_IDS][ID_BYTES]; /* a ring */
	uint32_t known_count;
};

static bool
is_known(struct reader *reader, const char *id)
{
	uint32_t count = reader->known_count < KNOWN_IDS ? reader->known_count : KNOWN_IDS;

	for (uint32_t i = 0; i < count; i++)
		if (strcmp(reader->known[i], id) == 0)
			return true;
	(void)snprintf(reader->known[reader->known_count++ % KNOWN_IDS], ID_BYTES, "%s", id);
	return false;
}

static void
show(const struct reader *reader, const cJSON *tree)
{
	static const char *const of_event[] = {"created_at", "topic", "id", "payload", NULL};
	static const char *const of_attempt[] = {
	    "ts", "topic", "event_id", "endpoint_id", "attempt_n", "status", "http_status", "latency_ms", NULL};
	static const char *const of_hook_event[] = {"timestamp", "session_id", "event_type", "event_id", "data", NULL};
	const char *const *members = cJSON_HasObjectItem(tree, "attempt_id")   ? of_attempt
				     : cJSON_HasObjectItem(tree, "event_type") ? of_hook_event
									       : of_event;

	if (reader->for_people)
		api_print_line(stdout, tree, members);
	else
		(void)printf("%s\n", reader->data.base);
	(void)fflush(stdout);
}

/* An attempt has none: it comes once. */
static const char *
id_of(const cJSON *tree)
{
	bool is_hook_event = cJSON_HasObjectItem(tree, "event_type");

	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tree, is_hook_event ? "event_id" : "id"));
}

/* Ends the frame after an empty line. */
static void
end_frame(struct reader *reader)
{
	cJSON *tree = NULL;
	const char *id;

	if (reader->data.len > 0) {
		bytes_add(&reader->data, "", 1);
		tree = cJSON_Parse(reader->data.base);
		id = id_of(tree);
		if (tree != NULL && (id == NULL || !is_known(reader, id)))
			show(reader, tree);
	}
	/* An unreadable frame is not remembered, so that it comes again. */
	if (reader->id.len > 0 && (tree != NULL || reader->data.len == 0)) {
		bytes_add(&reader->id, "", 1);
		free(reader->last_id);
		reader->last_id = mem_strdup(reader->id.base);
	}
	cJSON_Delete(tree);
	reader->id.len = reader->data.len = 0;
}

/* Whether the line is that field. value: the text behind the colon and a blank. */
static bool
is_field(struct span line, const char *name, struct span *value)
{
	size_t len = strlen(name);

	if (line.len <= len || memcmp(line.base, name, len) != 0 || line.base[len] != ':')
		return false;
	len += 1 + (line.len > len + 1 && line.base[len + 1] == ' ');
	*value = (struct span){line.base + len, line.len - len};
	return true;
}

static void
take_line(struct reader *reader)
{
	struct span line, value;

	bytes_add(&reader->line, "", 1);
	line = (struct span){reader->line.base, reader->line.len - 1};
	if (line.len == 0) {
		end_frame(reader);
	} else if (is_field(line, "data", &value)) {
		bytes_add(&reader->data, value.base, value.len);
	} else if (is_field(line, "id", &value)) {
		reader->id.len = 0;
		bytes_add(&reader->id, value.base, value.len);
	} else if (is_field(line, "retry", &value)) {
		reader->retry_ms = (unsigned)strtoul(value.base, NULL, 10);
	}
	reader->line.len = 0;
}

static bool
take(void *context, const char *bytes, size_t len)
{
	struct reader *reader = context;

	reader->connected = true;
	reader->waits = false;
	while (len > 0) {
		const char *end = memchr(bytes, '\n', len);
		size_t part = end != NULL ? (size_t)(end - bytes) : len;

		bytes_add(&reader->line, bytes, part);
		if (reader->line.len > LINE_MAX_BYTES)
			return false;
		if (end != NULL)
			take_line(reader);
		bytes += part + (end != NULL);
		len -= part + (end != NULL);
	}
	return ferror(stdout) == 0;
}

/* Forgets an incomplete frame. */
static void
begin(struct reader *reader)
{
	reader->line.len = reader->data.len = reader->id.len = 0;
}

static void
wait_to_come_back(const struct reader *reader)
{
	unsigned ms = reader->retry_ms < RETRY_MOST_MS ? reader->retry_ms : RETRY_MOST_MS;

	(void)nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000 * 1000}, NULL);
}

/* Prints the message once until it is connected again. */
static void
say_that_it_waits(struct reader *reader, const char *why)
{
	if (!reader->waits)
		(void)fprintf(stderr, "hooksctl: %s: trying again until there is an answer\n", why);
	reader->waits = true;
}

/* Whether a refusal may be temporary. */
static bool
may_pass(long status)
{
	return status == 429 || status >= 500;
}

int
api_stream(const struct api_call *call, const struct api_server *server)
{
	static struct reader reader; /* large */
	char *path = mem_printf("%s%s%s", call->path, call->query[0] != '\0' ? "?" : "", call->query);
	struct api_following following = {.path = path, .take = take, .context = &reader};
	struct error err;
	int code = COMMAND_OK;

	reader.for_people = isatty(STDOUT_FILENO) && !call->json;
	reader.retry_ms = RETRY_MS;
	while (code == COMMAND_OK && ferror(stdout) == 0) {
		int rc;

		begin(&reader);
		following.last_event_id = reader.last_id;
		rc = api_follow(server, &following, &err);
		if (rc != 0 && !reader.connected) {
			(void)fprintf(stderr, "hooksctl: %s\n", err.text);
			code = COMMAND_FAILED;
		} else if (rc == 0 && following.refusal.status != 200 && !may_pass(following.refusal.status)) {
			api_print_refusal(stderr, &following.refusal);
			code = COMMAND_FAILED;
		} else {
			if (rc != 0)
				say_that_it_waits(&reader, err.text);
			else if (following.refusal.status != 200)
				say_that_it_waits(&reader, "the service is busy, or its store is away");
			wait_to_come_back(&reader);
		}
		free(following.refusal.body);
	}
	free(reader.last_id);
	bytes_free(&reader.line);
	bytes_free(&reader.data);
	bytes_free(&reader.id);
	free(path);
	return code;
}
