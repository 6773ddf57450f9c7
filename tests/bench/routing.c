/*
 * The cost of routing an event, one part at a time: the topic among 10,000 patterns of a tenant, filters, transforms.
 * Prints a line for each part: name=... ns=... and, if bytes are read, `scan` and `copy`: the ratio to the time of
 * scanning or copying the same bytes. Times are CPU times, the quickest of five rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event/filter_event.h"
#include "event/topic_trie.h"
#include "event/transform_apply.h"
#include "tests/unit/lane_fixture.h"

#define SUBSCRIPTIONS 10000
#define ROUNDS 5

static const char event[] =
    "{\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"topic\":\"order.created\",\"created_at\":1717245296123,"
    "\"tenant_id\":\"shop\",\"payload\":{\"order\":{\"id\":1234567890123456789,\"total\":129.90,\"currency\":\"EUR\","
    "\"items\":[{\"sku\":\"A-1\",\"quantity\":2,\"price\":49.95},{\"sku\":\"B-7\",\"quantity\":1,\"price\":30.00}]},"
    "\"customer\":{\"id\":\"c-8731\",\"email\":\"ada@example.com\",\"country\":\"DE\",\"tags\":[\"new\",\"newsletter\"]"
    "},"
    "\"note\":\"Please leave the parcel with the neighbours on the second floor.\",\"source\":\"web\"}}";

static double
cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Returns the nanoseconds of one call. */
static double
time_of(void (*run)(void *), void *ctx, unsigned times)
{
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		double begin = cpu_ns(), each;

		for (unsigned i = 0; i < times; i++)
			run(ctx);
		each = (cpu_ns() - begin) / times;
		if (round == 0 || each < best)
			best = each;
	}
	return best;
}

static void
scan_event(void *ctx)
{
	struct scan scan;
	struct json value;

	REQUIRE(scan_begin(&scan, event, sizeof event - 1) && scan_value(&scan, &value) && scan_finish(&scan));
}

static void
copy_event(void *ctx)
{
	static char copy[sizeof event];

	memcpy(copy, event, sizeof event - 1);
	__asm__ volatile("" : : "r"(copy) : "memory");
}

static void
print(const char *name, double ns)
{
	static double scan, copy;

	if (scan == 0) {
		scan = time_of(scan_event, NULL, 100000);
		copy = time_of(copy_event, NULL, 1000000);
	}
	printf("name=%s ns=%.1f scan=%.2f copy=%.1f\n", name, ns, ns / scan, ns / copy);
}

/* --- topics ------------------------------------------------------------------------------------------------------ */

static char patterns[SUBSCRIPTIONS][80];
static struct topic_subscription subscriptions[SUBSCRIPTIONS];

struct topics {
	struct topic_trie *trie;
	struct topic_match *match;
	struct span topic;
};

static void
match_topic(void *ctx)
{
	struct topics *topics = ctx;

	topic_trie_match(topics->trie, topics->topic, topics->match);
}

/*
 * The first patterns match the topics "to_N.order.created.eu" N times. Of the others 60 % are literal, and a quarter
 * has `*`.
 */
static void
make_patterns(void)
{
	static const char *const ways[] = {"order.created.eu", "*.created.eu", "#", "#.eu", "order.#.created.#"};
	static const unsigned matches[] = {1, 10, 100};
	unsigned count = 0;

	for (size_t i = 0; i < 3; i++)
		for (unsigned j = 0; j < matches[i]; j++)
			(void)snprintf(patterns[count++], sizeof patterns[0], "to_%u.%s", matches[i], ways[j % 5]);
	for (; count < SUBSCRIPTIONS; count++) {
		static const char *const forms[] = {"shop_%u.order.created.eu", "shop_%u.*.created.eu",
		    "shop_%u.order.*.*", "shop_%u.#.failed", "#.action_%u", "order.#.step.#.by_%u"};
		unsigned of_100 = count % 100;
		const char *form = forms[of_100 < 60 ? 0 : of_100 < 85 ? 1 + of_100 % 2 : 3 + of_100 % 3];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(patterns[count], sizeof patterns[0], form, count);
#pragma GCC diagnostic pop
	}
	for (uint32_t i = 0; i < SUBSCRIPTIONS; i++)
		subscriptions[i] = (struct topic_subscription){{patterns[i], strlen(patterns[i])}, i};
}

static void
measure_topics(void)
{
	static const struct {
		const char *name, *topic;
		uint32_t matches;
	} topics[] = {
	    {"topic_0", "nobody.order.created.eu", 0},
	    {"topic_1", "to_1.order.created.eu", 1},
	    {"topic_10", "to_10.order.created.eu", 10},
	    {"topic_100", "to_100.order.created.eu", 100},
	};
	struct topics ctx;
	double begin, built;

	make_patterns();
	begin = cpu_ns();
	ctx.trie = topic_trie_new(subscriptions, SUBSCRIPTIONS);
	built = cpu_ns() - begin;
	ctx.match = topic_match_new(ctx.trie);
	printf("name=trie subscriptions=%d bytes=%zu built_us=%.0f\n", SUBSCRIPTIONS, topic_trie_bytes(ctx.trie),
	    built / 1000);
	for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
		ctx.topic = (struct span){topics[i].topic, strlen(topics[i].topic)};
		match_topic(&ctx);
		REQUIRE(ctx.match->count == topics[i].matches);
		printf("name=%s ns=%.1f visited=%u\n", topics[i].name, time_of(match_topic, &ctx, 100000),
		    ctx.match->visited);
	}
	topic_match_free(ctx.match);
	topic_trie_free(ctx.trie);
}

/* --- filters ----------------------------------------------------------------------------------------------------- */

static const char *const conditions[] = {
    "{\"eq\":\"payload.customer.country\",\"value\":\"DE\"}",
    "{\"gt\":\"payload.order.total\",\"value\":100}",
    "{\"contains\":\"payload.customer.tags\",\"value\":\"new\"}",
    "{\"eq\":\"payload.order.items.0.sku\",\"value\":\"A-1\"}",
    "{\"neq\":\"payload.source\",\"value\":\"import\"}",
    "{\"contains\":\"payload.note\",\"value\":\"neighbours\"}",
    "{\"exists\":\"payload.order.id\"}",
    "{\"lte\":\"payload.order.items.1.quantity\",\"value\":1}",
    "{\"not\":{\"exists\":\"payload.cancelled\"}}",
    "{\"eq\":\"payload.order.currency\",\"value\":\"EUR\"}",
};

struct filters {
	struct filter_event *event;
	uint32_t count;
};

static void
filter_event(void *ctx)
{
	struct filters *filters = ctx;

	REQUIRE(filter_event_read(filters->event, (struct span){event, sizeof event - 1}));
	for (uint32_t i = 0; i < filters->count; i++)
		REQUIRE(filter_event_holds(filters->event, i));
}

/* Measures so many filters of so many conditions each. All conditions hold. */
static double
measure_filters(uint32_t count, unsigned each)
{
	struct filter *filters = mem_new(count, sizeof *filters);
	struct filter_set *set;
	struct filters ctx = {.count = count};
	double ns;

	for (uint32_t i = 0; i < count; i++) {
		struct bytes text = {0};
		struct error err;

		bytes_add_text(&text, "{\"and\":[");
		for (unsigned j = 0; j < each; j++) {
			bytes_add_text(&text, j > 0 ? "," : "");
			bytes_add_text(&text, conditions[(i + j) % 10]);
		}
		bytes_add_text(&text, "]}");
		REQUIRE(filter_parse((struct span){text.base, text.len}, &filters[i], &err) == 0);
		bytes_free(&text);
	}
	set = filter_set_new(filters, count);
	free(filters);
	ctx.event = filter_event_new(set);
	ns = time_of(filter_event, &ctx, count > 1 ? 2000 : 100000);
	filter_event_free(ctx.event);
	filter_set_free(set);
	return ns;
}

/* --- transforms -------------------------------------------------------------------------------------------------- */

struct transforms {
	struct transform transform;
	struct json_edit *edit;
};

static void
transform_event(void *ctx)
{
	struct transforms *transforms = ctx;

	REQUIRE(
	    transform_apply(&transforms->transform, (struct span){event, sizeof event - 1}, transforms->edit).base !=
	    event);
}

static double
measure_transform(const char *text)
{
	struct transforms ctx;
	struct error err;
	double ns;

	REQUIRE(transform_parse((struct span){text, strlen(text)}, &ctx.transform, &err) == 0);
	ctx.edit = json_edit_new();
	ns = time_of(transform_event, &ctx, 100000);
	transform_free(&ctx.transform);
	json_edit_free(ctx.edit);
	return ns;
}

int
main(void)
{
	measure_topics();
	print("scan", time_of(scan_event, NULL, 100000));
	print("filter_1", measure_filters(1, 1));
	print("filter_10", measure_filters(1, 10));
	print("filter_50", measure_filters(1, 50));
	print("filters_1000", measure_filters(1000, 3));
	print("transform_1", measure_transform("[{\"op\":\"remove_field\",\"field\":\"payload.customer.email\"}]"));
	print("transform_5",
	    measure_transform("[{\"op\":\"remove_field\",\"field\":\"payload.customer.email\"},"
			      "{\"op\":\"rename_field\",\"from\":\"payload.order.id\",\"to\":\"payload.order.number\"},"
			      "{\"op\":\"add_field\",\"field\":\"payload.meta.version\",\"value\":2},"
			      "{\"op\":\"set_field\",\"field\":\"payload.source\",\"value\":\"hooks\"},"
			      "{\"op\":\"remove_field\",\"field\":\"tenant_id\"}]"));
	return 0;
}
