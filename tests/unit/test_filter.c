/* What filters return for events, and what hostile ones cost. test_rules.py has random ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event/filter_event.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char event_text[] = "{\"topic\":\"order.created\",\"payload\":{\"id\":9223372036854775807,\"sum\":1.10,"
				 "\"tags\":[\"new\",\"e\\u0075\",3,null],\"note\":\"line\\none\",\"empty\":{},"
				 "\"lines\":[{\"sku\":\"a\"},{\"sku\":\"b\",\"n\":-0}],\"role\":\"a\",\"role\":\"b\","
				 "\"old\":{\"x\":1},\"old\":{\"y\":2},\"huge\":1e400,\"0\":\"zero\",\"paid\":true}}";

static const struct example {
	const char *filter;
	bool holds;
} examples[] = {
    {"{\"eq\":\"topic\",\"value\":\"order.created\"}", true},
    {"{\"eq\":\"topic\",\"value\":\"order.create\"}", false},
    /* integers are exact, other numbers doubles */
    {"{\"eq\":\"payload.id\",\"value\":9223372036854775807}", true},
    {"{\"eq\":\"payload.id\",\"value\":9223372036854775806}", false},
    {"{\"lt\":\"payload.id\",\"value\":9223372036854775808}", true},
    {"{\"lt\":\"payload.id\",\"value\":9223372036854775808.0}", true},
    {"{\"eq\":\"payload.sum\",\"value\":1.1}", true},
    {"{\"eq\":\"payload.sum\",\"value\":\"1.10\"}", false},
    {"{\"gte\":\"payload.sum\",\"value\":11e-1}", true},
    {"{\"eq\":\"payload.huge\",\"value\":1e500}", true},
    {"{\"gt\":\"payload.huge\",\"value\":1e308}", true},
    {"{\"eq\":\"payload.lines.1.n\",\"value\":0}", true},
    /* lists and objects */
    {"{\"eq\":\"payload.lines.0.sku\",\"value\":\"a\"}", true},
    {"{\"exists\":\"payload.lines.2\"}", false},
    {"{\"exists\":\"payload.lines.01\"}", false},
    {"{\"eq\":\"payload.0\",\"value\":\"zero\"}", true},
    {"{\"eq\":\"payload.lines\",\"value\":[{\"sku\":\"a\"},{\"n\":0.0,\"sku\":\"b\"}]}", true},
    {"{\"eq\":\"payload.lines\",\"value\":[{\"sku\":\"a\"},{\"sku\":\"b\"}]}", false},
    {"{\"eq\":\"payload.lines\",\"value\":[{\"sku\":\"a\"}]}", false},
    {"{\"eq\":\"payload.empty\",\"value\":{}}", true},
    {"{\"eq\":\"payload.empty\",\"value\":[]}", false},
    {"{\"contains\":\"payload.tags\",\"value\":\"eu\"}", true},
    {"{\"contains\":\"payload.tags\",\"value\":\"e\"}", false},
    {"{\"contains\":\"payload.tags\",\"value\":3.0}", true},
    {"{\"contains\":\"payload.tags\",\"value\":null}", true},
    {"{\"contains\":\"payload.tags\",\"value\":false}", false},
    {"{\"contains\":\"payload.empty\",\"value\":\"x\"}", false},
    /* strings */
    {"{\"contains\":\"payload.note\",\"value\":\"e\\no\"}", true},
    {"{\"contains\":\"payload.note\",\"value\":\"\"}", true},
    {"{\"gt\":\"payload.note\",\"value\":\"line\\nOne\"}", true},
    {"{\"gt\":\"payload.note\",\"value\":1}", false},
    /* of members with the same name the last one counts, as do the ones in it */
    {"{\"eq\":\"payload.role\",\"value\":\"b\"}", true},
    {"{\"eq\":\"payload.role\",\"value\":\"a\"}", false},
    {"{\"exists\":\"payload.old.x\"}", false},
    {"{\"eq\":\"payload.old\",\"value\":{\"y\":2}}", true},
    /* members that do not exist */
    {"{\"eq\":\"payload.none\",\"value\":null}", false},
    {"{\"neq\":\"payload.none\",\"value\":1}", true},
    {"{\"exists\":\"payload.none\",\"value\":false}", true},
    {"{\"exists\":\"payload.tags.3\"}", true},
    {"{\"exists\":\"payload.note.0\"}", false},
    {"{\"lte\":\"payload.none\",\"value\":1}", false},
    {"{\"not\":{\"eq\":\"payload.paid\",\"value\":true}}", false},
    {"{\"and\":[]}", true},
    {"{\"or\":[]}", false},
    {"{\"op\":\"or\",\"conditions\":[{\"op\":\"eq\",\"path\":\"payload.paid\",\"value\":true},{\"or\":[]}]}", true},
};

static void
parse(const char *text, struct filter *filter)
{
	struct error err;

	if (filter_parse((struct span){text, strlen(text)}, filter, &err) < 0)
		fail_msg("%s: %s", text, err.text);
}

/* All filters at once, so that they share paths, and each one alone. */
static void
test_filters_hold_as_documented(void **state)
{
	struct filter filters[COUNT(examples)];
	const struct span text = {event_text, strlen(event_text)};
	struct filter_event *event;
	struct filter_set *set;

	for (size_t i = 0; i < COUNT(examples); i++)
		parse(examples[i].filter, &filters[i]);
	set = filter_set_new(filters, COUNT(examples));
	event = filter_event_new(set);
	assert_true(filter_event_read(event, text));
	for (uint32_t i = 0; i < COUNT(examples); i++)
		if (filter_event_holds(event, i) != examples[i].holds)
			fail_msg("%s", examples[i].filter);
	filter_event_free(event);
	filter_set_free(set);

	for (size_t i = 0; i < COUNT(examples); i++) {
		struct filter filter;

		parse(examples[i].filter, &filter);
		set = filter_set_new(&filter, 1);
		event = filter_event_new(set);
		assert_true(filter_event_read(event, text));
		if (filter_event_holds(event, 0) != examples[i].holds)
			fail_msg("alone: %s", examples[i].filter);
		filter_event_free(event);
		filter_set_free(set);
	}
}

/* Values of one event are not seen in the next. */
static void
test_an_event_is_judged_by_its_own_values(void **state)
{
	static const struct {
		const char *text;
		bool read, holds;
	} events[] = {
	    {"{\"a\":{\"b\":[1,2]}}", true, true},
	    {"{\"a\":{}}", true, false},
	    {"{\"a\":{\"b\":[2]}}", true, true},
	    {"{}", true, false},
	    {"{\"a\":{\"b\":[2]}", false, false},
	    {"7", true, false},
	    {"", false, false},
	};
	struct filter filter;
	struct filter_event *event;
	struct filter_set *set;

	parse("{\"contains\":\"a.b\",\"value\":2}", &filter);
	set = filter_set_new(&filter, 1);
	event = filter_event_new(set);
	assert_false(filter_event_holds(event, 0));
	for (size_t i = 0; i < COUNT(events); i++) {
		assert_int_equal(
		    filter_event_read(event, (struct span){events[i].text, strlen(events[i].text)}), events[i].read);
		assert_int_equal(filter_event_holds(event, 0), events[i].holds);
	}
	filter_event_free(event);
	filter_set_free(set);
}

static double
cpu_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A cost of conditions times bytes would be minutes. */
static void
expect_cheap(const char *filter_text, const char *text, bool holds)
{
	struct filter filter;
	struct filter_set *set;
	struct filter_event *event;
	double begin;

	parse(filter_text, &filter);
	set = filter_set_new(&filter, 1);
	event = filter_event_new(set);
	begin = cpu_seconds();
	assert_true(filter_event_read(event, (struct span){text, strlen(text)}));
	assert_int_equal(filter_event_holds(event, 0), holds);
	assert_true(cpu_seconds() - begin < 2);
	filter_event_free(event);
	filter_set_free(set);
}

/* Conditions of all kinds on one path and on its members. None decides before the last. */
static void
write_worst_filter(char *to)
{
	to = stpcpy(to, "{\"or\":[");
	for (int i = 0; i < 120; i++)
		to += sprintf(to, "{\"contains\":\"a\",\"value\":\"%.*sb%d\"},", 40,
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", i);
	for (int i = 0; i < 60; i++)
		to += sprintf(to, "{\"contains\":\"a\",\"value\":%d},{\"eq\":\"a.%d\",\"value\":\"x\"},", 1000 + i, i);
	(void)stpcpy(to, "{\"exists\":\"none\"}]}");
}

static void
test_hostile_filters_and_events_cost_time_in_proportion_to_their_bytes(void **state)
{
	const size_t bytes = 1000000;
	char filter[RULE_BYTES_MAX], *text = malloc(bytes + 64), *end;

	assert_non_null(text);
	write_worst_filter(filter);

	memset(text, 'a', bytes);
	memcpy(text, "{\"a\":\"", 6);
	(void)stpcpy(text + bytes - 40, "\"}");
	expect_cheap(filter, text, false);

	for (end = stpcpy(text, "{\"a\":["); (size_t)(end - text) < bytes;)
		end = stpcpy(end, "\"aa\",7,");
	(void)stpcpy(end, "1]}");
	expect_cheap(filter, text, false);

	/* The same member again and again, each time with another value. */
	for (end = stpcpy(text, "{"); (size_t)(end - text) < bytes;)
		end = stpcpy(end, "\"a\":[[],\"b\"],\"a\":{\"0\":{},\"1\":0},");
	(void)stpcpy(end, "\"b\":1}");
	expect_cheap(filter, text, false);

	/* A number of many digits, which equals no value. */
	end = stpcpy(text, "{\"a\":");
	memset(end, '1', bytes);
	(void)stpcpy(end + bytes, "}");
	expect_cheap("{\"gt\":\"a\",\"value\":1}", text, false);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_filters_hold_as_documented),
	    cmocka_unit_test(test_an_event_is_judged_by_its_own_values),
	    cmocka_unit_test(test_hostile_filters_and_events_cost_time_in_proportion_to_their_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
