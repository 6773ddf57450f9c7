/* Which texts are topics and patterns, and where other texts are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "event/topic.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct span
text_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static const struct refusal {
	const char *text;
	const char *topic; /* NULL: it is a topic */
	const char *pattern;
} texts[] = {
    {"order", NULL, NULL},
    {"order.created", NULL, NULL},
    {"a.b-c_d/e:f@g.$x", NULL, NULL},
    {"bestellung.ge\xc3\xa4ndert.\xf0\x9f\x98\x80", NULL, NULL},
    {"", "the topic is empty", "the pattern is empty"},
    {".", "byte 0: the topic has an empty segment", "byte 0: the pattern has an empty segment"},
    {"a.", "byte 2: the topic has an empty segment", "byte 2: the pattern has an empty segment"},
    {".a", "byte 0: the topic has an empty segment", "byte 0: the pattern has an empty segment"},
    {"a..b", "byte 2: the topic has an empty segment", "byte 2: the pattern has an empty segment"},
    {"*", "byte 0: '*' is for patterns, not for topics", NULL},
    {"a.#", "byte 2: '#' is for patterns, not for topics", NULL},
    {"#.#.*.#", "byte 0: '#' is for patterns, not for topics", NULL},
    {"*.a.*", "byte 0: '*' is for patterns, not for topics", NULL},
    {"a*", "byte 1: '*' is for patterns, not for topics", "byte 1: '*' must be a segment of its own"},
    {"x.*b", "byte 2: '*' is for patterns, not for topics", "byte 2: '*' must be a segment of its own"},
    {"##", "byte 0: '#' is for patterns, not for topics", "byte 0: '#' must be a segment of its own"},
    {"a b", "byte 1: the topic holds white space", "byte 1: the pattern holds white space"},
    {"a\tb", "byte 1: the topic holds a control character", "byte 1: the pattern holds a control character"},
    {"a.\x7f", "byte 2: the topic holds a control character", "byte 2: the pattern holds a control character"},
    {"a\xc2\x85", "byte 1: the topic holds a control character", "byte 1: the pattern holds a control character"},
    {"a\xc2\xa0", "byte 1: the topic holds white space", "byte 1: the pattern holds white space"},
    {"a\xe3\x80\x80", "byte 1: the topic holds white space", "byte 1: the pattern holds white space"},
    {"a\xe2\x80\xa8", "byte 1: the topic holds white space", "byte 1: the pattern holds white space"},
    {"\xef\xbb\xbf", "byte 0: the topic holds white space", "byte 0: the pattern holds white space"},
    {"a\xff", "byte 1: the topic is not UTF-8", "byte 1: the pattern is not UTF-8"},
    {"a\xc3", "byte 1: the topic is not UTF-8", "byte 1: the pattern is not UTF-8"},
    {"a\xed\xa0\x80", "byte 1: the topic is not UTF-8", "byte 1: the pattern is not UTF-8"},
};

static void
expect(int rc, const struct error *err, const char *want)
{
	assert_int_equal(rc, want == NULL ? 0 : -1);
	if (want != NULL)
		assert_string_equal(err->text, want);
}

static void
test_a_text_is_a_topic_or_is_refused_with_the_wrong_byte(void **state)
{
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct error err;

		expect(topic_check(text_of(texts[i].text), &err), &err, texts[i].topic);
		expect(topic_pattern_check(text_of(texts[i].text), &err), &err, texts[i].pattern);
	}
}

static void
test_a_nul_is_a_control_character(void **state)
{
	struct error err;

	expect(topic_check((struct span){"a\0b", 3}, &err), &err, "byte 1: the topic holds a control character");
}

static void
test_a_topic_has_at_most_255_characters(void **state)
{
	char text[4 * (TOPIC_CHARS_MAX + 1)];
	struct error err;

	memset(text, 'x', sizeof text);
	assert_int_equal(topic_check((struct span){text, TOPIC_CHARS_MAX}, &err), 0);
	expect(topic_check((struct span){text, TOPIC_CHARS_MAX + 1}, &err), &err,
	    "byte 255: the topic has more than 255 characters");
	for (size_t i = 0; i < sizeof text; i += 4)
		memcpy(text + i, "\xf0\x9f\x98\x80", 4);
	assert_int_equal(topic_check((struct span){text, TOPIC_BYTES_MAX}, &err), 0);
	expect(topic_check((struct span){text, TOPIC_BYTES_MAX + 4}, &err), &err,
	    "byte 1020: the topic has more than 255 characters");
}

static void
test_the_topic_with_the_most_segments_is_split(void **state)
{
	struct span segments[TOPIC_SEGMENTS_MAX];
	char text[TOPIC_CHARS_MAX];
	struct error err;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 2 == 0 ? 'x' : '.';
	assert_int_equal(topic_check((struct span){text, sizeof text}, &err), 0);
	assert_int_equal(topic_split((struct span){text, sizeof text}, segments), TOPIC_SEGMENTS_MAX);
	assert_ptr_equal(segments[TOPIC_SEGMENTS_MAX - 1].base, text + sizeof text - 1);
	assert_int_equal(topic_split(text_of("order.created"), segments), 2);
	assert_int_equal(segments[0].len, 5);
	assert_int_equal(segments[1].len, 7);
}

static void
test_the_topics_of_the_service_are_known(void **state)
{
	assert_true(topic_of_service(text_of("hookline.endpoint.disabled")));
	assert_true(topic_of_service(text_of("deliveries.failed")));
	assert_true(topic_of_service(text_of("hooks.PreToolUse")));
	assert_false(topic_of_service(text_of("hookline.endpoint")));
	assert_false(topic_of_service(text_of("hookline.other.x")));
	assert_false(topic_of_service(text_of("deliveries")));
	assert_false(topic_of_service(text_of("hooksy.x")));
	assert_false(topic_of_service(text_of("x.hooks.y")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_text_is_a_topic_or_is_refused_with_the_wrong_byte),
	    cmocka_unit_test(test_a_nul_is_a_control_character),
	    cmocka_unit_test(test_a_topic_has_at_most_255_characters),
	    cmocka_unit_test(test_the_topic_with_the_most_segments_is_split),
	    cmocka_unit_test(test_the_topics_of_the_service_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
