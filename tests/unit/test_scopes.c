/* Which words are scopes, and which rights they give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/scopes.h"

#define NO_SCOPE UINT32_MAX

static uint32_t
parse(const char *text)
{
	uint32_t bits = 0;

	return scopes_parse((struct span){text, strlen(text)}, &bits) == 0 ? bits : NO_SCOPE;
}

static void
test_each_scope_has_a_name_that_gives_it(void **state)
{
	for (int s = 0; s < SCOPES; s++)
		if (s != SCOPE_ANY)
			assert_int_equal(parse(scope_name(s)), SCOPE_BIT(s));
	assert_string_equal(scope_name(SCOPE_EVENTS_PUBLISH), "events.publish");
	assert_string_equal(scope_name(SCOPE_METRICS), "metrics");
	assert_string_equal(scope_name(SCOPE_ANY), "*");
}

static void
test_a_star_gives_everything_but_admin(void **state)
{
	uint32_t bits = parse("*");

	for (int s = 0; s < SCOPES; s++)
		assert_int_equal(scopes_allow(bits, s), s != SCOPE_ADMIN);
}

static void
test_a_word_can_give_several_scopes(void **state)
{
	static const struct {
		const char *text;
		uint32_t bits;
	} words[] = {
	    {"events:publish", SCOPE_BIT(SCOPE_EVENTS_PUBLISH)},
	    {"events.manage", SCOPE_BIT(SCOPE_EVENTS_PUBLISH) | SCOPE_BIT(SCOPE_EVENTS_READ)},
	    {"events.*", SCOPE_BIT(SCOPE_EVENTS_PUBLISH) | SCOPE_BIT(SCOPE_EVENTS_READ)},
	    {"events.write", SCOPE_BIT(SCOPE_EVENTS_PUBLISH)},
	    {"endpoints.write", SCOPE_BIT(SCOPE_ENDPOINTS_WRITE)},
	    {"deliveries.write", SCOPE_BIT(SCOPE_DELIVERIES_RETRY)},
	    {"dlq.write", SCOPE_BIT(SCOPE_DLQ_REPLAY)},
	    {"dlq:manage", SCOPE_BIT(SCOPE_DLQ_READ) | SCOPE_BIT(SCOPE_DLQ_REPLAY)},
	    {"replay.write", SCOPE_BIT(SCOPE_DELIVERIES_RETRY)},
	    {"stream.manage", SCOPE_BIT(SCOPE_STREAM_SUBSCRIBE)},
	    {"presence.read", 0},
	    {"uploads:write", 0},
	    {"billing.anything.at.all", 0},
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (parse(words[i].text) != words[i].bits)
			fail_msg("%s gives %x", words[i].text, parse(words[i].text));
}

static void
test_an_administrator_has_every_scope(void **state)
{
	uint32_t bits = parse("admin");

	assert_true(scopes_allow(bits, SCOPE_ADMIN));
	assert_true(scopes_allow(bits, SCOPE_ANY));
	assert_false(scopes_allow(bits, SCOPE_EVENTS_PUBLISH));
}

static void
test_other_words_are_refused(void **state)
{
	static const char *const words[] = {"", "*.", "*.read", ".", ":", "events", "events.", "events.delete",
	    "events.publish.", "Events.publish", "events.publish ", " events.publish", "stream.write", "metrics.manage",
	    "admin.manage", "admin.*", "replay.read", "presence", "presence.", "nobody.read", "**"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (parse(words[i]) != NO_SCOPE)
			fail_msg("\"%s\" gives %x", words[i], parse(words[i]));
}

static void
test_a_nul_or_a_long_word_is_no_scope(void **state)
{
	static char word[SCOPE_TEXT_MAX + 1] = "billing.";
	uint32_t bits = 5;

	memset(word + 8, 'x', sizeof word - 8);
	assert_int_equal(scopes_parse((struct span){word, sizeof word - 1}, &bits), 0);
	assert_true(scopes_parse((struct span){word, sizeof word}, &bits) < 0);
	assert_true(scopes_parse((struct span){"admin\0", 6}, &bits) < 0);
	assert_int_equal(bits, 5); /* the scopes before it stay */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_scope_has_a_name_that_gives_it),
	    cmocka_unit_test(test_a_star_gives_everything_but_admin),
	    cmocka_unit_test(test_a_word_can_give_several_scopes),
	    cmocka_unit_test(test_an_administrator_has_every_scope),
	    cmocka_unit_test(test_other_words_are_refused),
	    cmocka_unit_test(test_a_nul_or_a_long_word_is_no_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
