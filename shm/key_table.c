/* The acceptors' part of the table: looking up, charging, recording uses. */
#include "shm/key_table.h"

#include <ck_pr.h>
#include <string.h>

#include "shm/token_bucket.h"

/* Record a use at most this often, because all acceptors share the word. */
#define NOTE_EVERY_MS 1000

/* Check every number: the page may be half written, or the file damaged. */
static bool
look_up(const struct key_table *table, const uint32_t *page, const uint8_t hash[SHA256_BYTES], struct api_key *out)
{
	uint32_t cell = key_table_cell(hash);

	for (uint32_t n = 0; n < KEY_TABLE_CELLS; n++) {
		uint32_t place = ck_pr_load_32(&page[cell]);

		if (place == 0)
			return false;
		if (place <= KEY_TABLE_PLACES && crypto_equal(table->keys[place - 1].hash, hash, SHA256_BYTES)) {
			*out = table->keys[place - 1];
			return true;
		}
		cell = (cell + 1) % KEY_TABLE_CELLS;
	}
	return false;
}

int
key_table_find(const struct key_table *table, const uint8_t hash[SHA256_BYTES], struct api_key *out)
{
	bool loaded = key_table_loaded(table), found;
	uint32_t turn;

	do {
		turn = ck_pr_load_32(&table->turn);
		ck_pr_fence_load();
		found = look_up(table, table->pages[turn % 2], hash, out);
		ck_pr_fence_load();
	} while (ck_pr_load_32(&table->turn) != turn);
	if (!found)
		return loaded ? KEY_UNKNOWN : KEY_NOT_LOADED;
	out->key_id[sizeof out->key_id - 1] = out->tenant_id[sizeof out->tenant_id - 1] = '\0';
	out->name[sizeof out->name - 1] = '\0';
	return 0;
}

bool
key_table_loaded(const struct key_table *table)
{
	bool loaded = ck_pr_load_32(&table->loaded) != 0;

	/* loaded is set after the turn that adds the store's keys, so later reads see at least that turn. */
	ck_pr_fence_load();
	return loaded;
}

int64_t
key_table_wait_us(const struct key_table *table, const struct api_key *key, int64_t now_us)
{
	const struct key_use *use = &table->uses[key->slot % KEY_TABLE_KEYS];
	int64_t events_us = 0, bytes_us = 0;

	if (key->events_per_second > 0)
		events_us = token_bucket_wait_us(&use->events, key->events_per_second, now_us);
	if (key->bytes_per_second > 0)
		bytes_us = token_bucket_wait_us(&use->bytes, key->bytes_per_second, now_us);
	return events_us > bytes_us ? events_us : bytes_us;
}

int64_t
key_table_charge(struct key_table *table, const struct api_key *key, uint64_t events, uint64_t bytes, int64_t now_us)
{
	struct key_use *use = &table->uses[key->slot % KEY_TABLE_KEYS];
	int64_t wait_us = 0;

	if (key->events_per_second > 0)
		wait_us = token_bucket_take(&use->events, key->events_per_second, events, now_us);
	if (wait_us > 0 || key->bytes_per_second == 0)
		return wait_us;
	wait_us = token_bucket_take(&use->bytes, key->bytes_per_second, bytes, now_us);
	if (wait_us > 0 && key->events_per_second > 0)
		token_bucket_put_back(&use->events, key->events_per_second, events);
	return wait_us;
}

void
key_table_note_use(struct key_table *table, const struct api_key *key, int64_t now_ms)
{
	uint64_t *used = &table->uses[key->slot % KEY_TABLE_KEYS].used_ms;

	if ((uint64_t)now_ms - ck_pr_load_64(used) >= NOTE_EVERY_MS)
		ck_pr_store_64(used, (uint64_t)now_ms);
}

int64_t
key_table_used_ms(const struct key_table *table, const struct api_key *key)
{
	return (int64_t)ck_pr_load_64(&table->uses[key->slot % KEY_TABLE_KEYS].used_ms);
}
