/* Answers for handlers. */
#include "control/request.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/document.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/repeat.h"

#define RETRY_AFTER_SECONDS 1
#define SENTENCE_BYTES 1024

/* Shared by all workers. */
static pthread_mutex_t failures_lock = PTHREAD_MUTEX_INITIALIZER;
static struct repeat failures;

void
reply_reset(struct reply *reply)
{
	struct bytes body = reply->body;

	assert(reply->stream == NULL);
	body.len = 0;
	*reply = (struct reply){.body = body};
}

void
answer_json(struct reply *reply, int status, cJSON *tree)
{
	char *text = cJSON_PrintUnformatted(tree);

	assert(reply->status == 0 && status != 0);
	if (text == NULL)
		mem_none(0);
	reply->status = status;
	bytes_add_text(&reply->body, text);
	cJSON_free(text);
	cJSON_Delete(tree);
}

void
answer_nothing(struct reply *reply)
{
	assert(reply->status == 0);
	reply->status = 204;
}

static cJSON *
error_tree(const char *code, const char *text)
{
	cJSON *tree = cJSON_CreateObject();

	if (tree == NULL)
		mem_none(0);
	cJSON_AddStringToObject(tree, "error", code);
	cJSON_AddStringToObject(tree, "detail", text);
	cJSON_AddStringToObject(tree, "message", text);
	return tree;
}

void
answer_error(struct reply *reply, int status, const char *code, const char *fmt, ...)
{
	char text[SENTENCE_BYTES];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	answer_json(reply, status, error_tree(code, text));
}

void
answer_forbidden(struct reply *reply, const char *required_scope, const char *text)
{
	cJSON *tree = error_tree("forbidden", text);

	cJSON_AddStringToObject(tree, "code", "INSUFFICIENT_SCOPE");
	cJSON_AddStringToObject(tree, "required_scope", required_scope);
	answer_json(reply, 403, tree);
}

void
answer_store_failed(struct reply *reply, int rc, const struct error *err)
{
	uint64_t times;

	pthread_mutex_lock(&failures_lock);
	times = repeat_met(&failures, clock_steady_us());
	pthread_mutex_unlock(&failures_lock);
	if (times > 0)
		log_warning("a request to the management API failed in the store", LOG_STR("error", err->text),
		    LOG_UINT("times", times));
	reply->store_lost = rc < 0;
	reply->store_error = *err;
	reply->retry_after_seconds = RETRY_AFTER_SECONDS;
	answer_error(reply, 503, "store_unavailable", "The store of the management API did not answer; try again");
}

void
reply_set_version(struct reply *reply, int64_t version)
{
	(void)snprintf(reply->etag, sizeof reply->etag, "\"%" PRId64 "\"", version);
}

/* Whether a list of entity tags contains the tag, or is a star. */
static bool
list_has(struct span list, const char *tag)
{
	while (list.len > 0) {
		const char *comma = memchr(list.base, ',', list.len);
		struct span item = {list.base, comma != NULL ? (size_t)(comma - list.base) : list.len};

		list.base += item.len + (comma != NULL);
		list.len -= item.len + (comma != NULL);
		while (item.len > 0 && (*item.base == ' ' || *item.base == '\t')) {
			item.base++;
			item.len--;
		}
		while (item.len > 0 && (item.base[item.len - 1] == ' ' || item.base[item.len - 1] == '\t'))
			item.len--;
		if ((item.len == 1 && *item.base == '*') ||
		    (item.len == strlen(tag) && memcmp(item.base, tag, item.len) == 0))
			return true;
	}
	return false;
}

bool
request_matches_version(const struct request *request, int64_t version, struct reply *reply)
{
	char tag[REPLY_ETAG_BYTES];

	(void)snprintf(tag, sizeof tag, "\"%" PRId64 "\"", version);
	if (request->if_match.base == NULL || list_has(request->if_match, tag))
		return true;
	answer_error(reply, 412, "precondition_failed",
	    "If-Match does not name the present version %s: the object was changed meanwhile", tag);
	return false;
}

bool
request_has_no_members(const struct request *request, struct reply *reply)
{
	struct document_error error = {0};
	struct document document;

	if (document_open(&document, request->body, &error) && document.count > 0)
		document_refuse(&document, NULL, "the body of this request has no members");
	document_close(&document);
	if (error.code != NULL)
		answer_error(reply, 400, error.code, "%s", error.detail);
	return error.code == NULL;
}
