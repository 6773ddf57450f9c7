/*
 * The stages of an event's way, each by itself. `stages STAGE BODY ROUNDS` decodes the file BODY, one event or an array
 * as the stage needs it, and runs the stage ROUNDS times on the result. check.py counts the instructions of counted().
 * The program prints its CPU time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event/record.h"
#include "ingest/decode.h"
#include "server/head.h"
#include "shm/key_writer.h"
#include "shm/lane.h"
#include "tests/unit/lane_fixture.h"
#include "store/jsonl/jsonl_line.h"
#include "store/postgres/row_encode.h"

static struct uuid_source ids;
static struct decode_env env = {
    .max_event_bytes = 1 << 20,
    .max_events = 10000,
    .now_us = 1700000000000000,
    .timestamp_us = 1700000000000000,
    .ids = &ids,
};
static struct decode_result result;
static char *body;
static size_t body_bytes;
static char *records;
static size_t records_bytes;
static struct lane lane;
static struct bytes rows;
static char *lines;

static void
decode(enum body_kind kind)
{
	REQUIRE(decode_body((struct span){body, body_bytes}, kind, &env, (struct decode_space){records, records_bytes},
		    &result) == DECODE_OK);
}

static void
decode_array(void)
{
	decode(BODY_ARRAY);
}

static void
decode_event(void)
{
	decode(BODY_EVENT);
}

/* The first step of a writer for each parcel. */
static void
check_records(void)
{
	for (size_t at = 0; at < result.bytes; at += ((const struct record *)(const void *)(records + at))->length)
		REQUIRE(record_check(records + at, result.bytes - at));
}

static void
make_lines(void)
{
	char *end = lines;

	for (size_t at = 0; at < result.bytes;) {
		const struct record *record = (const struct record *)(const void *)(records + at);

		end = jsonl_line(end, record);
		at += record->length;
	}
}

static void
make_rows(void)
{
	rows.len = 0;
	for (size_t at = 0; at < result.bytes;) {
		const struct record *record = (const struct record *)(const void *)(records + at);

		row_copy(&rows, record, ROW_COLUMNS_OF_DEFAULT_TENANT);
		at += record->length;
	}
}

/* Eight headers, as a browser or a library sends them. */
static void
read_head(void)
{
	static const char text[] = "POST /events HTTP/1.1\r\n"
				   "Host: hooks.example.com:8080\r\n"
				   "User-Agent: python-requests/2.32.3\r\n"
				   "Accept-Encoding: gzip, deflate\r\n"
				   "Accept: */*\r\n"
				   "Connection: keep-alive\r\n"
				   "Content-Type: application/json\r\n"
				   "Content-Length: 470\r\n"
				   "Idempotency-Key: 0191f0b2-9c0e-7d3f-8f55-6a2f0c7f9a01\r\n"
				   "\r\n";
	struct head head = {0};

	REQUIRE(head_read(&head, text, sizeof text - 1) == HEAD_WHOLE);
}

/* One parcel each, however many events it has: the cost of a lane is per request. */
static void
pass_lane(void)
{
	size_t available;
	struct parcel parcel;
	uint32_t position;

	REQUIRE(lane_reserve(&lane, &available) != NULL && available >= result.bytes);
	position = lane_publish(&lane, result.bytes, result.events, 0);
	REQUIRE(lane_peek(&lane, position - 1, &parcel) && parcel.length == result.bytes);
	lane_release(&lane, position);
}

#define KEY_BYTES 51 /* hl_live_ and 43 digits of base 62 */

static void
key_text(uint32_t number, char text[KEY_BYTES + 1])
{
	(void)snprintf(text, KEY_BYTES + 1, "hl_live_%043u", number);
}

static void
fill_key_table(struct key_table *table)
{
	struct key_writer *writer = key_writer_open(table, NULL);
	struct api_key key = {.expires_ms = KEY_NEVER, .tenant_id = "default"};
	char text[KEY_BYTES + 1];

	for (uint32_t number = 0; number < KEY_TABLE_STORED; number++) {
		key_text(number, text);
		crypto_sha256((struct span){text, KEY_BYTES}, key.hash);
		REQUIRE(key_writer_put(writer, &key) == KEY_PUT);
	}
	(void)key_writer_commit(writer);
	key_writer_close(writer);
}

/*
 * Looks up another key each time, among as many keys as the table holds, so that no cache has the key's place. Includes
 * the digest.
 */
static void
look_up_key(void)
{
	static struct key_table *table;
	static uint32_t number;
	char text[KEY_BYTES + 1];
	uint8_t hash[SHA256_BYTES];
	struct api_key key;

	if (table == NULL) {
		table = aligned_alloc(128, (sizeof *table + 127) / 128 * 128);
		REQUIRE(table != NULL);
		memset(table, 0, sizeof *table);
		fill_key_table(table);
	}
	number = (number + 61803) % KEY_TABLE_STORED;
	key_text(number, text);
	crypto_sha256((struct span){text, KEY_BYTES}, hash);
	REQUIRE(key_table_find(table, hash, &key) == 0);
}

static const struct stage {
	const char *name;
	enum body_kind kind;
	void (*run)(void);
} stages[] = {
    {"decode_batch", BODY_ARRAY, decode_array},
    {"decode_single", BODY_EVENT, decode_event},
    {"head", BODY_EVENT, read_head},
    {"key", BODY_EVENT, look_up_key},
    {"lane", BODY_EVENT, pass_lane},
    {"record_check", BODY_ARRAY, check_records},
    {"jsonl_line", BODY_ARRAY, make_lines},
    {"copy_row", BODY_ARRAY, make_rows},
};

#define STAGES (sizeof stages / sizeof stages[0])

static void
read_body(const char *path)
{
	FILE *file = fopen(path, "rb");
	long size;

	REQUIRE(file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) > 0);
	rewind(file);
	body_bytes = (size_t)size;
	body = malloc(body_bytes);
	REQUIRE(body != NULL && fread(body, 1, body_bytes, file) == body_bytes);
	(void)fclose(file);
}

static void
prepare(enum body_kind kind)
{
	uuid_source_init(&ids);
	records_bytes = 2 * body_bytes;
	records = aligned_alloc(64, (records_bytes + 63) / 64 * 64);
	REQUIRE(records != NULL);
	decode(kind);
	lines = malloc(8 * body_bytes + result.events * 512);
	REQUIRE(lines != NULL);
	lane = lane_over_memory(256, 1 << 20, 0, 0);
}

/* Calls the stage and nothing else. */
static __attribute__((noinline)) void
counted(const struct stage *stage, unsigned long rounds)
{
	for (unsigned long i = 0; i < rounds; i++)
		stage->run();
}

static double
cpu_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	unsigned long rounds = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

	for (size_t i = 0; rounds > 0 && i < STAGES; i++) {
		double seconds, events;

		if (strcmp(stages[i].name, argv[1]) != 0)
			continue;
		read_body(argv[2]);
		prepare(stages[i].kind);
		stages[i].run(); /* the first run lets buffers grow and maps pages */
		seconds = cpu_seconds();
		counted(&stages[i], rounds);
		seconds = cpu_seconds() - seconds;
		events = (double)rounds * result.events;
		printf("events=%.0f ns_per_event=%.1f compiler=%s\n", events, seconds * 1e9 / events, __VERSION__);
		return 0;
	}
	(void)fprintf(stderr, "usage: stages STAGE BODY ROUNDS\n");
	return 2;
}
