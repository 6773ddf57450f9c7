/* Numbers of 64 bits are added as text: cJSON would convert them to doubles. */
#include "cli/ring_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/format.h"
#include "base/mem.h"
#include "cli/ring_look.h"
#include "cli/terminal_text.h"
#include "shm/settle.h"

static cJSON *
there(cJSON *made)
{
	if (made == NULL)
		mem_none(0);
	return made;
}

static void
add_number(cJSON *object, const char *name, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRIu64, value);
	(void)there(cJSON_AddRawToObject(object, name, text));
}

static void
add_signed(cJSON *object, const char *name, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRId64, value);
	(void)there(cJSON_AddRawToObject(object, name, text));
}

/* Adds a text of the segment, which may have any bytes and no NUL. */
static void
add_text(cJSON *object, const char *name, const char *text, size_t size)
{
	char *whole = strndup(text, size), *safe = terminal_text(whole != NULL ? whole : "");

	(void)there(cJSON_AddStringToObject(object, name, safe));
	free(whole);
	free(safe);
}

static void
add_word(cJSON *object, const char *name, const char *word)
{
	(void)there(cJSON_AddStringToObject(object, name, word));
}

static void
add_bool(cJSON *object, const char *name, bool value)
{
	(void)there(cJSON_AddBoolToObject(object, name, value));
}

static cJSON *
add_element(cJSON *array)
{
	cJSON *object = there(cJSON_CreateObject());

	(void)cJSON_AddItemToArray(array, object);
	return object;
}

static void
add_header(cJSON *tree, const struct segment *segment, const char *name)
{
	const struct segment_header *h = segment->header;
	struct node_row node;
	cJSON *counts;

	add_text(tree, "file", name, strlen(name));
	add_text(tree, "magic", h->magic, sizeof h->magic);
	add_bool(tree, "whole", ring_is_whole(segment));
	add_text(tree, "version", h->version, sizeof h->version);
	add_text(tree, "boot_id", h->boot_id, ring_boot_id_length(h));
	add_number(tree, "file_bytes", h->file_bytes);
	add_number(tree, "lane_slots", h->lane_slots);
	add_bool(tree, "keys", h->has_keys != 0);
	add_signed(tree, "master_pid", h->master_pid);
	add_word(tree, "storage", storage_name(h->storage));
	add_bool(tree, "draining", segment_draining(h));
	add_bool(tree, "file_gone", segment_file_gone(h));
	if (node_read(&h->node, &node)) {
		add_signed(tree, "node_id", node.node_id);
		add_signed(tree, "node_epoch", node.epoch);
	}
	counts = there(cJSON_AddObjectToObject(tree, "counts"));
	for (int r = 0; r < ROLES; r++)
		add_number(counts, role_table[r].plural, segment->counts[r]);
}

static void
add_process(cJSON *object, const struct segment *segment, enum role role, uint32_t index)
{
	const struct process_slot *slot = segment_slot(segment, role, index);
	char name[RING_NAME_BYTES], error[ERROR_TEXT_MAX];

	ring_process_name(role, index, name);
	add_word(object, "process", name);
	add_signed(object, "pid", slot_pid(slot));
	add_word(object, "state", process_state_name(slot_state(slot)));
	add_number(object, "starts", slot_starts(slot));
	add_signed(object, "started_us", slot_started_us(slot));
	add_number(object, "alive_until_us", slot->alive_until_us);
	add_bool(object, "sleeping", slot->sleeping != 0);
	if (role == ROLE_ACCEPTOR)
		return;
	store_report_error(&slot->store, error);
	add_word(object, "store", store_state_name(store_report_state(&slot->store)));
	add_text(object, "error", error, sizeof error);
}

static void
add_lane(cJSON *object, const struct segment *segment, uint32_t number)
{
	char oldest[FORMAT_TIME_BYTES + 1] = "";
	struct ring_lane lane;
	cJSON *parcels;

	ring_lane_look(segment, number, &lane);
	add_word(object, "from", lane.from);
	add_word(object, "to", lane.to);
	add_bool(object, "whole", lane.whole);
	if (!lane.whole)
		return;
	add_number(object, "published", lane.published);
	add_number(object, "released", lane.released);
	add_number(object, "waiting", lane.published - lane.released);
	add_number(object, "events_waiting", lane.events);
	add_number(object, "events_ever", lane.events_ever);
	add_number(object, "bytes", lane.bytes);
	add_number(object, "capacity_bytes", lane.arena_bytes);
	if (lane.has_oldest) {
		format_time(lane.oldest_us, oldest);
		add_word(object, "oldest_received", oldest);
	}
	parcels = there(cJSON_AddObjectToObject(object, "parcels"));
	for (int s = 0; s < PARCEL_STATES; s++)
		add_number(parcels, parcel_state_names[s], lane.parcels[s]);
}

static void
add_page(cJSON *object, const struct segment *segment, enum role role, const struct ledger_page *page)
{
	const uint32_t producers = segment->counts[lane_group_table[ledger_lanes(role)].from];
	cJSON *replayed, *release;

	add_number(object, "serial", page->serial);
	add_word(object, "settled_as", ring_settlement_name(page->settled_as));
	for (uint32_t c = 0; c < LEDGER_COUNTERS; c++)
		add_number(object, ring_ledger_counter(role, c), page->counters[c]);
	add_number(object, "spool_events", page->spool_events);
	add_number(object, "replays", page->replays);
	replayed = there(cJSON_AddObjectToObject(object, "replayed"));
	add_number(replayed, "writer", page->replayed.writer);
	add_number(replayed, "sequence", page->replayed.sequence);
	add_number(replayed, "bytes", page->replayed.done);
	add_number(replayed, "events", page->replayed.done_events);
	release = there(cJSON_AddArrayToObject(object, "release"));
	for (uint32_t a = 0; a < producers; a++)
		(void)cJSON_AddItemToArray(release, there(cJSON_CreateNumber(page->release[a])));
}

static void
add_ledger(cJSON *object, const struct segment *segment, enum role role, uint32_t index)
{
	const struct ledger *ledger = &segment_writer(segment, role, index)->ledger;
	char name[RING_NAME_BYTES];
	cJSON *pages, *appends;

	ring_process_name(role, index, name);
	add_word(object, "process", name);
	add_number(object, "current", ledger->current);
	add_number(object, "replays_recorded", ledger->replays_recorded);
	pages = there(cJSON_AddArrayToObject(object, "pages"));
	for (uint32_t p = 0; p < 2; p++)
		add_page(add_element(pages), segment, role, &ledger->pages[p]);
	appends = there(cJSON_AddArrayToObject(object, "appends"));
	for (uint32_t file = 0; file < APPEND_FILES; file++) {
		cJSON *append = add_element(appends);

		add_word(append, "file", ring_append_file_name(file));
		add_word(append, "state", ring_append_state_name(ledger->appends[file].state));
		add_number(append, "serial", ledger->appends[file].serial);
		add_number(append, "offset", ledger->appends[file].offset);
		add_number(append, "bytes", ledger->appends[file].bytes);
		add_number(append, "inode", ledger->appends[file].inode);
		add_number(append, "device", ledger->appends[file].device);
	}
}

static void
add_counter(void *context, const struct metrics_sample *sample)
{
	char name[RING_COUNTER_BYTES];

	ring_counter_name(sample, name);
	if (sample->divisor == 1)
		add_number(context, name, sample->value);
	else
		(void)there(cJSON_AddNumberToObject(context, name, (double)sample->value / sample->divisor));
}

void
ring_print_json(FILE *out, const struct segment *segment, const char *name)
{
	cJSON *tree = there(cJSON_CreateObject()), *array;
	char *text;

	add_header(tree, segment, name);
	array = there(cJSON_AddArrayToObject(tree, "processes"));
	for (int r = 0; r < ROLES; r++)
		for (uint32_t i = 0; i < segment->counts[r]; i++)
			add_process(add_element(array), segment, r, i);
	array = there(cJSON_AddArrayToObject(tree, "lanes"));
	for (uint32_t n = 0; n < segment_lane_count(segment); n++)
		add_lane(add_element(array), segment, n);
	array = there(cJSON_AddArrayToObject(tree, "ledgers"));
	for (int r = 0; r < LEDGER_ROLES; r++)
		for (uint32_t i = 0; i < segment->counts[ledger_roles[r]]; i++)
			add_ledger(add_element(array), segment, ledger_roles[r], i);
	ring_counters(segment, add_counter, there(cJSON_AddObjectToObject(tree, "counters")));
	text = cJSON_Print(tree);
	if (text == NULL)
		mem_none(0);
	fprintf(out, "%s\n", text);
	cJSON_free(text);
	cJSON_Delete(tree);
}
