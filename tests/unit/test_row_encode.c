/*
 * The bytes for PostgreSQL, COPY rows and array parameters, compared with bytes written by hand from its documentation
 * of the binary formats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record_fixture.h"
#include "store/postgres/row_encode.h"

#define ID_BYTES "\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
#define NULL_BYTES "\xff\xff\xff\xff"

/* sizeof of a literal counts its NUL. */
#define assert_bytes(bytes, literal)                                                                                   \
	do {                                                                                                           \
		assert_int_equal((bytes)->len, sizeof(literal) - 1);                                                   \
		assert_memory_equal((bytes)->base, literal, sizeof(literal) - 1);                                      \
	} while (0)

static void
test_a_copy_has_its_header_and_trailer(void **state)
{
	struct bytes out = {0};

	row_copy_begin(&out);
	row_copy_end(&out);
	assert_bytes(&out, "PGCOPY\n\377\r\n\0"
			   "\0\0\0\0"
			   "\0\0\0\0"
			   "\xff\xff");
	bytes_free(&out);
}

static void
test_a_copy_row_has_every_column(void **state)
{
	/* One microsecond after the beginning of 2000-01-02; received one microsecond before 2000-01-01. */
	struct record *record = record_of(&(struct event){.id = 7,
	    .timestamp_us = 946771200000001,
	    .received_us = 946684799999999,
	    .client_event_id = "c-1",
	    .event_type = "tool",
	    .session_id = "",
	    .phase_id = "\xc3\xa9",
	    .data = "{\"n\":1.50}"});
	struct bytes out = {0};

	row_copy(&out, record, ROW_COLUMNS_OF_DEFAULT_TENANT);
	assert_bytes(&out, "\0\x0b"
			   "\0\0\0\x10" ID_BYTES "\x07"
			   "\0\0\0\x08\0\0\0\x14\x1d\xd7\x60\x01"
			   "\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff"
			   "\0\0\0\x04\0\0\0\x01"
			   "\0\0\0\x04"
			   "tool"
			   "\0\0\0\0"
			   "\0\0\0\x03"
			   "c-1" NULL_BYTES "\0\0\0\x02\xc3\xa9" NULL_BYTES "\0\0\0\x0b\x01"
			   "{\"n\":1.50}");
	free(record);
	bytes_free(&out);
}

/* The row's timestamp and created_date, read back from their fixed places in the row. */
static void
encode_time(int64_t us, int64_t *timestamp, int32_t *day)
{
	struct record *record = record_of(&(struct event){.timestamp_us = us, .event_type = "t", .session_id = "s"});
	struct bytes out = {0};
	uint64_t us_be;
	uint32_t day_be;

	row_copy(&out, record, ROW_COLUMNS_OF_DEFAULT_TENANT);
	memcpy(&us_be, out.base + 2 + 20 + 4, sizeof us_be);
	memcpy(&day_be, out.base + 2 + 20 + 12 + 12 + 4, sizeof day_be);
	*timestamp = (int64_t)be64toh(us_be);
	*day = (int32_t)be32toh(day_be);
	free(record);
	bytes_free(&out);
}

static void
test_timestamps_and_dates_are_those_of_postgres(void **state)
{
	/* The days are those of PostgreSQL's date - date '2000-01-01'. */
	static const struct {
		int64_t unix_us;
		int32_t day;
	} cases[] = {
	    {-62135596800000000, -730119}, /* 0001-01-01T00:00:00 */
	    {-62135596799999999, -730119}, /* a microsecond later */
	    {-62135510400000000, -730118}, /* 0001-01-02 */
	    {-86400000001, -10959}, /* 1969-12-30T23:59:59.999999 */
	    {-86400000000, -10958}, /* 1969-12-31T00:00:00 */
	    {-1, -10958}, /* 1969-12-31T23:59:59.999999 */
	    {0, -10957}, /* 1970-01-01 */
	    {86399999999, -10957}, /* 1970-01-01T23:59:59.999999 */
	    {946684799999999, -1}, /* 1999-12-31T23:59:59.999999 */
	    {946684800000000, 0}, /* 2000-01-01 */
	    {951782400000000, 59}, /* 2000-02-29 */
	    {951868800000000, 60}, /* 2000-03-01 */
	    {1709164800000000, 8825}, /* 2024-02-29 */
	    {253402300799999999, 2921939}, /* 9999-12-31T23:59:59.999999 */
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t timestamp;
		int32_t day;

		encode_time(cases[i].unix_us, &timestamp, &day);
		assert_int_equal(timestamp, cases[i].unix_us - 946684800000000);
		assert_int_equal(day, cases[i].day);
	}
}

/* The tenant comes after the other columns, and only in a batch with records of other tenants than the default one. */
static void
test_rows_of_tenants_have_a_tenant_column(void **state)
{
	struct record *of_default = record_of(&(struct event){.id = 1, .event_type = "t", .session_id = "s"});
	struct record *of_acme =
	    record_of(&(struct event){.id = 2, .event_type = "t", .session_id = "s", .tenant_id = "acme"});
	const struct record *const both[] = {of_default, of_acme};
	struct bytes without = {0}, with = {0};

	assert_int_equal(row_columns(both, 1), ROW_COLUMNS_OF_DEFAULT_TENANT);
	assert_int_equal(row_columns(both, 2), ROW_COLUMNS);
	row_copy(&without, of_default, ROW_COLUMNS_OF_DEFAULT_TENANT);
	row_copy(&with, of_default, ROW_COLUMNS);
	assert_int_equal(with.base[1], without.base[1] + 1);
	assert_memory_equal(with.base + 2, without.base + 2, without.len - 2);
	assert_int_equal(with.len, without.len + 11);
	assert_memory_equal(with.base + without.len,
	    "\0\0\0\x07"
	    "default",
	    11);
	row_array(&with, ROW_TENANT_ID, both, 2);
	assert_bytes(&with, "\0\0\0\x01\0\0\0\x01\0\0\0\x19\0\0\0\x02\0\0\0\x01" /* text */
			    "\0\0\0\x07"
			    "default"
			    "\0\0\0\x04"
			    "acme");
	assert_non_null(strstr(row_copy_sql(ROW_COLUMNS), ", data, tenant_id) FROM STDIN"));
	assert_non_null(strstr(row_copy_sql(ROW_COLUMNS_OF_DEFAULT_TENANT), ", data) FROM STDIN"));
	free(of_default);
	free(of_acme);
	bytes_free(&without);
	bytes_free(&with);
}

static void
test_arrays_have_the_binary_format(void **state)
{
	struct record *first = record_of(&(struct event){.id = 1, .event_type = "t", .session_id = "s"});
	struct record *second =
	    record_of(&(struct event){.id = 2, .event_type = "t", .session_id = "s", .workflow_id = "w"});
	const struct record *const both[] = {first, second};
	struct bytes out = {0};

	row_array(&out, ROW_EVENT_ID, both, 2);
	assert_bytes(&out, "\0\0\0\x01\0\0\0\x01\0\0\x0b\x86\0\0\0\x02\0\0\0\x01" /* uuid */
			   "\0\0\0\x10" ID_BYTES "\x01"
			   "\0\0\0\x10" ID_BYTES "\x02");
	row_array(&out, ROW_WORKFLOW_ID, both, 2);
	assert_bytes(&out, "\0\0\0\x01\0\0\0\x01\0\0\0\x19\0\0\0\x02\0\0\0\x01" /* text */
	    NULL_BYTES "\0\0\0\x01"
			   "w");
	row_array(&out, ROW_DATA, both + 1, 1);
	assert_bytes(&out, "\0\0\0\x01\0\0\0\x01\0\0\x0e\xda\0\0\0\x01\0\0\0\x01" /* jsonb */
			   "\0\0\0\x03\x01{}");
	free(first);
	free(second);
	bytes_free(&out);
}

/* Arrays have the same bytes as COPY rows, for every column. */
static void
test_arrays_have_the_values_of_rows(void **state)
{
	struct record *record = record_of(&(struct event){.id = 9,
	    .timestamp_us = 1,
	    .client_event_id = "a",
	    .event_type = "b",
	    .session_id = "c",
	    .workflow_id = "d",
	    .phase_id = "e",
	    .milestone_id = "f",
	    .data = "{\"k\":\"\\u0000\"}",
	    .flags = RECORD_UNSAFE_ESCAPES});
	const struct record *const one[] = {record};
	struct bytes row = {0}, array = {0};
	size_t at = 2;

	row_copy(&row, record, ROW_COLUMNS);
	for (unsigned column = 0; column < ROW_COLUMNS; column++) {
		row_array(&array, column, one, 1);
		assert_true(array.len - 20 <= row.len - at);
		assert_memory_equal(array.base + 20, row.base + at, array.len - 20);
		at += array.len - 20;
	}
	assert_int_equal(at, row.len);
	free(record);
	bytes_free(&row);
	bytes_free(&array);
}

/* Only flagged records are changed, and the record itself stays as it is. */
static void
test_escapes_that_jsonb_refuses_are_replaced(void **state)
{
	static const char data[] = "{\"k\":\"\\u0000\"}";

	for (uint8_t flags = 0; flags <= RECORD_UNSAFE_ESCAPES; flags++) {
		struct record *record =
		    record_of(&(struct event){.event_type = "t", .session_id = "s", .data = data, .flags = flags});
		struct bytes out = {0};

		row_copy(&out, record, ROW_COLUMNS_OF_DEFAULT_TENANT);
		assert_memory_equal(out.base + out.len - (sizeof data - 1),
		    flags == RECORD_UNSAFE_ESCAPES ? "{\"k\":\"\\ufffd\"}" : data, sizeof data - 1);
		assert_true(record_check(record, record->length));
		assert_memory_equal(record_data(record).base, data, sizeof data - 1);
		free(record);
		bytes_free(&out);
	}
}

static void
test_columns_are_found_by_name(void **state)
{
	static const char *const written[] = {"event_id", "timestamp", "received_at", "workflow_id", "data"};
	static const char *const others[] = {"tenant_id", "id", "event", "event_id, timestamp", "", "dat", "phase"};

	for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
		assert_true(row_has_column(written[i]));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(row_has_column(others[i]));
}

/* Names, types and numbers of parameters must agree. */
static void
test_an_insert_statement_names_every_column(void **state)
{
	struct bytes sql = {0};

	row_add_insert_sql(&sql, ROW_COLUMNS_OF_DEFAULT_TENANT, false);
	bytes_add(&sql, "", 1);
	assert_string_equal(sql.base,
	    "INSERT INTO hook_events (event_id, timestamp, received_at, created_date, event_type, session_id, "
	    "client_event_id, workflow_id, phase_id, milestone_id, data) SELECT * FROM unnest($1::uuid[], "
	    "$2::timestamptz[], $3::timestamptz[], $4::date[], $5::text[], $6::text[], $7::text[], $8::text[], "
	    "$9::text[], $10::text[], $11::jsonb[]) AS event (event_id, timestamp, received_at, created_date, "
	    "event_type, session_id, client_event_id, workflow_id, phase_id, milestone_id, data) ORDER BY event_id, "
	    "created_date ON CONFLICT (event_id, created_date) DO NOTHING RETURNING 1");
	bytes_free(&sql);
}

static void
test_an_insert_statement_that_logs_names_the_log(void **state)
{
	struct bytes sql = {0};

	row_add_insert_sql(&sql, ROW_COLUMNS, true);
	bytes_add(&sql, "", 1);
	assert_memory_equal(sql.base, "WITH stored AS (INSERT INTO hook_events (", 41);
	assert_non_null(strstr(sql.base,
	    " RETURNING event_id, created_date), logged AS (INSERT INTO hook_event_log (first_day, last_day, "
	    "event_ids) "
	    "SELECT min(created_date), max(created_date), array_agg(event_id) FROM stored HAVING count(*) > 0) "
	    "SELECT 1 FROM stored"));
	bytes_free(&sql);
}

static void
test_a_statement_that_logs_a_batch_names_the_log(void **state)
{
	struct record *records[] = {
	    record_of(&(struct event){.id = 7, .timestamp_us = 946771200000001, .event_type = "", .session_id = ""}),
	    record_of(&(struct event){.id = 8, .timestamp_us = 946684799999999, .event_type = "", .session_id = ""}),
	};
	struct bytes sql = {0};

	row_add_log_sql(&sql, (const struct record *const *)records, 2);
	bytes_add(&sql, "", 1);
	assert_memory_equal(sql.base,
	    "INSERT INTO hook_event_log (first_day, last_day, event_ids) VALUES ('1999-12-31', '2000-01-02', '{", 98);
	assert_non_null(strstr(sql.base, "07,"));
	assert_non_null(strstr(sql.base, "08}'); "));
	for (int i = 0; i < 2; i++)
		free(records[i]);
	bytes_free(&sql);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_columns_are_found_by_name),
	    cmocka_unit_test(test_an_insert_statement_names_every_column),
	    cmocka_unit_test(test_an_insert_statement_that_logs_names_the_log),
	    cmocka_unit_test(test_a_statement_that_logs_a_batch_names_the_log),
	    cmocka_unit_test(test_a_copy_has_its_header_and_trailer),
	    cmocka_unit_test(test_a_copy_row_has_every_column),
	    cmocka_unit_test(test_timestamps_and_dates_are_those_of_postgres),
	    cmocka_unit_test(test_rows_of_tenants_have_a_tenant_column),
	    cmocka_unit_test(test_arrays_have_the_binary_format),
	    cmocka_unit_test(test_arrays_have_the_values_of_rows),
	    cmocka_unit_test(test_escapes_that_jsonb_refuses_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
