/*
 * Subscriptions are numbered in the order of their pairs of endpoint and transform, so sorted matching numbers are
 * grouped by pair.
 */
#include "store/webhooks/routes.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "event/filter_event.h"
#include "event/filter_set.h"
#include "event/published_json.h"
#include "event/topic.h"
#include "event/topic_trie.h"

#define NO_FILTER UINT32_MAX

/* A subscription without its texts. */
struct target {
	uint8_t endpoint_id[16], transform_id[16], subscription_id[16];
	bool held, fifo;
	int64_t lifetime_ms;
	uint32_t filter; /* number in the set, or NO_FILTER */
};

struct routes {
	struct target *targets; /* by number */
	uint32_t count;
	struct topic_trie *trie;
	struct topic_match *match;
	struct filter_set *filters; /* NULL: no subscription has one */
	struct filter_event *event;
};

/* ---- building ---- */

/* The ids are adjacent members, the subscription's last. */
static int
by_pair(const void *a, const void *b)
{
	const struct route *one = a, *other = b;
	int order = memcmp(one->endpoint_id, other->endpoint_id, 16);

	if (order == 0)
		order = memcmp(one->transform_id, other->transform_id, 16);
	return order != 0 ? order : memcmp(one->subscription_id, other->subscription_id, 16);
}

/* Reads a row. false: it cannot be read. */
static bool
read_row(const struct route *row, struct filter *filter)
{
	struct error err;

	*filter = (struct filter){0};
	return topic_pattern_check(row->pattern, &err) == 0 &&
	       (row->filter.base == NULL || filter_parse(row->filter, filter, &err) == 0);
}

struct routes *
routes_new(struct route *rows, uint32_t count, uint32_t *unreadable)
{
	struct routes *routes = mem_new(1, sizeof *routes);
	struct topic_subscription *patterns = mem_new(count + 1, sizeof *patterns);
	struct filter *filters = mem_new(count + 1, sizeof *filters);
	uint32_t filter_count = 0;

	qsort(rows, count, sizeof *rows, by_pair);
	routes->targets = mem_new(count + 1, sizeof *routes->targets);
	for (uint32_t i = 0; i < count; i++) {
		const struct route *row = &rows[i];
		struct target *target = &routes->targets[routes->count];

		if (!read_row(row, &filters[filter_count]))
			continue;
		memcpy(target->endpoint_id, row->endpoint_id, 16);
		memcpy(target->transform_id, row->transform_id, 16);
		memcpy(target->subscription_id, row->subscription_id, 16);
		target->held = row->held;
		target->fifo = row->fifo;
		target->lifetime_ms = row->lifetime_ms;
		target->filter = row->filter.base != NULL ? filter_count++ : NO_FILTER;
		patterns[routes->count] = (struct topic_subscription){row->pattern, routes->count};
		routes->count++;
	}
	*unreadable = count - routes->count;
	routes->trie = topic_trie_new(patterns, routes->count);
	routes->match = topic_match_new(routes->trie);
	if (filter_count > 0) {
		routes->filters = filter_set_new(filters, filter_count);
		routes->event = filter_event_new(routes->filters);
	}
	free(patterns);
	free(filters);
	return routes;
}

void
routes_free(struct routes *routes)
{
	if (routes == NULL)
		return;
	filter_event_free(routes->event);
	filter_set_free(routes->filters);
	topic_match_free(routes->match);
	topic_trie_free(routes->trie);
	free(routes->targets);
	free(routes);
}

size_t
routes_bytes(const struct routes *routes)
{
	size_t bytes = sizeof *routes + routes->count * sizeof *routes->targets + topic_trie_bytes(routes->trie);

	/* Matching needs about as much room as the filters. */
	if (routes->filters != NULL)
		bytes += 2 * filter_set_bytes(routes->filters);
	return bytes + topic_trie_bytes(routes->trie);
}

/* ---- matching ---- */

static int
by_number(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return (one > other) - (one < other);
}

static bool
same_pair(const struct route_job *job, const struct target *target)
{
	return memcmp(job->endpoint_id, target->endpoint_id, 16) == 0 &&
	       memcmp(job->transform_id, target->transform_id, 16) == 0;
}

static void
add_id(struct route_jobs *jobs, const uint8_t id[16])
{
	if (jobs->id_count == jobs->id_capacity) {
		jobs->id_capacity = jobs->id_capacity == 0 ? 64 : jobs->id_capacity * 2;
		jobs->ids = mem_resize(jobs->ids, jobs->id_capacity, sizeof *jobs->ids);
	}
	memcpy(jobs->ids[jobs->id_count++], id, 16);
}

static void
add_job(struct route_jobs *jobs, const struct target *target)
{
	if (jobs->count == jobs->capacity) {
		jobs->capacity = jobs->capacity == 0 ? 64 : jobs->capacity * 2;
		jobs->jobs = mem_resize(jobs->jobs, jobs->capacity, sizeof *jobs->jobs);
	}

	struct route_job *job = &jobs->jobs[jobs->count++];

	*job = (struct route_job){
	    .held = target->held, .fifo = target->fifo, .lifetime_ms = target->lifetime_ms, .first = jobs->id_count};
	memcpy(job->endpoint_id, target->endpoint_id, 16);
	memcpy(job->transform_id, target->transform_id, 16);
}

/* Drops the numbers whose filters do not match. The event is written as JSON only if there is a filter to apply. */
static void
keep_those_that_hold(struct routes *routes, const struct record *event, struct bytes *text, uint32_t *filtered)
{
	struct topic_match *match = routes->match;
	uint32_t kept = 0;
	bool read = false;

	for (uint32_t i = 0; i < match->count; i++) {
		uint32_t filter = routes->targets[match->numbers[i]].filter;

		if (filter != NO_FILTER && !read) {
			text->len = 0;
			bytes_add_text(text, "{");
			published_json_members(text, event);
			bytes_add_text(text, "}");
			(void)filter_event_read(routes->event, (struct span){text->base, text->len});
			read = true;
		}
		*filtered += filter != NO_FILTER;
		if (filter == NO_FILTER || filter_event_holds(routes->event, filter))
			match->numbers[kept++] = match->numbers[i];
	}
	match->count = kept;
}

uint32_t
routes_match(struct routes *routes, const struct record *event, struct bytes *text, struct route_jobs *jobs)
{
	struct topic_match *match = routes->match;
	struct span topic = record_published_string(event, PUBLISHED_TOPIC);
	uint32_t before = jobs->count;
	struct error err;

	if (topic_check(topic, &err) != 0)
		return 0;
	topic_trie_match(routes->trie, topic, match);
	keep_those_that_hold(routes, event, text, &jobs->filtered);
	qsort(match->numbers, match->count, sizeof *match->numbers, by_number);
	for (uint32_t i = 0; i < match->count; i++) {
		const struct target *target = &routes->targets[match->numbers[i]];

		if (jobs->count == before || !same_pair(&jobs->jobs[jobs->count - 1], target)) {
			if (jobs->count - before == ROUTE_JOBS_MAX)
				break;
			add_job(jobs, target);
		}
		add_id(jobs, target->subscription_id);
		jobs->jobs[jobs->count - 1].count++;
	}
	return jobs->count - before;
}

void
route_jobs_free(struct route_jobs *jobs)
{
	free(jobs->jobs);
	free(jobs->ids);
	*jobs = (struct route_jobs){0};
}
