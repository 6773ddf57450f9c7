/*
 * Filters of lists, from the query: ids, words, times, topics. Each function reads one parameter; false: it is wrong,
 * and the reply names it (400). Worker threads.
 */
#ifndef CONTROL_FILTERS_H
#define CONTROL_FILTERS_H

#include <stdbool.h>

#include "control/object_id.h"
#include "control/query.h"
#include "control/request.h"
#include "event/topic.h"
#include "store/webhooks/list_sql.h"

/* Reads an id into the store's form; "": not given. what: "an event". */
bool filter_id(
    const struct request *request, const char *name, const char *what, char out[OBJECT_ID_BYTES], struct reply *reply);

/* Reads one of the words, a NULL-terminated list; NULL: not given. */
bool filter_word(
    const struct request *request, const char *name, const char *const *words, const char **out, struct reply *reply);

/* Reads from_ms and to_ms. A missing time bounds nothing. */
bool filter_times(const struct request *request, struct time_range *out, struct reply *reply);

/* Topics that match a pattern, as in subscriptions. */
struct topic_filter {
	char pattern[QUERY_VALUE_BYTES];
	char like[2 * QUERY_VALUE_BYTES]; /* LIKE pattern: matches these topics and some others */
	bool given;
};

bool filter_topic(const struct request *request, struct topic_filter *out, struct reply *reply);

/* Sets the filter to a pattern, shorter than QUERY_VALUE_BYTES. 0, or <0: the pattern is invalid. */
int filter_topic_set(struct topic_filter *out, const char *pattern, struct error *err);

/* The pattern of LIKE; base NULL: no topic was asked for. */
struct span topic_filter_like(const struct topic_filter *filter);

/* Whether the topic matches. Pure. */
bool topic_filter_fits(const struct topic_filter *filter, struct span topic);

/* Makes a LIKE pattern that matches at least the topics of that pattern. Pure; for filter_topic() and its test. */
void topic_like(const char *pattern, char like[2 * QUERY_VALUE_BYTES]);

/* The time in a UUIDv7, in ms since 1970. id is one, or another UUID, whose time means nothing. */
int64_t id_time_ms(const char *id);

/* The time of a UUIDv7 plus and minus a day: for rows with a time column near it. */
struct time_range time_range_of_id(const char *id);

#endif
