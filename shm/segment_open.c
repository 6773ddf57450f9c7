/* Makes a segment, or takes over the file at RING_PATH. */
#include "shm/segment_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/version.h"
#include "shm/key_writer.h"
#include "shm/segment_adopt.h"
#include "shm/segment_layout.h"
#include "shm/segment_lock.h"
#include "shm/settle.h"

void
segment_boot_id(char out[BOOT_ID_BYTES])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, BOOT_ID_BYTES - 1);

	out[n > 0 && out[n - 1] == '\n' ? n : 0] = '\0'; /* all of it, or nothing */
	if (fd >= 0)
		close(fd);
}

/* Fills in the header of a new segment for config. */
static int
plan(const struct config *config, struct segment_header *h, struct error *err)
{
	memset(h, 0, sizeof *h);
	memcpy(h->magic, SEGMENT_UNFINISHED, sizeof h->magic);
	segment_boot_id(h->boot_id);
	role_counts(config, h->counts);
	h->has_keys = config_api_is_on(config);

	uint64_t webhooks_bytes = config_api_is_on(config) ? config->hl_ring_bytes : 0;
	uint64_t lanes = 0; /* in RING_BYTES */

	for (int g = 0; g < LANE_GROUPS; g++)
		lanes += lane_group_table[g].parts == 0 ? role_lanes_of(h->counts, g) : 0;

	uint64_t per_lane = config->ring_bytes / lanes;

	/* One descriptor per 512 bytes, so that single small events fill the arena before they use up the slots. */
	h->lane_slots = 64;
	while (h->lane_slots < 65536 && (uint64_t)h->lane_slots * 1024 <= per_lane)
		h->lane_slots *= 2;
	h->file_bytes = config->ring_bytes + webhooks_bytes;
	for (int g = 0; g < LANE_GROUPS; g++) {
		uint64_t of_group = role_lanes_of(h->counts, g);

		if (lane_group_table[g].parts > 0 && of_group > 0)
			h->arena_bytes[g] = webhooks_bytes / 4 * lane_group_table[g].parts / of_group / PAGE * PAGE;
	}

	uint64_t fixed = segment_layout(h).arenas; /* independent of arena_bytes */

	if (config->ring_bytes < fixed + lanes * 2 * PAGE)
		return error_set(err, "RING_BYTES=%llu is too small for %llu lanes: allow at least %llu",
		    (unsigned long long)config->ring_bytes, (unsigned long long)lanes,
		    (unsigned long long)(fixed + lanes * 64 * 1024));
	for (int g = 0; g < LANE_GROUPS; g++)
		if (lane_group_table[g].parts == 0)
			h->arena_bytes[g] = (config->ring_bytes - fixed) / lanes / PAGE * PAGE;
	return 0;
}

static int
create(struct segment *segment, int fd, const struct segment_header *planned, const char *path, struct error *err)
{
	struct segment_layout l = segment_layout(planned);
	ssize_t written;
	int failed;

	if (ftruncate(fd, 0) != 0)
		return error_errno(err, "cannot empty the ring file %s", path);
	/*
	 * Write the unfinished header first, so that the next master recognises the file if this one is killed. Then
	 * reserve the whole file, so that a full /dev/shm is an error here and not a SIGBUS later.
	 */
	written = pwrite(fd, planned, sizeof *planned, 0);
	if (written == (ssize_t)sizeof *planned)
		failed = posix_fallocate(fd, 0, (off_t)planned->file_bytes);
	else
		failed = written < 0 ? errno : ENOSPC;
	if (failed != 0) {
		(void)!ftruncate(fd, planned->counts_on ? (off_t)sizeof *planned : 0);
		errno = failed;
		return error_errno(err,
		    "cannot reserve %llu bytes for the ring at %s: free some, enlarge /dev/shm "
		    "(docker, podman: --shm-size), or set a smaller RING_BYTES or another RING_PATH",
		    (unsigned long long)planned->file_bytes, path);
	}
	if (segment_map(segment, fd, l.arenas, PROT_READ | PROT_WRITE, err) != 0)
		return -1;
	for (uint32_t n = 0; n < segment_lane_count(segment); n++) {
		struct lane lane = segment_lane_at(segment, n);

		lane_init(&lane, planned->lane_slots, 0, 0);
	}
	memcpy(segment->header->magic, SEGMENT_MAGIC, sizeof segment->header->magic);
	return 0;
}

static int
set_aside(const char *path, struct error *err)
{
	struct error why;
	char aside[PATH_MAX];

	if (files_set_aside(path, aside, &why) != 0)
		return error_set(err, "%s is not a ring file this hooksd can read: %s", path, why.text);
	log_warning("the ring file is damaged or of another version: set aside, starting with a new one",
	    LOG_STR("path", path), LOG_STR("set_aside_as", aside));
	return 0;
}

/* Keep the old JSONL_PATH while an append is open: that append is in the old file. */
static void
remember_jsonl_path(const struct segment *segment, const char *path)
{
	struct segment_header *h = segment->header;

	h->jsonl_path[sizeof h->jsonl_path - 1] = '\0'; /* the segment may be damaged */
	for (uint32_t w = 0; w < segment->counts[ROLE_WRITER]; w++)
		if (ledger_append_open(&segment_writer(segment, ROLE_WRITER, w)->ledger, APPEND_JSONL))
			return;
	if (snprintf(h->jsonl_path, sizeof h->jsonl_path, "%s", path) >= (int)sizeof h->jsonl_path)
		h->jsonl_path[0] = '\0';
}

/* Adopts or makes the segment at path and maps it. *made: it is new. Returns 0 or <0. */
static int
take_file(struct segment *segment, struct segment_header *planned, const char *path, bool *made, struct error *err)
{
	int fd = segment_lock_file(path, err), rc;

	if (fd < 0)
		return -1;
	rc = segment_adopt(segment, fd, planned, err);
	if (rc == ADOPT_UNREADABLE) {
		rc = set_aside(path, err);
		close(fd);
		fd = rc == 0 ? segment_lock_file(path, err) : -1;
		if (fd < 0)
			return -1;
		rc = ADOPT_NOTHING;
	}
	*made = rc == ADOPT_NOTHING;
	if (*made)
		rc = create(segment, fd, planned, path, err);
	if (rc != 0)
		close(fd);
	return rc;
}

/* Sets the header's members of a new master, and clears the slots. */
static void
begin_run(const struct segment *segment, const struct config *config, const char *boot_id)
{
	struct segment_header *h = segment->header;

	memcpy(h->boot_id, boot_id, sizeof h->boot_id);
	remember_jsonl_path(segment, config->jsonl_path);
	h->started_us = clock_steady_us();
	h->storage = config->storage;
	h->master_pid = getpid();
	h->draining = h->file_gone = 0;
	(void)snprintf(h->version, sizeof h->version, "%s", HOOKS_VERSION);
	for (uint32_t i = 0; i < segment_slot_count(segment); i++)
		slot_reset(segment_slot_at(segment, i));
	if (segment->keys != NULL) {
		key_table_begin_run(segment->keys);
		full_queues_set(&segment->keys->full_queues, NULL, 0);
	}
	for (int r = 0; r < LEDGER_ROLES; r++)
		for (uint32_t i = 0; i < segment->counts[ledger_roles[r]]; i++)
			writer_slot_reset(segment_writer(segment, ledger_roles[r], i));
	for (uint32_t c = 0; c < segment->counts[ROLE_COURIER]; c++)
		courier_slot_reset(segment_courier(segment, c));
	node_set_heartbeat_us(&h->node, 0);
	node_write(&h->node, &(struct node_row){0}); /* courier 0 takes a new epoch at each start of a master */
}

static int
open_eventfds(struct segment *segment, struct error *err)
{
	segment->master_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (segment->master_fd < 0)
		return error_errno(err, "cannot make an eventfd");
	for (uint32_t i = 0; i < segment_slot_count(segment); i++) {
		segment->wake_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (segment->wake_fds[i] < 0)
			return error_errno(err, "cannot make an eventfd");
	}
	return 0;
}

int
segment_open(struct segment *segment, const struct config *config, struct error *err)
{
	struct segment_header planned;
	bool made;

	memset(segment, 0, sizeof *segment);
	segment->master_fd = -1;
	for (int i = 0; i < PROCESSES_MAX; i++)
		segment->wake_fds[i] = -1;
	if (plan(config, &planned, err) != 0 || take_file(segment, &planned, config->ring_path, &made, err) != 0)
		return -1;
	segment->fresh = made && !planned.counts_on;
	begin_run(segment, config, planned.boot_id);
	return open_eventfds(segment, err);
}
