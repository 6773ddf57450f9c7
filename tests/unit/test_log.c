/* Log lines as they reach stderr: a pipe in packet mode shows each write(2) by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES 4096
#define STAMP "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

static int captured[2]; /* pipe */
static int real_stderr;
static char line[LINE_MAX_BYTES * 2];

static void
begin_capture(void)
{
	assert_int_equal(pipe2(captured, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
	real_stderr = dup(STDERR_FILENO);
	assert_true(dup2(captured[1], STDERR_FILENO) >= 0);
}

static void
end_capture(void)
{
	(void)dup2(real_stderr, STDERR_FILENO);
	(void)close(real_stderr);
	(void)close(captured[1]);
}

/* Reads the bytes of one write into line. "": there was none. */
static size_t
next_packet(void)
{
	ssize_t len = read(captured[0], line, sizeof line - 1);

	line[len > 0 ? len : 0] = '\0';
	return len > 0 ? (size_t)len : 0;
}

/* Puts into line what one call of log_write() writes, without the newline. */
static void
write_line(enum log_format format, const char *message, const struct log_field *fields, size_t count)
{
	begin_capture();
	log_init("tester-3", LOG_INFO, format);
	log_write(LOG_INFO, message, fields, count);
	end_capture();

	size_t len = next_packet();
	assert_in_range(len, 2, LINE_MAX_BYTES);
	assert_int_equal(line[len - 1], '\n');
	line[len - 1] = '\0';
	assert_null(strchr(line, '\n'));
	for (size_t at = 0; at < len - 1;) {
		size_t step = utf8_length(line + at, len - 1 - at);
		assert_in_range(step, 1, 4);
		at += step;
	}
	static char good[sizeof line];
	memcpy(good, line, sizeof line);
	assert_int_equal(next_packet(), 0); /* there was one write */
	memcpy(line, good, sizeof line);
	(void)close(captured[0]);
}

static void
assert_matches(const char *text, const char *pattern)
{
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	int result = regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	if (result != 0)
		fail_msg("%s\ndoes not match %s", text, pattern);
}

/* The text line from the message on. */
static const char *
after_head(const char *message)
{
	const char *at = strstr(line, message);

	assert_non_null(at);
	return at;
}

static void
test_a_text_line_has_time_level_process_message_and_fields(void **state)
{
	char pattern[256];
	const struct log_field fields[] = {LOG_STR("host", "0.0.0.0"), LOG_INT("port", 8080)};

	write_line(LOG_TEXT, "listening", fields, 2);
	(void)snprintf(pattern, sizeof pattern, STAMP " info tester-3\\[%d\\] listening host=0\\.0\\.0\\.0 port=8080$",
	    (int)getpid());
	assert_matches(line, pattern);
}

struct value_case {
	const char *value;
	const char *text;
};

static const struct value_case values[] = {
    {"plain", "plain"},
    {"/a/b:c,d;e[f]{g}", "/a/b:c,d;e[f]{g}"},
    {"caf\xc3\xa9", "caf\xc3\xa9"},
    {"", "\"\""},
    {"two words", "\"two words\""},
    {"a=b", "\"a=b\""},
    {"say \"hi\"", "\"say \\\"hi\\\"\""},
    {"back\\slash", "\"back\\\\slash\""},
    {"one\ntwo\r\t", "\"one\\ntwo\\r\\t\""},
    {"esc\x1b[31m", "\"esc\\u001b[31m\""},
    {"del\x7f", "\"del\\u007f\""},
    {"next\xc2\x85line", "\"next\\u0085line\""},
    {"\xc2\xa0", "\xc2\xa0"},
    {"bad\xff\xc3(", "bad\xef\xbf\xbd\xef\xbf\xbd("},
    {"cut\xe2\x82", "cut\xef\xbf\xbd\xef\xbf\xbd"},
    {NULL, "null"},
};

static void
test_values_are_quoted_in_text(void **state)
{
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		const struct log_field field = LOG_STR("v", values[i].value);

		write_line(LOG_TEXT, "message", &field, 1);
		assert_string_equal(after_head("message v=") + strlen("message v="), values[i].text);
	}
}

static void
test_numbers_are_written_whole(void **state)
{
	const struct log_field fields[] = {LOG_INT("least", INT64_MIN), LOG_INT("most", INT64_MAX),
	    LOG_UINT("widest", UINT64_MAX), LOG_UINT("zero", 0)};

	write_line(LOG_TEXT, "n", fields, 4);
	assert_string_equal(after_head("n least"),
	    "n least=-9223372036854775808 most=9223372036854775807 widest=18446744073709551615 zero=0");
	write_line(LOG_JSON, "n", fields, 4);
	assert_non_null(strstr(line, ",\"least\":-9223372036854775808,\"most\":9223372036854775807,"
				     "\"widest\":18446744073709551615,\"zero\":0}"));
}

static cJSON *
parse_line(void)
{
	cJSON *object = cJSON_ParseWithOpts(line, NULL, true);

	if (object == NULL)
		fail_msg("not JSON: %s", line);
	return object;
}

static const char *
string_of(const cJSON *object, const char *key)
{
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	assert_non_null(value);
	return value;
}

static void
test_a_json_line_is_one_object(void **state)
{
	const struct log_field fields[] = {LOG_STR("host", "::"), LOG_INT("pid", 7), LOG_STR("none", NULL)};

	write_line(LOG_JSON, "it is \"up\"", fields, 3);
	cJSON *object = parse_line();
	assert_matches(string_of(object, "time"), STAMP "$");
	assert_string_equal(string_of(object, "level"), "info");
	assert_string_equal(string_of(object, "role"), "tester-3");
	assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(object, "pid")), getpid());
	assert_string_equal(string_of(object, "message"), "it is \"up\"");
	assert_string_equal(string_of(object, "host"), "::");
	assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(object, "pid_")), 7);
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(object, "none")));
	assert_int_equal(cJSON_GetArraySize(object), 8);
	cJSON_Delete(object);
}

static void
test_values_are_valid_json(void **state)
{
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		const struct log_field field = LOG_STR("v", values[i].value);

		write_line(LOG_JSON, "message", &field, 1);
		cJSON *object = parse_line();
		if (values[i].value == NULL) {
			assert_true(cJSON_IsNull(cJSON_GetObjectItem(object, "v")));
		} else if (utf8_length(values[i].value, strlen(values[i].value)) != 0 &&
			   strstr(values[i].text, "\xbd") == NULL) {

			assert_string_equal(string_of(object, "v"), values[i].value);
		}
		cJSON_Delete(object);
	}
}

/* Long values of every kind of character: the mark of a cut is there, and a part of the value is before it. */
static void
test_long_values_are_cut(void **state)
{
	static const char *const units[] = {
	    "x", "\n", "\x01", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"", "\xff"};
	static const enum log_format formats[] = {LOG_TEXT, LOG_JSON};

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		for (size_t shift = 0; shift < 8; shift++) {
			char value[9000] = "";
			size_t len = shift;

			memset(value, 'a', shift);
			while (len + strlen(units[i]) < sizeof value) {
				memcpy(value + len, units[i], strlen(units[i]));
				len += strlen(units[i]);
			}
			const struct log_field fields[] = {LOG_STR("long", value), LOG_STR("after", "still here")};

			for (size_t f = 0; f < 2; f++) {
				write_line(formats[f], "message", fields, 2);
				assert_in_range(strlen(line), 1000, 1300);
				assert_non_null(strstr(line, "..."));
				assert_non_null(strstr(line, "still here"));
				if (formats[f] == LOG_JSON)
					cJSON_Delete(parse_line());
			}
		}
	}
}

static void
test_a_value_that_just_fits_is_whole(void **state)
{
	char value[1200];
	bool seen_whole = false, seen_cut = false;

	for (size_t len = 1000; len < 1100; len++) {
		memset(value, 'x', len);
		value[len] = '\0';
		const struct log_field field = LOG_STR("v", value);

		write_line(LOG_TEXT, "message", &field, 1);
		const char *shown = after_head("message v=") + strlen("message v=");
		bool cut = strstr(shown, "...") != NULL;
		if (!cut)
			assert_string_equal(shown, value);
		assert_false(seen_cut && !cut);
		seen_cut = seen_cut || cut;
		seen_whole = seen_whole || !cut;
	}
	assert_true(seen_whole && seen_cut);
}

/* With more fields than a line holds the last ones are left out whole, and the line says so. */
static void
test_fields_that_do_not_fit_are_left_out_whole(void **state)
{
	enum { COUNT = 500 };
	struct log_field fields[COUNT];

	for (size_t width = 0; width < 40; width++) {
		char value[64];

		memset(value, 'v', width);
		value[width] = '\0';
		for (size_t i = 0; i < COUNT; i++)
			fields[i] = (struct log_field)LOG_STR("some_key", value);
		write_line(LOG_TEXT, "message", fields, COUNT);
		assert_in_range(strlen(line), LINE_MAX_BYTES - 120, LINE_MAX_BYTES - 1);
		assert_matches(line, " \\.\\.\\.$");

		write_line(LOG_JSON, "message", fields, COUNT);
		assert_in_range(strlen(line), LINE_MAX_BYTES - 120, LINE_MAX_BYTES - 1);
		cJSON *object = parse_line();
		assert_true(cJSON_IsTrue(cJSON_GetObjectItem(object, "fields_left_out")));
		cJSON_Delete(object);
	}
}

static void
test_a_long_message_and_role_are_cut(void **state)
{
	char message[6000];

	memset(message, 'm', sizeof message - 1);
	message[sizeof message - 1] = '\0';
	begin_capture();
	log_init("a-role-that-is-much-longer-than-thirty-one-bytes", LOG_INFO, LOG_TEXT);
	log_write(LOG_INFO, message, NULL, 0);
	end_capture();
	assert_in_range(next_packet(), 1000, 1300);
	assert_non_null(strstr(line, " a-role-that-is-much-longer-than["));
	(void)close(captured[0]);

	write_line(LOG_JSON, message, NULL, 0);
	cJSON_Delete(parse_line());
	write_line(LOG_TEXT, "broken\nin two", NULL, 0);
	assert_non_null(strstr(line, "broken\\nin two"));
}

static void
test_lines_below_the_level_are_left_out(void **state)
{
	static const char *const names[] = {" debug ", " info ", " warning ", " error "};

	for (enum log_level least = LOG_DEBUG; least <= LOG_ERROR; least++) {
		begin_capture();
		log_init("tester", least, LOG_TEXT);
		log_debug("a");
		log_info("b", LOG_INT("n", 1));
		log_warning("c");
		log_error("d", LOG_INT("n", 1), LOG_STR("s", "t"));
		end_capture();
		for (enum log_level level = least; level <= LOG_ERROR; level++) {
			assert_true(next_packet() > 0);
			assert_non_null(strstr(line, names[level]));
		}
		assert_int_equal(next_packet(), 0);
		(void)close(captured[0]);
	}
}

static void
test_errno_is_kept(void **state)
{
	log_init("tester", LOG_INFO, LOG_TEXT);
	begin_capture();
	errno = ENOTTY;
	log_info("fine");
	int after_fine = errno;
	while (write(STDERR_FILENO, line, 1) == 1) /* until the pipe is full */
		;
	errno = ENOTTY;
	log_info("nobody reads");
	int after_full = errno;
	(void)close(captured[0]);
	errno = ENOTTY;
	log_info("nobody is there");
	int after_closed = errno;
	end_capture();

	assert_int_equal(after_fine, ENOTTY);
	assert_int_equal(after_full, ENOTTY);
	assert_int_equal(after_closed, ENOTTY);
}

/* Writes with JOURNAL_STREAM as the journal sets it: the name of this stream, or of another one. */
static void
write_to_stream(ino_t other, enum log_level level)
{
	struct stat st;
	char stream[64];

	begin_capture();
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)(st.st_ino + other));
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_init("tester", LOG_DEBUG, LOG_TEXT);
	LOG_AT(level, "told");
	end_capture();
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	(void)next_packet();
	(void)close(captured[0]);
}

static void
test_the_journal_gets_the_level(void **state)
{
	const struct {
		enum log_level level;
		const char *begins;
	} levels[] = {{LOG_DEBUG, "<7>2"}, {LOG_INFO, "<6>2"}, {LOG_WARNING, "<4>2"}, {LOG_ERROR, "<3>2"}};

	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		write_to_stream(0, levels[i].level);
		line[4] = '\0';
		assert_string_equal(line, levels[i].begins);
	}
}

static void
test_a_redirected_stderr_is_not_the_journal(void **state)
{
	write_to_stream(1, LOG_INFO);
	assert_matches(line, STAMP " info ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_text_line_has_time_level_process_message_and_fields),
	    cmocka_unit_test(test_values_are_quoted_in_text),
	    cmocka_unit_test(test_numbers_are_written_whole),
	    cmocka_unit_test(test_a_json_line_is_one_object),
	    cmocka_unit_test(test_values_are_valid_json),
	    cmocka_unit_test(test_long_values_are_cut),
	    cmocka_unit_test(test_a_value_that_just_fits_is_whole),
	    cmocka_unit_test(test_fields_that_do_not_fit_are_left_out_whole),
	    cmocka_unit_test(test_a_long_message_and_role_are_cut),
	    cmocka_unit_test(test_lines_below_the_level_are_left_out),
	    cmocka_unit_test(test_errno_is_kept),
	    cmocka_unit_test(test_the_journal_gets_the_level),
	    cmocka_unit_test(test_a_redirected_stderr_is_not_the_journal),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as hooksd does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
