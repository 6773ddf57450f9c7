/* Frames between acceptors and control: a written frame is read back, and other bytes are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "api/frame.h"

#define TEXT(literal) ((struct span){literal, sizeof(literal) - 1})

static void
assert_text(struct span text, const char *expected)
{
	assert_int_equal(text.len, strlen(expected));
	assert_string_equal(text.base, expected); /* a NUL follows the text */
}

static struct frame_request
some_request(void)
{
	return (struct frame_request){
	    .operation = OPERATION_TENANT_KEY_REVOKE,
	    .params = {TEXT("t1"), TEXT("k1")},
	    .query = TEXT("limit=5&cursor=abc"),
	    .if_match = TEXT("\"7\""),
	    .last_event_id = TEXT("c2E"),
	    .base_url = TEXT("https://hooks.example"),
	    .caller = {.tenant_id = TEXT("default"),
		.key_id = TEXT("id"),
		.key_name = TEXT(""),
		.scopes = 0x2001,
		.is_start_key = true},
	};
}

static void
test_a_frame_is_read_as_it_was_written(void **state)
{
	for (int kind = 0; kind < FRAME_KINDS; kind++) {
		const struct frame sent = {.kind = kind,
		    .end = kind % 2 == 0,
		    .sender = 7,
		    .receiver = UINT32_MAX,
		    .request = 12345,
		    .payload = TEXT("payload")};
		struct bytes out = {0};
		struct frame got;

		frame_write(&out, &sent);
		assert_int_equal(out.len, FRAME_HEAD_BYTES + 7);
		assert_true(frame_read((struct span){out.base, out.len}, &got));
		assert_int_equal(got.kind, kind);
		assert_int_equal(got.end, sent.end);
		assert_int_equal(got.sender, 7);
		assert_int_equal(got.receiver, UINT32_MAX);
		assert_int_equal(got.request, 12345);
		assert_int_equal(got.payload.len, 7);
		assert_memory_equal(got.payload.base, "payload", 7);
		bytes_free(&out);
	}
}

static void
test_a_frame_that_is_cut_or_unknown_or_too_long_is_refused(void **state)
{
	static char bytes[FRAME_BYTES_MAX + 1];
	struct frame frame;

	for (size_t len = 0; len < FRAME_HEAD_BYTES; len++)
		assert_false(frame_read((struct span){bytes, len}, &frame));
	assert_true(frame_read((struct span){bytes, FRAME_HEAD_BYTES}, &frame));
	assert_true(frame_read((struct span){bytes, FRAME_BYTES_MAX}, &frame));
	assert_false(frame_read((struct span){bytes, FRAME_BYTES_MAX + 1}, &frame));
	bytes[0] = FRAME_KINDS;
	assert_false(frame_read((struct span){bytes, FRAME_HEAD_BYTES}, &frame));
	bytes[0] = FRAME_BODY;
	for (int i = 1; i < 4; i++) {
		bytes[i] = 2;
		assert_false(frame_read((struct span){bytes, FRAME_HEAD_BYTES}, &frame));
		bytes[i] = 0;
	}
}

static void
test_a_request_keeps_its_texts_and_leaves_the_others_null(void **state)
{
	const struct frame_request sent = some_request();
	struct frame_request got = {0};
	struct bytes out = {0};

	assert_true(frame_write_request(&out, &sent));
	assert_true(frame_read_request((struct span){out.base, out.len}, &got));
	assert_int_equal(got.operation, OPERATION_TENANT_KEY_REVOKE);
	assert_text(got.params[0], "t1");
	assert_text(got.params[1], "k1");
	assert_text(got.query, "limit=5&cursor=abc");
	assert_text(got.if_match, "\"7\"");
	assert_null(got.idempotency_key.base);
	assert_text(got.last_event_id, "c2E");
	assert_text(got.base_url, "https://hooks.example");
	assert_text(got.caller.tenant_id, "default");
	assert_text(got.caller.key_id, "id");
	assert_text(got.caller.key_name, "");
	assert_int_equal(got.caller.scopes, 0x2001);
	assert_true(got.caller.is_start_key);
	bytes_free(&out);
}

static void
test_a_request_that_is_damaged_is_refused(void **state)
{
	const struct frame_request sent = some_request();
	struct frame_request got;
	struct bytes out = {0};

	assert_true(frame_write_request(&out, &sent));
	for (size_t len = 0; len < out.len; len++)
		assert_false(frame_read_request((struct span){out.base, len}, &got));
	bytes_add(&out, "", 1); /* one byte more */
	assert_false(frame_read_request((struct span){out.base, out.len}, &got));
	out.len--;

	out.base[0] = (char)API_OPERATIONS;
	assert_false(frame_read_request((struct span){out.base, out.len}, &got));
	out.base[0] = 0;
	assert_true(frame_read_request((struct span){out.base, out.len}, &got));
	memcpy(out.base + 12, &(uint32_t){UINT32_MAX - 1}, 4); /* the length of the first text */
	assert_false(frame_read_request((struct span){out.base, out.len}, &got));
	memcpy(out.base + 12, &(uint32_t){2}, 4);
	out.base[16] = '\0'; /* a byte inside the first text */
	assert_false(frame_read_request((struct span){out.base, out.len}, &got));
	bytes_free(&out);
}

static void
test_a_request_that_does_not_fit_is_refused_by_its_sender(void **state)
{
	static char query[FRAME_BYTES_MAX];
	struct frame_request sent = {.operation = OPERATION_TENANT_LIST, .query = {query, 1000}}, got;
	struct bytes out = {0};
	size_t most;

	memset(query, 'q', sizeof query);
	while (frame_write_request(&out, &sent)) {
		sent.query.len += 100;
		out.len = 0;
	}
	assert_int_equal(out.len, 0);
	most = sent.query.len;
	assert_in_range(most, FRAME_BYTES_MAX - 300, FRAME_BYTES_MAX);
	sent.query.len -= 100;
	assert_true(frame_write_request(&out, &sent));
	assert_true(frame_read_request((struct span){out.base, out.len}, &got));
	assert_int_equal(got.query.len, sent.query.len);
	bytes_free(&out);
}

static void
test_a_reply_and_a_credit_are_read_as_they_were_written(void **state)
{
	const struct frame_reply sent = {
	    .status = 200, .length = UINT64_C(1) << 40, .retry_after_seconds = 3, .etag = TEXT("\"12\"")};
	struct frame_reply got;
	struct bytes out = {0};
	uint32_t credit;

	frame_write_reply(&out, &sent);
	assert_true(frame_read_reply((struct span){out.base, out.len}, &got));
	assert_int_equal(got.status, 200);
	assert_int_equal(got.length, UINT64_C(1) << 40);
	assert_int_equal(got.retry_after_seconds, 3);
	assert_text(got.etag, "\"12\"");
	for (size_t len = 0; len < out.len; len++)
		assert_false(frame_read_reply((struct span){out.base, len}, &got));
	for (uint32_t status = 0; status < 2000; status++) {
		memcpy(out.base, &status, sizeof status);
		assert_int_equal(
		    frame_read_reply((struct span){out.base, out.len}, &got), status >= 200 && status <= 599);
	}

	out.len = 0;
	frame_write_credit(&out, 65536);
	assert_true(frame_read_credit((struct span){out.base, out.len}, &credit));
	assert_int_equal(credit, 65536);
	assert_false(frame_read_credit((struct span){out.base, out.len - 1}, &credit));
	bytes_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_frame_is_read_as_it_was_written),
	    cmocka_unit_test(test_a_frame_that_is_cut_or_unknown_or_too_long_is_refused),
	    cmocka_unit_test(test_a_request_keeps_its_texts_and_leaves_the_others_null),
	    cmocka_unit_test(test_a_request_that_is_damaged_is_refused),
	    cmocka_unit_test(test_a_request_that_does_not_fit_is_refused_by_its_sender),
	    cmocka_unit_test(test_a_reply_and_a_credit_are_read_as_they_were_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
