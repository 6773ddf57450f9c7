/* Texts in a damaged ring may have control characters: terminal_text() removes them. */
#include "cli/ring_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "cli/ring_look.h"
#include "cli/terminal_text.h"
#include "shm/settle.h"

/* Prints a text of the header, which may lack its NUL. */
static void
print_text_of(FILE *out, const char *what, const char *text, size_t size)
{
	char *whole = strndup(text, size), *safe = terminal_text(whole != NULL ? whole : "");

	fprintf(out, "%s%s", what, safe);
	free(whole);
	free(safe);
}

static void
print_header(FILE *out, const struct segment *segment, const char *name)
{
	const struct segment_header *h = segment->header;
	struct node_row node;

	fprintf(out, "%s: a ring '%.*s' of %" PRIu64 " bytes", name, (int)sizeof h->magic, h->magic, h->file_bytes);
	print_text_of(out, ", by hooksd ", h->version, sizeof h->version);
	fprintf(out, ", master %d%s%s\n", h->master_pid, segment_draining(h) ? ", draining" : "",
	    segment_file_gone(h) ? ", its file had lost its name" : "");
	print_text_of(out, "boot id ", h->boot_id, ring_boot_id_length(h));
	fprintf(out, ", storage %s, %" PRIu32 " slots a lane, keys %s", storage_name(h->storage), h->lane_slots,
	    h->has_keys ? "yes" : "no");
	if (node_read(&h->node, &node))
		fprintf(out, ", node %" PRId64 " of epoch %" PRId64, node.node_id, node.epoch);
	fputc('\n', out);
}

static void
print_process(FILE *out, const struct segment *segment, enum role role, uint32_t index)
{
	const struct process_slot *slot = segment_slot(segment, role, index);
	char name[RING_NAME_BYTES], error[ERROR_TEXT_MAX] = "";
	const char *store = "-";

	ring_process_name(role, index, name);
	if (role != ROLE_ACCEPTOR) {
		store = store_state_name(store_report_state(&slot->store));
		store_report_error(&slot->store, error);
	}
	fprintf(out, "%-15s %8" PRId32 "  %-9s %7" PRIu32 "  %s", name, slot_pid(slot),
	    process_state_name(slot_state(slot)), slot_starts(slot), store);
	print_text_of(out, error[0] != '\0' ? "  " : "", error, sizeof error);
	fputc('\n', out);
}

static void
print_processes(FILE *out, const struct segment *segment)
{
	fprintf(out, "\n%-15s %8s  %-9s %7s  %s\n", "PROCESS", "PID", "STATE", "STARTS", "STORE");
	for (int r = 0; r < ROLES; r++)
		for (uint32_t i = 0; i < segment->counts[r]; i++)
			print_process(out, segment, r, i);
}

/* "3 awaited, 1 refused" */
static void
print_states(FILE *out, const struct ring_lane *lane)
{
	const char *between = "";

	if (lane->published == lane->released)
		fputc('-', out);
	for (int s = 0; s < PARCEL_STATES; s++) {
		if (lane->parcels[s] == 0)
			continue;
		fprintf(out, "%s%" PRIu32 " %s", between, lane->parcels[s], parcel_state_names[s]);
		between = ", ";
	}
}

static void
print_lane(FILE *out, const struct segment *segment, uint32_t number)
{
	char name[2 * RING_NAME_BYTES + 4], oldest[FORMAT_TIME_BYTES + 1] = "-";
	struct ring_lane lane;

	ring_lane_look(segment, number, &lane);
	(void)snprintf(name, sizeof name, "%s -> %s", lane.from, lane.to);
	if (!lane.whole) {
		fprintf(out, "%-28s damaged, or copied while it was in use\n", name);
		return;
	}
	if (lane.has_oldest)
		format_time(lane.oldest_us, oldest);
	fprintf(out, "%-28s %10" PRIu32 " %10" PRIu32 " %7" PRIu32 " %8" PRIu64 " %10" PRIu64 " %10" PRIu64 "  %-27s  ",
	    name, lane.published, lane.released, lane.published - lane.released, lane.events, lane.bytes,
	    lane.arena_bytes, oldest);
	print_states(out, &lane);
	fputc('\n', out);
}

static void
print_lanes(FILE *out, const struct segment *segment)
{
	fprintf(out, "\n%-28s %10s %10s %7s %8s %10s %10s  %-27s  %s\n", "LANE", "PUBLISHED", "RELEASED", "WAITING",
	    "EVENTS", "BYTES", "CAPACITY", "OLDEST RECEIVED", "STATES");
	for (uint32_t n = 0; n < segment_lane_count(segment); n++)
		print_lane(out, segment, n);
}

static void
print_page(FILE *out, const struct segment *segment, enum role role, const struct ledger_page *page)
{
	const struct spool_progress *replayed = &page->replayed;
	const uint32_t producers = segment->counts[lane_group_table[ledger_lanes(role)].from];

	fprintf(out, "serial %" PRIu64 ", %s, %" PRIu64 " in the spool, %" PRIu64 " replays", page->serial,
	    ring_settlement_name(page->settled_as), page->spool_events, page->replays);
	if (replayed->sequence != 0)
		fprintf(out, " (file %" PRIu64 " of %" PRIu32 ": %" PRIu64 " bytes, %" PRIu64 " events)",
		    replayed->sequence, replayed->writer, replayed->done, replayed->done_events);
	fprintf(out, ", releases");
	for (uint32_t a = 0; a < producers; a++)
		fprintf(out, " %" PRIu32, page->release[a]);
	for (uint32_t c = 0; c < LEDGER_COUNTERS; c++)
		if (page->counters[c] != 0)
			fprintf(out, ", %s %" PRIu64, ring_ledger_counter(role, c), page->counters[c]);
	fputc('\n', out);
}

static void
print_append(FILE *out, uint32_t file, const struct unfinished_append *append)
{
	if (append->state == APPEND_NONE)
		return;
	fprintf(out,
	    "  append to %s: %s at serial %" PRIu64 ", from byte %" PRIu64 ", at most %" PRIu64 " bytes, inode %" PRIu64
	    " of device %" PRIu64 "\n",
	    ring_append_file_name(file), ring_append_state_name(append->state), append->serial, append->offset,
	    append->bytes, append->inode, append->device);
}

static void
print_ledger(FILE *out, const struct segment *segment, enum role role, uint32_t index)
{
	const struct ledger *ledger = &segment_writer(segment, role, index)->ledger;
	char name[RING_NAME_BYTES];

	ring_process_name(role, index, name);
	fprintf(out, "\nLEDGER of %s: %" PRIu64 " replays are recorded in the spool's files\n", name,
	    ledger->replays_recorded);
	for (uint32_t p = 0; p < 2; p++) {
		fprintf(out, "  %-12s ", p == ledger->current ? "current page" : "other page");
		print_page(out, segment, role, &ledger->pages[p]);
	}
	for (uint32_t file = 0; file < APPEND_FILES; file++)
		print_append(out, file, &ledger->appends[file]);
	if (ledger->current > 1)
		fprintf(out, "  damaged: the current page is %" PRIu32 "\n", ledger->current);
}

static void
print_counter(void *context, const struct metrics_sample *sample)
{
	char name[RING_COUNTER_BYTES];

	if (sample->value == 0)
		return;
	ring_counter_name(sample, name);
	if (sample->divisor == 1)
		fprintf(context, "%-70s %14" PRIu64 "\n", name, sample->value);
	else
		fprintf(context, "%-70s %14.3f\n", name, (double)sample->value / sample->divisor);
}

void
ring_print_text(FILE *out, const struct segment *segment, const char *name)
{
	print_header(out, segment, name);
	print_processes(out, segment);
	print_lanes(out, segment);
	for (int r = 0; r < LEDGER_ROLES; r++)
		for (uint32_t i = 0; i < segment->counts[ledger_roles[r]]; i++)
			print_ledger(out, segment, ledger_roles[r], i);
	fprintf(out, "\nCOUNTERS that are not 0\n");
	ring_counters(segment, print_counter, out);
}
