/*
 * The writer prepares the next page in private memory and keeps lists of free places and slots. A place or slot given
 * up by a change is kept until the commit, because readers still use it.
 */
#include "shm/key_writer.h"

#include <assert.h>
#include <ck_pr.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NO_SLOT UINT32_MAX
#define NO_CELL UINT32_MAX

struct key_writer {
	struct key_table *table;
	bool changed;
	uint32_t stored; /* keys of the store */
	uint32_t free_place_count, free_slot_count, given_up_count;
	uint32_t cells[KEY_TABLE_CELLS];
	uint32_t free_places[KEY_TABLE_PLACES];
	uint32_t free_slots[KEY_TABLE_KEYS];
	struct {
		uint32_t place, slot; /* slot may be NO_SLOT: the key keeps it in another place */
	} given_up[KEY_TABLE_PLACES];
	bool marked[KEY_TABLE_PLACES];
};

/* The key that a used cell names. */
static struct api_key *
key_at(const struct key_writer *writer, uint32_t cell)
{
	return &writer->table->keys[writer->cells[cell] - 1];
}

/* The cell of the key with that hash, or the empty cell where it would go. */
static uint32_t
find_cell(const struct key_writer *writer, const uint8_t hash[SHA256_BYTES])
{
	uint32_t cell = key_table_cell(hash);

	while (writer->cells[cell] != 0 && memcmp(key_at(writer, cell)->hash, hash, SHA256_BYTES) != 0)
		cell = (cell + 1) % KEY_TABLE_CELLS;
	return cell;
}

/* ---- open ---- */

/* Takes over the keys that the page names. Returns false if the page is damaged. */
static bool
take_over(struct key_writer *writer, bool *place_used, bool *slot_used)
{
	for (uint32_t cell = 0; cell < KEY_TABLE_CELLS; cell++) {
		uint32_t number = writer->cells[cell];
		const struct api_key *key;

		if (number == 0)
			continue;
		if (number > KEY_TABLE_PLACES || place_used[number - 1])
			return false;
		key = key_at(writer, cell);
		if (key->slot >= KEY_TABLE_KEYS || slot_used[key->slot])
			return false;
		place_used[number - 1] = slot_used[key->slot] = true;
		writer->stored += key->is_start_key == 0;
	}
	for (uint32_t cell = 0; cell < KEY_TABLE_CELLS; cell++)
		if (writer->cells[cell] != 0 && find_cell(writer, key_at(writer, cell)->hash) != cell)
			return false;
	return true;
}

struct key_writer *
key_writer_open(struct key_table *table, bool *damaged)
{
	struct key_writer *writer = mem_new(1, sizeof *writer);
	bool *place_used = mem_new(KEY_TABLE_PLACES, 1), *slot_used = mem_new(KEY_TABLE_KEYS, 1);
	bool whole;

	writer->table = table;
	memcpy(writer->cells, table->pages[table->turn % 2], sizeof writer->cells);
	whole = take_over(writer, place_used, slot_used);
	if (!whole) {
		memset(writer->cells, 0, sizeof writer->cells);
		memset(place_used, 0, KEY_TABLE_PLACES);
		memset(slot_used, 0, KEY_TABLE_KEYS);
		writer->stored = 0;
		writer->changed = true;
		(void)key_writer_commit(writer);
	}
	if (damaged != NULL)
		*damaged = !whole;
	for (uint32_t place = KEY_TABLE_PLACES; place-- > 0;)
		if (!place_used[place])
			writer->free_places[writer->free_place_count++] = place;
	for (uint32_t slot = KEY_TABLE_KEYS; slot-- > 0;)
		if (!slot_used[slot])
			writer->free_slots[writer->free_slot_count++] = slot;
	free(place_used);
	free(slot_used);
	return writer;
}

void
key_writer_close(struct key_writer *writer)
{
	free(writer);
}

void
key_table_reset(struct key_table *table)
{
	memset(table, 0, offsetof(struct key_table, keys));
}

void
key_table_begin_run(struct key_table *table)
{
	ck_pr_store_32(&table->loaded, 0);
}

/* ---- changes ---- */

static void
give_up(struct key_writer *writer, uint32_t place, uint32_t slot)
{
	assert(writer->given_up_count < KEY_TABLE_PLACES);
	writer->given_up[writer->given_up_count].place = place;
	writer->given_up[writer->given_up_count++].slot = slot;
	writer->changed = true;
}

/* Returns a free place. After a commit there always is one, because there are more places than keys. */
static uint32_t
take_place(struct key_writer *writer)
{
	if (writer->free_place_count == 0)
		(void)key_writer_commit(writer);
	assert(writer->free_place_count > 0);
	return writer->free_places[--writer->free_place_count];
}

/* Returns a free slot, with full buckets. */
static uint32_t
take_slot(struct key_writer *writer)
{
	uint32_t slot;

	if (writer->free_slot_count == 0)
		(void)key_writer_commit(writer);
	assert(writer->free_slot_count > 0);
	slot = writer->free_slots[--writer->free_slot_count];
	ck_pr_store_64(&writer->table->uses[slot].events, 0);
	ck_pr_store_64(&writer->table->uses[slot].bytes, 0);
	ck_pr_store_64(&writer->table->uses[slot].used_ms, 0);
	return slot;
}

static bool
same(const struct api_key *a, const struct api_key *b)
{
	struct api_key other = *b;

	other.slot = a->slot;
	return memcmp(a, &other, sizeof other) == 0;
}

enum key_put
key_writer_put(struct key_writer *writer, const struct api_key *key)
{
	uint32_t cell = find_cell(writer, key->hash), place, slot;

	if (writer->cells[cell] != 0) {
		const struct api_key *old = key_at(writer, cell);

		if (same(old, key) || (old->is_start_key && !key->is_start_key)) {
			writer->marked[writer->cells[cell] - 1] = true;
			return KEY_PUT;
		}
		place = take_place(writer);
		slot = old->slot;
		writer->stored += (uint32_t)old->is_start_key - key->is_start_key;
		give_up(writer, writer->cells[cell] - 1, NO_SLOT);
	} else {
		if (!key->is_start_key && writer->stored == KEY_TABLE_STORED)
			return KEY_TABLE_FULL;
		place = take_place(writer);
		slot = take_slot(writer);
		writer->stored += key->is_start_key == 0;
		writer->changed = true;
	}
	writer->table->keys[place] = *key;
	writer->table->keys[place].slot = slot;
	writer->cells[cell] = place + 1;
	writer->marked[place] = true;
	return KEY_PUT;
}

/* Empties a cell, and moves later cells into the gap that could not be found otherwise. */
static void
empty_cell(struct key_writer *writer, uint32_t gap)
{
	uint32_t next = gap;

	while (writer->cells[next = (next + 1) % KEY_TABLE_CELLS] != 0) {
		uint32_t first = key_table_cell(key_at(writer, next)->hash);

		/* Skip it unless the gap is between its first cell and its place. */
		if ((next - first) % KEY_TABLE_CELLS < (next - gap) % KEY_TABLE_CELLS)
			continue;
		writer->cells[gap] = writer->cells[next];
		gap = next;
	}
	writer->cells[gap] = 0;
}

static void
remove_cell(struct key_writer *writer, uint32_t cell)
{
	const struct api_key *key = key_at(writer, cell);

	writer->stored -= key->is_start_key == 0;
	give_up(writer, writer->cells[cell] - 1, key->slot);
	empty_cell(writer, cell);
}

void
key_writer_remove(struct key_writer *writer, const uint8_t hash[SHA256_BYTES])
{
	uint32_t cell = find_cell(writer, hash);

	if (writer->cells[cell] != 0 && !key_at(writer, cell)->is_start_key)
		remove_cell(writer, cell);
}

void
key_writer_unmark(struct key_writer *writer)
{
	memset(writer->marked, 0, sizeof writer->marked);
}

void
key_writer_sweep(struct key_writer *writer, bool start_keys)
{
	/*
	 * Look at a cell again after removing from it, because a key may have moved there. A key that moves around the
	 * end was looked at before.
	 */
	for (uint32_t cell = 0; cell < KEY_TABLE_CELLS;)
		if (writer->cells[cell] != 0 && !writer->marked[writer->cells[cell] - 1] &&
		    (key_at(writer, cell)->is_start_key != 0) == start_keys)
			remove_cell(writer, cell);
		else
			cell++;
}

void
key_writer_remove_expired(struct key_writer *writer, int64_t now_ms)
{
	for (uint32_t cell = 0; cell < KEY_TABLE_CELLS;)
		if (writer->cells[cell] != 0 && key_at(writer, cell)->expires_ms <= now_ms &&
		    !key_at(writer, cell)->is_start_key)
			remove_cell(writer, cell);
		else
			cell++;
}

bool
key_writer_commit(struct key_writer *writer)
{
	struct key_table *table = writer->table;
	uint32_t turn = table->turn;

	if (!writer->changed)
		return false;
	memcpy(table->pages[(turn + 1) % 2], writer->cells, sizeof writer->cells);
	ck_pr_fence_store();
	ck_pr_store_32(&table->turn, turn + 1);
	ck_pr_fence_store(); /* a reader that sees a later write also sees the turn */
	while (writer->given_up_count > 0) {
		writer->given_up_count--;
		writer->free_places[writer->free_place_count++] = writer->given_up[writer->given_up_count].place;
		if (writer->given_up[writer->given_up_count].slot != NO_SLOT)
			writer->free_slots[writer->free_slot_count++] = writer->given_up[writer->given_up_count].slot;
	}
	writer->changed = false;
	return true;
}

void
key_writer_set_loaded(struct key_writer *writer)
{
	ck_pr_fence_store();
	ck_pr_store_32(&writer->table->loaded, 1);
}

uint32_t
key_writer_count(const struct key_writer *writer)
{
	return writer->stored;
}

bool
key_writer_next(const struct key_writer *writer, uint32_t *at, struct api_key *out)
{
	while (*at < KEY_TABLE_CELLS) {
		uint32_t cell = (*at)++;

		if (writer->cells[cell] == 0)
			continue;
		*out = *key_at(writer, cell);
		return true;
	}
	return false;
}
