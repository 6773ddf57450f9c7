/* Uses the same trie and filters as publishers, built here for one pattern and one filter. */
#include "control/subscription_test.h"

#include <string.h>

#include "api/document.h"
#include "control/members.h"
#include "control/tree.h"
#include "event/filter_event.h"
#include "event/topic.h"
#include "event/topic_trie.h"

/* The client's request; borrows from the document. */
struct trial {
	struct span pattern, topic, event;
	struct span filter; /* base NULL: none */
};

static bool
is_given(struct document *document, const char *name)
{
	return document_presence(document, name) == DOCUMENT_GIVEN || document_refuse(document, name, "is required");
}

static void
read_pattern(struct document *document, struct span *pattern)
{
	const struct document_lengths any = {0, DOCUMENT_BYTES_MAX, false};
	struct error err;

	if (is_given(document, "topic_pattern") && document_string(document, "topic_pattern", &any, pattern) &&
	    topic_pattern_check(*pattern, &err) < 0)
		(void)document_refuse(document, "topic_pattern", "%s", err.text);
}

/* inner: the event's members; the caller closes it. */
static void
read_event(struct document *document, size_t most, struct document *inner, struct trial *trial)
{
	const struct document_lengths any = {0, TOPIC_CHARS_MAX, false};
	struct error err;

	if (is_given(document, "event") && document_object(document, "event", most, &trial->event) &&
	    document_inner_object(document, "event", inner) && is_given(inner, "topic") &&
	    document_string(inner, "topic", &any, &trial->topic) && topic_check(trial->topic, &err) < 0)
		(void)document_refuse(inner, "topic", "%s", err.text);
}

static void
read_filter(struct document *document, struct span *text, struct filter *filter)
{
	struct error err;

	if (document_presence(document, "filter") == DOCUMENT_GIVEN &&
	    document_value(document, "filter", DOCUMENT_BYTES_MAX, text) && filter_parse(*text, filter, &err) < 0)
		(void)document_refuse(document, NULL, "%s", err.text);
}

static bool
pattern_matches(const struct trial *trial)
{
	const struct topic_subscription subscription = {trial->pattern, 0};
	struct topic_trie *trie = topic_trie_new(&subscription, 1);
	struct topic_match *match = topic_match_new(trie);
	bool matched;

	topic_trie_match(trie, trial->topic, match);
	matched = match->count > 0;
	topic_match_free(match);
	topic_trie_free(trie);
	return matched;
}

/* Takes ownership of the filter. */
static bool
filter_holds(const struct filter *filter, struct span text)
{
	struct filter_set *set = filter_set_new(filter, 1);
	struct filter_event *event = filter_event_new(set);
	bool holds = filter_event_read(event, text) && filter_event_holds(event, 0);

	filter_event_free(event);
	filter_set_free(set);
	return holds;
}

static const char *
reason(const struct trial *trial, bool topic_matched, bool filter_matched)
{
	if (!topic_matched && topic_of_service(trial->topic))
		return "topic_pattern does not match the topic; one of the service itself is matched by patterns that "
		       "begin with its first segment";
	if (!topic_matched)
		return "topic_pattern does not match the topic";
	if (trial->filter.base == NULL)
		return "topic_pattern matches the topic, and there is no filter";
	return filter_matched ? "topic_pattern matches the topic, and the filter is true of the event"
			      : "topic_pattern matches the topic, but the filter is not true of the event";
}

/* Takes ownership of the filter. */
static void
answer(const struct trial *trial, const struct filter *filter, struct reply *reply)
{
	bool with_filter = trial->filter.base != NULL;
	bool topic_matched = pattern_matches(trial);
	bool filter_matched = with_filter && filter_holds(filter, trial->event);
	const char *why = reason(trial, topic_matched, filter_matched);
	cJSON *tree = tree_new();

	tree_add_bool(tree, "matched", topic_matched && (filter_matched || !with_filter));
	tree_add_bool(tree, "topic_matched", topic_matched);
	if (with_filter)
		tree_add_bool(tree, "filter_matched", filter_matched);
	else
		tree_add(tree, "filter_matched", cJSON_CreateNull());
	tree_add_text(tree, "why", (struct span){why, strlen(why)});
	answer_json(reply, 200, tree);
}

void
subscription_test(const struct request *request, struct reply *reply)
{
	struct document_error error = {0};
	struct document document = {0}, event = {0};
	struct filter filter = {0};
	struct trial trial = {0};

	if (document_open(&document, request->body, &error)) {
		read_pattern(&document, &trial.pattern);
		read_filter(&document, &trial.filter, &filter);
		read_event(&document, request->context->config->hl_max_payload_bytes, &event, &trial);
	}
	if (error.code == NULL) {
		answer(&trial, &filter, reply);
	} else {
		filter_free(&filter);
		answer_error(reply, 400, error.code, "%s", error.detail);
	}
	document_close(&event);
	document_close(&document);
}
