/* Decides whether the file at RING_PATH is adopted, made anew or set aside. */
#include "shm/segment_adopt.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "shm/counters.h"
#include "shm/key_writer.h"
#include "shm/segment_layout.h"
#include "shm/settle.h"

static bool
lanes_valid(const struct segment *segment)
{
	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane lane = segment_lane_at(segment, n);

		if (!lane_valid(&lane, segment->header->lane_slots))
			return false;
	}
	for (int r = 0; r < LEDGER_ROLES; r++)
		for (uint32_t i = 0; i < segment->counts[ledger_roles[r]]; i++)
			if (!settle_ledger_valid(segment, ledger_roles[r], i))
				return false;
	return true;
}

/*
 * After a power cut the appends in that role's ledgers say nothing about the files, so forgets them. Sets the received
 * count to the sum of all events accounted for. received: the first counter of a ledger.
 */
static void
balance_books(const struct segment *segment, enum role role, enum counter received)
{
	uint64_t accounted = segment_waiting(segment, lane_group_table[ledger_lanes(role)].books);

	for (uint32_t i = 0; i < segment->counts[role]; i++) {
		struct ledger *ledger = &segment_writer(segment, role, i)->ledger;

		for (int file = 0; file < APPEND_FILES; file++)
			ledger_append_failed(ledger, file, true);
		accounted += ledger_page(ledger)->spool_events;
	}
	for (int c = COUNTER_STORED; c <= COUNTER_DISCARDED; c++)
		accounted += segment_counter_sum(segment, received + (enum counter)c);
	segment->header->earlier[received] += accounted - segment_counter_sum(segment, received);
}

/* The couriers' lanes OUTCOMES. */
static void
mark_outcomes(const struct segment *segment)
{
	for (uint32_t i = 0; i < segment->counts[ROLE_COURIER]; i++) {
		struct lane lane = segment_lane(segment, LANES_OUTCOMES, i, i);

		lane_set_flag(&lane, lane_released(&lane) + lane_depth(&lane), LANE_FORMER_BOOT, true);
	}
}

static void
after_restart_of_the_machine(const struct segment *segment)
{
	log_warning(
	    "the machine has restarted since the ring was last used: events on it may be damaged or stored twice",
	    LOG_UINT("events_waiting", segment_waiting(segment, BOOKS_EVENTS)),
	    LOG_UINT("messages_waiting", segment_waiting(segment, BOOKS_MESSAGES)));
	balance_books(segment, ROLE_WRITER, COUNTER_RECEIVED);
	balance_books(segment, ROLE_PUBLISHER, COUNTER_MESSAGES_RECEIVED);
	if (segment->keys != NULL)
		key_table_reset(segment->keys);
	mark_outcomes(segment);
	node_set_since_us(&segment->header->node, 0);
}

/* The clients of the earlier run are gone without an answer: their events are stored. */
static void
end_waiting(const struct segment *segment)
{
	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane lane = segment_lane_at(segment, n);

		lane_set_flag(&lane, lane_released(&lane) + lane_depth(&lane), LANE_AWAITED, false);
	}
}

/* Reads the header of the file at fd. Returns 0 if it fits the file's size; otherwise as segment_adopt(). */
static int
read_header(int fd, struct segment_header *old, struct segment_header *planned, struct error *err)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return error_errno(err, "cannot stat the ring file");
	if (st.st_size == 0)
		return ADOPT_NOTHING;
	n = pread(fd, old, sizeof *old, 0);
	/* A read error says nothing about the file: it may hold events and must not be set aside as damaged. */
	if (n < 0)
		return error_errno(err, "cannot read the ring file");
	if (n < (ssize_t)sizeof *old && n < st.st_size)
		return error_set(err, "cannot read the ring file: only %zd bytes came", n);
	if (n == (ssize_t)sizeof *old && memcmp(old->magic, SEGMENT_UNFINISHED, sizeof old->magic) == 0) {
		planned->counts_on = old->counts_on;
		memcpy(planned->earlier, old->earlier, sizeof old->earlier);
		return ADOPT_NOTHING;
	}
	return n == (ssize_t)sizeof *old && segment_plausible(old, (uint64_t)st.st_size) ? 0 : ADOPT_UNREADABLE;
}

/* Prepares the segment for the next processes. */
static void
recover(const struct segment *segment, const struct segment_header *planned)
{
	const struct segment_header *old = segment->header;

	/* Release committed parcels now, because the next writers may have another sink. */
	for (int r = 0; r < LEDGER_ROLES; r++)
		for (uint32_t i = 0; i < segment->counts[ledger_roles[r]]; i++)
			settle_lanes(segment, ledger_roles[r], i);
	/* Without both boot ids a reboot is unknown, and open appends must be kept. */
	if (old->boot_id[0] != '\0' && planned->boot_id[0] != '\0' &&
	    strncmp(old->boot_id, planned->boot_id, sizeof old->boot_id) != 0)
		after_restart_of_the_machine(segment);
	end_waiting(segment);
}

static bool
same_shape(const struct segment_header *a, const struct segment_header *b)
{
	return memcmp(a->counts, b->counts, sizeof a->counts) == 0 && a->file_bytes == b->file_bytes &&
	       memcmp(a->arena_bytes, b->arena_bytes, sizeof a->arena_bytes) == 0 && a->has_keys == b->has_keys;
}

static void
carry_counters(const struct segment *segment, struct segment_header *planned)
{
	uint64_t counters[COUNTERS];

	for (int c = 0; c < COUNTERS; c++)
		counters[c] = segment_counter_sum(segment, c);
	segment_count_from(planned, counters);
	planned->counts_on = 1;
}

static int
unmap(const struct segment *segment, enum adopt_condition condition)
{
	munmap(segment->header, segment->mapped_bytes);
	return condition;
}

int
segment_adopt(struct segment *segment, int fd, struct segment_header *planned, struct error *err)
{
	struct segment_header old = {0};
	int rc = read_header(fd, &old, planned, err);

	if (rc != 0)
		return rc;
	if (segment_map(segment, fd, segment_layout(&old).arenas, PROT_READ | PROT_WRITE, err) != 0)
		return -1;
	if (!lanes_valid(segment))
		return unmap(segment, ADOPT_UNREADABLE);
	recover(segment, planned);
	if (!same_shape(&old, planned) && settle_finished(segment)) {
		carry_counters(segment, planned);
		return unmap(segment, ADOPT_NOTHING);
	}
	log_info("adopted the ring of the previous run",
	    LOG_UINT("events_waiting", segment_waiting(segment, BOOKS_EVENTS)),
	    LOG_UINT("messages_waiting", segment_waiting(segment, BOOKS_MESSAGES)));
	if (!same_shape(&old, planned))
		log_warning(
		    "the previous run's events are in a ring of another shape: keeping that shape until the next start",
		    ROLE_COUNT_FIELDS(old.counts), LOG_UINT("ring_bytes", old.file_bytes));
	return 0;
}
