/* Makes cJSON trees of the errors in a decode_result. */
#include "server/rejection.h"

#include <stdio.h>
#include <string.h>

#include "ingest/rewrite.h"

/* The client's name of a field, cut to 100 characters. */
static cJSON *
name_of(struct span key)
{
	const struct json string = {.type = JSON_STRING, .text = key.base, .len = key.len};
	char name[4 * 100 + sizeof "..."];

	name[rewrite_cut(&string, name, 100)] = '\0';
	return cJSON_CreateString(name);
}

/*
 * ["body", 1, "session_id"]: an event's index and a field. ["body", 17]: the byte of a syntax error. In a lenient
 * request a number is always an event's index.
 */
static cJSON *
location(const struct decode_error *error, bool lenient)
{
	cJSON *loc = cJSON_CreateArray();

	cJSON_AddItemToArray(loc, cJSON_CreateString("body"));
	if (error->index >= 0 && (lenient || error->position < 0))
		cJSON_AddItemToArray(loc, cJSON_CreateNumber((double)error->index));
	else if (error->position >= 0)
		cJSON_AddItemToArray(loc, cJSON_CreateNumber((double)error->position));
	if (error->field != NULL)
		cJSON_AddItemToArray(loc, cJSON_CreateString(error->field));
	else if (error->key.base != NULL)
		cJSON_AddItemToArray(loc, name_of(error->key));
	return loc;
}

/* Adds {"error": the syntax error}, with the position unless loc has it, or {"max_length": the limit}. */
static void
add_context(cJSON *item, const struct decode_error *error, bool lenient)
{
	cJSON *context;

	if (error->reason != NULL) {
		context = cJSON_AddObjectToObject(item, "ctx");
		cJSON_AddStringToObject(context, "error", error->reason);
		if (lenient && error->index >= 0)
			cJSON_AddNumberToObject(context, "position", (double)error->position);
	} else if (error->limit > 0) {
		cJSON_AddNumberToObject(cJSON_AddObjectToObject(item, "ctx"), "max_length", error->limit);
	}
}

/* Adds the errors under that name, and the number of further ones. */
static void
add_errors(cJSON *tree, const char *name, const struct decode_result *result, bool lenient)
{
	cJSON *list = cJSON_AddArrayToObject(tree, name);

	for (uint32_t i = 0; i < result->error_count; i++) {
		const struct decode_error *error = &result->errors[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "type", error->type);
		cJSON_AddItemToObject(item, "loc", location(error, lenient));
		cJSON_AddStringToObject(item, "msg", error->msg);
		add_context(item, error, lenient);
		cJSON_AddItemToArray(list, item);
	}
	if (result->errors_found > result->error_count)
		cJSON_AddNumberToObject(tree, "errors_left_out", result->errors_found - result->error_count);
}

cJSON *
rejection_of_request(const struct decode_result *result, bool lenient)
{
	cJSON *tree = cJSON_CreateObject();

	add_errors(tree, "detail", result, lenient);
	return tree;
}

cJSON *
rejection_of_events(const struct decode_result *result)
{
	cJSON *tree = cJSON_CreateObject();
	uint32_t rejected = 0;

	for (int cause = 0; cause < CAUSES; cause++)
		rejected += result->rejected[cause];
	cJSON_AddNumberToObject(tree, "rejected", rejected);
	add_errors(tree, "errors", result, true);
	return tree;
}

/* "event 3: topic: Field required", "malformed JSON at byte 17: trailing comma". */
static void
sentence(const struct decode_error *error, char text[REJECTION_TEXT_BYTES])
{
	char event[32] = "";

	if (error->index >= 0)
		(void)snprintf(event, sizeof event, "event %lld: ", (long long)error->index);
	if (error->reason != NULL)
		(void)snprintf(text, REJECTION_TEXT_BYTES, "%smalformed JSON at byte %lld: %s", event,
		    (long long)error->position, error->reason);
	else
		(void)snprintf(text, REJECTION_TEXT_BYTES, "%s%s%s%s", event, error->field != NULL ? error->field : "",
		    error->field != NULL ? ": " : "", error->msg);
}

cJSON *
rejection_of_published(const struct decode_result *result, bool lenient)
{
	cJSON *tree = cJSON_CreateObject();
	char text[REJECTION_TEXT_BYTES];

	sentence(&result->errors[0], text);
	cJSON_AddStringToObject(
	    tree, "error", result->errors[0].cause == CAUSE_JSON ? "invalid_json" : "validation_error");
	cJSON_AddStringToObject(tree, "detail", text);
	cJSON_AddStringToObject(tree, "message", text);
	add_errors(tree, "errors", result, lenient);
	return tree;
}

void
rejection_of_size(const struct decode_error *error, const char *option, char text[REJECTION_TEXT_BYTES])
{
	if (error->index >= 0)
		(void)snprintf(text, REJECTION_TEXT_BYTES, "%s: event %lld has more than %u bytes (%s)", error->msg,
		    (long long)error->index, error->limit, option);
	else
		(void)snprintf(text, REJECTION_TEXT_BYTES, "%s: at most %u (%s)", error->msg, error->limit,
		    strcmp(error->type, "too_many_events") == 0 ? "MAX_BATCH_EVENTS" : option);
}
