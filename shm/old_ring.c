/* Reads the ring file of hooksd 0.1.0, with the checks that 0.1.0 makes before it adopts a ring. */
#include "shm/old_ring.h"

#include <ck_pr.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* The kernel's page size, as in 0.1.0: a ring never leaves its machine. */
#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))

#define ROUTE(symbol) COUNTER_HTTP_##symbol, COUNTER_HTTP_##symbol##_4XX, COUNTER_HTTP_##symbol##_5XX
#define RESTARTS(symbol)                                                                                               \
	COUNTER_RESTARTS_##symbol, COUNTER_RESTARTS_##symbol##_EXIT, COUNTER_RESTARTS_##symbol##_STUCK,                \
	    COUNTER_RESTARTS_##symbol##_SIGABRT, COUNTER_RESTARTS_##symbol##_SIGKILL,                                  \
	    COUNTER_RESTARTS_##symbol##_SIGSEGV

/* Today's name of each counter of 0.1.0, in the order of 0.1.0. */
static const enum counter todays[RING9_COUNTERS] = {COUNTER_RECEIVED, COUNTER_STORED, COUNTER_DUPLICATES,
    COUNTER_DEAD_LETTERED, COUNTER_DAMAGED, COUNTER_DISCARDED, COUNTER_SPOOLED, COUNTER_SANITISED, COUNTER_UNKNOWN_KEPT,
    COUNTER_UNKNOWN_IGNORED, COUNTER_EVENTS_REJECTED_FIELDS, COUNTER_EVENTS_REJECTED_JSON, COUNTER_EVENTS_REJECTED_SIZE,
    COUNTER_STORAGE_ERRORS, COUNTER_SYNC_FAILURES, COUNTER_ROTATION_FAILURES, COUNTER_BATCHES, COUNTER_STATEMENTS,
    COUNTER_ACCEPTED_STORED, COUNTER_ACCEPTED_SPOOLED, COUNTER_ACCEPTED_QUEUED, COUNTER_REJECTED_HTTP,
    COUNTER_REJECTED_TIMEOUT, COUNTER_REJECTED_MEDIA_TYPE, COUNTER_REJECTED_ENCODING, COUNTER_REJECTED_COMPRESSION,
    COUNTER_REJECTED_KEY, COUNTER_REJECTED_BODY_SIZE, COUNTER_REJECTED_EVENT_SIZE, COUNTER_REJECTED_BATCH_SIZE,
    COUNTER_REJECTED_JSON, COUNTER_REJECTED_FIELDS, COUNTER_REFUSED_STORE, COUNTER_REFUSED_CONNECTING,
    COUNTER_REFUSED_RING, COUNTER_REFUSED_WAITED, ROUTE(INDEX), ROUTE(EVENTS), ROUTE(BATCH), ROUTE(HEALTH),
    ROUTE(LIVEZ), ROUTE(READYZ), ROUTE(METRICS), ROUTE(PROMETHEUS), ROUTE(OPENAPI), ROUTE(OTHER), RESTARTS(ACCEPTOR),
    RESTARTS(WRITER)};

static struct ring9_lane *
lane_of(const struct old_ring *ring, uint32_t acceptor, uint32_t writer)
{
	return &ring->lanes[acceptor * ring->writers + writer];
}

static struct ring9_descriptor *
descriptor_of(const struct old_ring *ring, uint32_t acceptor, uint32_t writer, uint32_t position)
{
	uint64_t lane = acceptor * ring->writers + writer;

	return &ring->descriptors[lane * ring->lane_slots + (position & (ring->lane_slots - 1))];
}

static struct ring9_ledger *
ledger_of(const struct old_ring *ring, uint32_t writer)
{
	return &ring->slots[ring->acceptors + writer].ledger;
}

static const struct ring9_page *
page_of(const struct old_ring *ring, uint32_t writer)
{
	const struct ring9_ledger *ledger = ledger_of(ring, writer);

	return &ledger->pages[ledger->current];
}

/* ---- opening and checking ---- */

static uint64_t
page_up(uint64_t n)
{
	return (n + PAGE - 1) / PAGE * PAGE;
}

/* Whether the header's numbers agree with the file's size; if so, sets the shape of ring. */
static bool
take_shape(struct old_ring *ring)
{
	const struct ring9_header *h = ring->header;
	uint64_t lanes;

	if (h->file_bytes != ring->bytes || h->acceptors < 1 || h->acceptors > RING9_ACCEPTORS_MAX || h->writers < 1 ||
	    h->writers > RING9_WRITERS_MAX || h->lane_slots < 2 || h->lane_slots > 65536 ||
	    (h->lane_slots & (h->lane_slots - 1)) != 0)
		return false;
	lanes = (uint64_t)h->acceptors * h->writers;
	if (h->arena_bytes < PAGE || h->arena_bytes % PAGE != 0 || h->arena_bytes > ring->bytes / lanes)
		return false;
	ring->acceptors = h->acceptors;
	ring->writers = h->writers;
	ring->lane_slots = h->lane_slots;
	ring->arena_bytes = h->arena_bytes;

	uint64_t lanes_at = page_up(PAGE + (h->acceptors + h->writers) * sizeof(struct ring9_slot));
	uint64_t descriptors_at = page_up(lanes_at + lanes * sizeof(struct ring9_lane));
	uint64_t arenas_at = page_up(descriptors_at + lanes * h->lane_slots * sizeof(struct ring9_descriptor));

	if (arenas_at + lanes * h->arena_bytes > ring->bytes)
		return false;
	ring->slots = (struct ring9_slot *)(void *)(ring->base + PAGE);
	ring->lanes = (struct ring9_lane *)(void *)(ring->base + lanes_at);
	ring->descriptors = (struct ring9_descriptor *)(void *)(ring->base + descriptors_at);
	ring->arenas = ring->base + arenas_at;
	return true;
}

static bool
lane_valid(const struct old_ring *ring, uint32_t acceptor, uint32_t writer)
{
	const struct ring9_lane *lane = lane_of(ring, acceptor, writer);
	uint32_t depth = lane->p_tail - lane->c_head;
	uint64_t begin, end;

	if (lane->size != ring->lane_slots || lane->mask != ring->lane_slots - 1 || depth >= ring->lane_slots)
		return false;
	begin = end = descriptor_of(ring, acceptor, writer, lane->c_head - 1)->end;
	if (end % 8 != 0 || end > INT64_MAX)
		return false;
	for (uint32_t i = 0; i < depth; i++) {
		const struct ring9_descriptor *d = descriptor_of(ring, acceptor, writer, lane->c_head + i);
		uint64_t bytes = d->end - end;

		if (d->events == 0 || (d->flags & ~RING9_FLAGS) != 0 || bytes == 0 || bytes % 8 != 0 ||
		    bytes > ring->arena_bytes)
			return false;
		end = d->end;
	}
	return end - begin <= ring->arena_bytes;
}

static bool
writer_valid(const struct old_ring *ring, uint32_t writer)
{
	if (ledger_of(ring, writer)->current > 1)
		return false;
	for (uint32_t a = 0; a < ring->acceptors; a++) {
		const struct ring9_lane *lane = lane_of(ring, a, writer);

		if (!lane_valid(ring, a, writer) ||
		    page_of(ring, writer)->release[a] - lane->c_head > lane->p_tail - lane->c_head)
			return false;
	}
	return true;
}

/* The kind of the mapped file. */
static enum old_ring_kind
examine(struct old_ring *ring)
{
	if (memcmp(ring->header->magic, RING9_UNFINISHED, sizeof ring->header->magic) == 0)
		return OLD_RING_UNFINISHED;
	if (memcmp(ring->header->magic, RING9_MAGIC, sizeof ring->header->magic) != 0)
		return OLD_RING_OTHER;
	if (!take_shape(ring))
		return OLD_RING_DAMAGED;
	for (uint32_t w = 0; w < ring->writers; w++)
		if (!writer_valid(ring, w))
			return OLD_RING_DAMAGED;
	return OLD_RING_WHOLE;
}

int
old_ring_open(struct old_ring *ring, int fd, struct error *err)
{
	enum old_ring_kind kind;
	struct stat st;
	void *base;

	*ring = (struct old_ring){0};
	if (fstat(fd, &st) != 0)
		return error_errno(err, "cannot stat the ring file");
	if ((uint64_t)st.st_size < sizeof(struct ring9_header))
		return OLD_RING_OTHER;
	base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return error_errno(err, "cannot map the ring file");
	ring->base = base;
	ring->bytes = (uint64_t)st.st_size;
	ring->header = base;
	kind = examine(ring);
	if (kind == OLD_RING_OTHER || kind == OLD_RING_DAMAGED)
		old_ring_close(ring);
	return kind;
}

void
old_ring_close(struct old_ring *ring)
{
	munmap(ring->base, ring->bytes);
	ring->base = NULL;
}

int32_t
old_ring_master_pid(int fd)
{
	struct ring9_header h;

	if (pread(fd, &h, sizeof h, 0) != (ssize_t)sizeof h || memcmp(h.magic, RING9_MAGIC, sizeof h.magic) != 0)
		return 0;
	return h.master_pid;
}

/* ---- contents ---- */

const char *
old_ring_boot_id(const struct old_ring *ring)
{
	const struct ring9_header *h = ring->header;

	return memchr(h->boot_id, '\0', sizeof h->boot_id) != NULL ? h->boot_id : "";
}

const char *
old_ring_jsonl_path(const struct old_ring *ring)
{
	const struct ring9_header *h = ring->header;

	return memchr(h->jsonl_path, '\0', sizeof h->jsonl_path) != NULL ? h->jsonl_path : "";
}

void
old_ring_counters(const struct old_ring *ring, uint64_t counters[COUNTERS])
{
	const struct ring9_header *h = ring->header;
	uint64_t sums[RING9_COUNTERS] = {0};

	/* An unfinished ring has neither slots nor lanes: both counts are 0. */
	for (int c = 0; c < RING9_COUNTERS; c++) {
		sums[c] = h->earlier[c];
		for (uint32_t i = 0; i < ring->acceptors + ring->writers; i++)
			sums[c] += ring->slots[i].counters[c];
		for (uint32_t w = 0; c < RING9_LEDGER_COUNTERS && w < ring->writers; w++)
			sums[c] += page_of(ring, w)->counters[c];
	}
	for (uint32_t n = 0; n < ring->acceptors * ring->writers; n++)
		sums[0] += ring->lanes[n].events[ring->lanes[n].p_tail & 1];
	memset(counters, 0, COUNTERS * sizeof *counters);
	for (int c = 0; c < RING9_COUNTERS; c++)
		counters[todays[c]] = sums[c];
}

uint64_t
old_ring_events_waiting(const struct old_ring *ring)
{
	uint64_t events = 0;

	for (uint32_t a = 0; a < ring->acceptors; a++)
		for (uint32_t w = 0; w < ring->writers; w++) {
			const struct ring9_lane *lane = lane_of(ring, a, w);

			for (uint32_t at = lane->c_head; at != lane->p_tail; at++) {
				const struct ring9_descriptor *d = descriptor_of(ring, a, w, at);

				events += (d->flags & RING9_REFUSED_FLAG) == 0 ? d->events : 0;
			}
		}
	return events;
}

bool
old_ring_append_open(
    const struct old_ring *ring, uint32_t writer, enum append_file file, struct unfinished_append *append)
{
	const struct ring9_append *old =
	    &ledger_of(ring, writer)->appends[file == APPEND_JSONL ? RING9_APPEND_JSONL : RING9_APPEND_SPOOL];

	if (old->state != RING9_APPEND_BROKEN &&
	    !(old->state == RING9_APPEND_BEGUN && old->serial == page_of(ring, writer)->serial))
		return false;
	*append = (struct unfinished_append){
	    .device = old->device, .inode = old->inode, .offset = old->offset, .bytes = old->bytes};
	return true;
}

struct spool_progress
old_ring_replayed(const struct old_ring *ring, uint32_t writer)
{
	const struct ring9_progress *old = &page_of(ring, writer)->replayed;

	return (struct spool_progress){.writer = old->writer,
	    .sequence = old->sequence,
	    .created_us = old->created_us,
	    .done = old->done,
	    .done_events = old->done_events};
}

/* Copies a parcel out of an arena. The parcel may wrap around the end. */
static void
copy_out(const struct old_ring *ring, uint64_t lane, uint64_t begin, size_t length, char *out)
{
	const char *arena = ring->arenas + lane * ring->arena_bytes;
	uint64_t at = begin % ring->arena_bytes;
	size_t first = length < ring->arena_bytes - at ? length : (size_t)(ring->arena_bytes - at);

	memcpy(out, arena + at, first);
	memcpy(out + first, arena, length - first);
}

int
old_ring_visit(const struct old_ring *ring, uint32_t writer, old_ring_visitor *visit, void *context)
{
	char *copy = mem_new(ring->arena_bytes, 1);
	int rc = 0;

	for (uint32_t a = 0; rc == 0 && a < ring->acceptors; a++) {
		const struct ring9_lane *lane = lane_of(ring, a, writer);

		for (uint32_t at = lane->c_head; rc == 0 && at != lane->p_tail; at++) {
			const struct ring9_descriptor *d = descriptor_of(ring, a, writer, at);
			uint64_t begin = descriptor_of(ring, a, writer, at - 1)->end;

			if ((d->flags & RING9_REFUSED_FLAG) != 0)
				continue;
			copy_out(ring, a * ring->writers + writer, begin, (size_t)(d->end - begin), copy);
			rc = visit(context, copy, (size_t)(d->end - begin), d->events);
		}
	}
	free(copy);
	return rc;
}

/* ---- changes, as 0.1.0 makes them ---- */

void
old_ring_set_boot_id(const struct old_ring *ring, const char *boot_id)
{
	(void)snprintf(ring->header->boot_id, sizeof ring->header->boot_id, "%s", boot_id);
}

/* Refuses awaited parcels up to release, or only dismisses those in doubt. Returns the new released position. */
static uint32_t
refuse(const struct old_ring *ring, uint32_t acceptor, uint32_t writer, uint32_t release)
{
	uint32_t first = lane_of(ring, acceptor, writer)->c_head;

	for (uint32_t at = first; at != release; at++) {
		struct ring9_descriptor *d = descriptor_of(ring, acceptor, writer, at);

		if ((d->flags & (RING9_AWAITED | RING9_REFUSED_FLAG | RING9_DISMISSED)) == RING9_AWAITED)
			d->flags |= (d->flags & RING9_IN_DOUBT) == 0 ? RING9_REFUSED_FLAG : RING9_DISMISSED;
	}
	while (first != release && (descriptor_of(ring, acceptor, writer, first)->flags & RING9_REFUSED_FLAG) != 0)
		first++;
	return first;
}

void
old_ring_settle(const struct old_ring *ring, uint32_t writer)
{
	const struct ring9_page *page = page_of(ring, writer);

	/* No need to flag parcels as SPOOLED: that flag is for clients, and none is left. */
	for (uint32_t a = 0; a < ring->acceptors; a++)
		ck_pr_store_32(&lane_of(ring, a, writer)->c_head,
		    page->fate == RING9_REFUSED ? refuse(ring, a, writer, page->release[a]) : page->release[a]);
}

void
old_ring_append_begin(const struct old_ring *ring, uint32_t writer, const struct unfinished_append *append)
{
	struct ring9_append *old = &ledger_of(ring, writer)->appends[RING9_APPEND_SPOOL];

	ck_pr_store_32(&old->state, RING9_APPEND_NONE);
	ck_pr_fence_store();
	old->serial = page_of(ring, writer)->serial;
	old->device = append->device;
	old->inode = append->inode;
	old->offset = append->offset;
	old->bytes = append->bytes;
	ck_pr_fence_store();
	ck_pr_store_32(&old->state, RING9_APPEND_BEGUN);
}

void
old_ring_append_done(const struct old_ring *ring, uint32_t writer, enum append_file file)
{
	ck_pr_store_32(
	    &ledger_of(ring, writer)->appends[file == APPEND_JSONL ? RING9_APPEND_JSONL : RING9_APPEND_SPOOL].state,
	    RING9_APPEND_NONE);
}

void
old_ring_commit(const struct old_ring *ring, uint32_t writer, uint64_t spooled, uint64_t damaged)
{
	struct ring9_ledger *ledger = ledger_of(ring, writer);
	struct ring9_page *draft = &ledger->pages[1 - ledger->current];

	*draft = *page_of(ring, writer);
	draft->serial++;
	draft->counters[RING9_COUNTER_SPOOLED] += spooled;
	draft->counters[RING9_COUNTER_DAMAGED] += damaged;
	draft->spool_events += spooled;
	draft->fate = RING9_SPOOLED;
	for (uint32_t a = 0; a < ring->acceptors; a++)
		draft->release[a] = lane_of(ring, a, writer)->p_tail;
	ck_pr_fence_release();
	ck_pr_store_32(&ledger->current, 1 - ledger->current);
	old_ring_settle(ring, writer);
}

void
old_ring_empty(const struct old_ring *ring, int fd)
{
	off_t begin = (off_t)(ring->arenas - ring->base);

	(void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, begin, (off_t)ring->bytes - begin);
}
