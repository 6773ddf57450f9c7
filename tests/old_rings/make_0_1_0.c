/*
 * Leaves the files of hooksd 0.1.0 as a kill at a certain instruction leaves them: `make_0_1_0 STATE DIRECTORY`.
 * 0.1.0's own functions write them: tests/old_rings/make compiles this against the libraries of that version, never
 * against those of this tree. There are two acceptors and two writers. Events are numbered from 1, in their id and as
 * {"n": NUMBER}.
 *
 * state.json in the directory has what must become of each event. A state ends with _exit(), which is the kill.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/segment.h"
#include "tests/unit/record_fixture.h"
#include "writer/intake.h"
#include "writer/sink.h"
#include "writer/sink_jsonl.h"
#include "writer/spool.h"

#define RING_BYTES ((uint64_t)128 << 10)
#define WRITERS 2

static struct config config = {.storage = STORAGE_JSONL, .acceptors = 2, .writers = WRITERS, .ring_bytes = RING_BYTES};
static struct segment segment;
static struct lane lanes[2][WRITERS]; /* by acceptor and writer */

static struct writer {
	uint32_t index;
	struct process_slot *slot;
	struct intake intake;
	struct sink *sink;
	struct spool spool;
} writers[WRITERS];

/* What happened to event n, for state.json. */
enum outcome { UNUSED, ACKNOWLEDGED, DISCARDED };
static enum outcome outcomes[256];
static int numbers;
static const char *unfinished; /* the file with an open append, the writer, and the ledger's entry */
static int unfinished_writer, unfinished_entry;

#define MUST(call)                                                                                                     \
	do {                                                                                                           \
		struct error err = {""};                                                                               \
		if ((call) != 0) {                                                                                     \
			(void)fprintf(stderr, "%s: %s\n", #call, err.text);                                            \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

/* ---- the acceptors' part ---- */

/* Publishes one parcel of events. The text makes their data longer. */
static void
publish(uint32_t acceptor, uint32_t writer, uint32_t events, uint32_t flags, const char *text, enum outcome outcome)
{
	const struct lane *lane = &lanes[acceptor][writer];
	size_t room, used = 0;
	char *out = lane_reserve(lane, &room), data[2048];

	for (uint32_t i = 0; i < events; i++) {
		int n = ++numbers;

		assert(n < 256);
		outcomes[n] = outcome;
		(void)snprintf(data, sizeof data, "{\"n\": %d%s}", n, text);
		struct event event = {.id = (uint8_t)n,
		    .timestamp_us = 1795000000000000 + n,
		    .received_us = 1795000001000000 + n,
		    .client_event_id = n % 2 ? NULL : "client",
		    .event_type = "OldRing",
		    .session_id = "session-of-0.1.0",
		    .workflow_id = n % 3 ? NULL : "w",
		    .data = data};
		struct record *record = record_of(&event);

		assert(used + record->length <= room);
		memcpy(out + used, record, record->length);
		used += record->length;
		free(record);
	}
	(void)lane_publish(lane, used, events, flags);
}

/* Publishes one parcel in each lane, in some lanes one of two events. */
static void
publish_everywhere(void)
{
	for (uint32_t a = 0; a < 2; a++)
		for (uint32_t w = 0; w < WRITERS; w++)
			publish(a, w, 1 + (a + w) % 2, 0, "", ACKNOWLEDGED);
}

/* ---- the writers' part, as in writer/writer.c of 0.1.0 ---- */

static void
start_writer(struct writer *w, uint32_t index)
{
	bool found;

	w->index = index;
	w->slot = segment_writer(&segment, index);
	segment_append_lock(&segment);
	ledger_take_over(&segment, index);
	segment_append_unlock(&segment);
	MUST(intake_open(&w->intake, &segment, index, &err));
	w->sink = sink_jsonl_new(&config, &segment, w->slot);
	MUST(w->sink->ops->open(w->sink, &err));
	MUST(spool_open(&w->spool, config.data_dir, index, WRITERS, 64 << 20, w->slot, &found, &err));
}

static void
append_to_store(struct writer *w, struct sink_result *result)
{
	assert(intake_gather(&w->intake));
	MUST(w->sink->ops->store(w->sink, w->intake.records, w->intake.count, result, &err));
}

static void
commit(struct writer *w, const struct sink_result *result, enum fate fate)
{
	struct ledger_page *draft = ledger_draft(&w->slot->ledger);

	draft->counters[COUNTER_STORED] += result->stored;
	if (fate == FATE_SPOOLED) {
		draft->counters[COUNTER_SPOOLED] += w->intake.count;
		draft->spool_events += w->intake.count;
	}
	intake_settle(&w->intake, draft, fate);
	ledger_commit(&w->slot->ledger);
}

static void
store_all(struct writer *w)
{
	struct sink_result result;

	append_to_store(w, &result);
	commit(w, &result, FATE_STORED);
	ledger_settle(&segment, w->index);
	w->sink->ops->settled(w->sink);
}

static void
append_to_spool(struct writer *w)
{
	assert(intake_gather(&w->intake));
	MUST(spool_append(&w->spool, w->intake.records, w->intake.count, &err));
}

static void
spool_all(struct writer *w)
{
	append_to_spool(w);
	commit(w, &(struct sink_result){0}, FATE_SPOOLED);
	ledger_settle(&segment, w->index);
	spool_appended(&w->spool);
}

static void
refuse_all(struct writer *w)
{
	(void)intake_refuse(&w->intake, ledger_draft(&w->slot->ledger));
	ledger_commit(&w->slot->ledger);
}

/* Cuts that many bytes off the end of the file, as a kill within write() would. */
static void
tear(const char *path, off_t bytes)
{
	struct stat st;

	assert(stat(path, &st) == 0 && truncate(path, st.st_size - bytes) == 0);
}

static void
leave_open(const char *path, int writer, int entry)
{
	unfinished = path;
	unfinished_writer = writer;
	unfinished_entry = entry;
}

/* ---- the states ---- */

static void
idle(void)
{
	publish_everywhere();
	store_all(&writers[0]);
	store_all(&writers[1]);
}

/* The first lane has gone around its arena, and a waiting parcel of it is split by the arena's end. */
static void
waiting(void)
{
	char text[1100] = ", \"text\": \"";
	uint64_t end;

	memset(text + strlen(text), 'x', 1024);
	strcat(text, "\"");
	do {
		publish(0, 0, 1, 0, text, ACKNOWLEDGED);
		store_all(&writers[0]);
		end = lanes[0][0].slots[(lanes[0][0].control->ring.p_tail - 1) & 63].end;
	} while (end % lanes[0][0].arena_bytes + 1500 < lanes[0][0].arena_bytes);
	publish(0, 0, 3, 0, text, ACKNOWLEDGED);
	publish_everywhere();
	publish_everywhere();
}

static void
page_turned(void)
{
	struct sink_result result;

	idle();
	publish_everywhere();
	append_to_store(&writers[0], &result);
	commit(&writers[0], &result, FATE_STORED);
	publish_everywhere();
}

static void
spooled_page(void)
{
	idle();
	publish_everywhere();
	spool_all(&writers[1]);
	publish_everywhere();
	append_to_spool(&writers[1]);
	commit(&writers[1], &(struct sink_result){0}, FATE_SPOOLED);
	publish_everywhere();
}

static void
spool_append_open(void)
{
	idle();
	publish_everywhere();
	spool_all(&writers[0]);
	publish_everywhere();
	append_to_spool(&writers[0]);
	leave_open("data/spool/spool-00-000000000001.bin", 0, APPEND_SPOOL);
}

static void
spool_append_torn(void)
{
	spool_append_open();
	tear(unfinished, 40);
}

static void
jsonl_append_open(void)
{
	struct sink_result result;

	idle();
	publish_everywhere();
	append_to_store(&writers[1], &result);
	leave_open("events.jsonl", 1, APPEND_JSONL);
}

static void
jsonl_append_torn(void)
{
	jsonl_append_open();
	tear(unfinished, 25);
}

/* A successor has kept the append open over commits of its own, and was killed before it could cut the append off. */
static void
append_broken(void)
{
	struct writer successor = {0};

	jsonl_append_open();
	segment_append_unlock(&segment);
	segment_append_lock(&segment);
	ledger_take_over(&segment, 1);
	segment_append_unlock(&segment);
	successor.slot = writers[1].slot;
	MUST(intake_open(&successor.intake, &segment, 1, &err));
	publish(0, 1, 1, LANE_AWAITED, "", DISCARDED);
	refuse_all(&successor);
	ledger_settle(&segment, 1);
	assert(append_open(&successor.slot->ledger, APPEND_JSONL));
}

/* Two batches wait in the spool. The first one is stored, and only the ledger says so. */
static void
replay(void)
{
	struct writer *w = &writers[0];
	struct sink_result result;

	idle();
	publish_everywhere();
	spool_all(w);
	MUST(spool_next(&w->spool, &err));
	MUST(w->sink->ops->store(w->sink, w->spool.reader.records, w->spool.reader.count, &result, &err));
	publish_everywhere();

	struct ledger_page *draft = ledger_draft(&w->slot->ledger);

	draft->counters[COUNTER_STORED] += result.stored;
	spool_settle(&w->spool, draft);
	ledger_commit(&w->slot->ledger);
	ledger_settle(&segment, w->index);
	w->sink->ops->settled(w->sink);
	/* Another append to the same file, after the stored batch. */
	append_to_spool(w);
	commit(w, &(struct sink_result){0}, FATE_SPOOLED);
	ledger_settle(&segment, w->index);
	publish_everywhere();
}

/*
 * Each writer has a parcel in doubt, one without a waiting client, and refused ones after it. The second writer has not
 * settled.
 */
static void
refused(void)
{
	idle();
	for (uint32_t w = 0; w < WRITERS; w++) {
		publish(0, w, 2, LANE_AWAITED, "", ACKNOWLEDGED);
		publish(1, w, 1, LANE_AWAITED, "", ACKNOWLEDGED);
		assert(intake_gather(&writers[w].intake));
		intake_doubt(&writers[w].intake);
		publish(0, w, 1, 0, "", ACKNOWLEDGED);
		publish(0, w, 2, LANE_AWAITED, "", DISCARDED);
		publish(0, w, 1, LANE_AWAITED, "", DISCARDED);
		publish(1, w, 1, LANE_AWAITED, "", DISCARDED);
		refuse_all(&writers[w]);
		if (w == 0)
			ledger_settle(&segment, w);
	}
	publish_everywhere();
}

/* The next master was killed while it made another ring out of an idle one. */
static void
being_made(void)
{
	struct segment_header header;
	uint64_t counters[COUNTERS];

	idle();
	for (int c = 0; c < COUNTERS; c++)
		counters[c] = segment_counter_sum(&segment, c);
	header = *segment.header;
	memcpy(header.magic, SEGMENT_UNFINISHED, sizeof header.magic);
	segment_count_from(&header, counters);
	header.counts_on = 1;
	assert(ftruncate(segment.fd, 0) == 0 && pwrite(segment.fd, &header, sizeof header, 0) == sizeof header);
	assert(ftruncate(segment.fd, RING_BYTES) == 0);
}

static const struct {
	const char *name;
	void (*make)(void);
} states[] = {{"idle", idle}, {"waiting", waiting}, {"page_turned", page_turned}, {"spooled_page", spooled_page},
    {"spool_append_open", spool_append_open}, {"spool_append_torn", spool_append_torn},
    {"jsonl_append_open", jsonl_append_open}, {"jsonl_append_torn", jsonl_append_torn},
    {"append_broken", append_broken}, {"replay", replay}, {"refused", refused}, {"being_made", being_made}};

static void
write_numbers(FILE *out, const char *name, enum outcome outcome)
{
	const char *separator = "";

	(void)fprintf(out, "\"%s\": [", name);
	for (int n = 1; n <= numbers; n++)
		if (outcomes[n] == outcome) {
			(void)fprintf(out, "%s%d", separator, n);
			separator = ", ";
		}
	(void)fprintf(out, "]");
}

static void
write_state(void)
{
	FILE *out = fopen("state.json", "w");

	assert(out != NULL);
	(void)fprintf(out, "{");
	write_numbers(out, "acknowledged", ACKNOWLEDGED);
	(void)fprintf(out, ",\n ");
	write_numbers(out, "discarded", DISCARDED);
	if (unfinished != NULL)
		(void)fprintf(out, ",\n \"unfinished\": {\"file\": \"%s\", \"writer\": %d, \"entry\": %d}", unfinished,
		    unfinished_writer, unfinished_entry);
	(void)fprintf(out, "}\n");
	assert(fclose(out) == 0);
}

int
main(int argc, char **argv)
{
	assert(argc == 3 && chdir(argv[2]) == 0);
	config.ring_path = strdup("ring");
	config.jsonl_path = strdup("events.jsonl");
	config.data_dir = strdup("data");
	MUST(segment_open(&segment, &config, &err));
	for (uint32_t a = 0; a < 2; a++)
		for (uint32_t w = 0; w < WRITERS; w++)
			MUST(segment_map_lane(&segment, a, w, &lanes[a][w], &err));
	for (uint32_t w = 0; w < WRITERS; w++)
		start_writer(&writers[w], w);
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(argv[1], states[i].name) == 0) {
			states[i].make();
			write_state();
			_exit(0);
		}
	(void)fprintf(stderr, "no such state: %s\n", argv[1]);
	return 1;
}
