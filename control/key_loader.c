/*
 * The loader remembers the place, in the order of changes, up to which the table has the keys. It forgets the place
 * after a failure: the store may have failed over to a server that lacks the last changes and will reuse their
 * versions.
 */
#include "control/key_loader.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "api/scopes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/repeat.h"
#include "base/utf8.h"
#include "config/text_rules.h"
#include "shm/key_writer.h"
#include "store/webhooks/changes.h"
#include "store/webhooks/key_rows.h"

#define ROWS_A_PAGE 2000
#define USES_A_TRANSACTION 200

struct key_loader {
	pthread_mutex_t lock;
	struct key_writer *writer; /* NULL: there is no table */
	struct key_table *table;
	bool whole; /* the table has all keys up to place */
	struct key_rows_place place;
	bool left_out; /* some keys had no room: they are read again when there is room */
	int64_t version; /* changes.version when the table was last brought up to date */
	struct repeat full;
	uint64_t written_ms[KEY_TABLE_KEYS]; /* by slot: the last use that the store knows */
};

struct key_loader *
key_loader_new(struct key_table *table)
{
	struct key_loader *loader = mem_new(1, sizeof *loader);

	loader->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	loader->table = table;
	if (table != NULL)
		loader->writer = key_writer_open(table, NULL);
	return loader;
}

void
key_loader_free(struct key_loader *loader)
{
	if (loader->writer != NULL)
		key_writer_close(loader->writer);
	free(loader);
}

/* ---- rows ---- */

static int
nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_hash(struct span hex, uint8_t hash[SHA256_BYTES])
{
	if (hex.len != 2 * SHA256_BYTES)
		return false;
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		int high = nibble(hex.base[2 * i]), low = nibble(hex.base[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		hash[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Ignores unknown words: the API checks scopes, but a DBA may have written others. */
static uint32_t
read_scopes(struct span json)
{
	cJSON *list = cJSON_ParseWithLength(json.base, json.len), *item;
	uint32_t bits = 0;

	cJSON_ArrayForEach(item, list)
	{
		if (cJSON_IsString(item))
			(void)scopes_parse((struct span){item->valuestring, strlen(item->valuestring)}, &bits);
	}
	cJSON_Delete(list);
	return bits;
}

/* Copies as many whole characters as fit. */
static void
copy_name(char *to, size_t size, struct span text)
{
	size_t len = 0, n;

	while (len < text.len && (n = utf8_length(text.base + len, text.len - len)) > 0 && len + n < size)
		len += n;
	memcpy(to, text.base != NULL ? text.base : "", len);
	to[len] = '\0';
}

/* The API would not have accepted a negative limit. */
static uint64_t
read_limit(const struct db_rows *rows, uint32_t row, enum key_column column)
{
	int64_t limit = db_rows_int(rows, row, column);

	return limit > 0 ? (uint64_t)limit : 0;
}

/* Only revoked keys of removed tenants have no tenant. */
static bool
tenant_is_right(struct span tenant, bool revoked)
{
	return revoked ? tenant.len <= TENANT_ID_MAX : text_is_tenant(tenant.base, tenant.len);
}

/* false: the API cannot have made this row. */
static bool
read_key(const struct db_rows *rows, uint32_t row, struct api_key *key)
{
	struct span id = db_rows_text(rows, row, KEY_COLUMN_ID), tenant = db_rows_text(rows, row, KEY_COLUMN_TENANT_ID);
	uint64_t events = read_limit(rows, row, KEY_COLUMN_EVENTS_PER_SECOND);

	*key = (struct api_key){
	    .expires_ms = db_rows_null(rows, row, KEY_COLUMN_EXPIRES_MS)
			      ? KEY_NEVER
			      : db_rows_int(rows, row, KEY_COLUMN_EXPIRES_MS),
	    .bytes_per_second = read_limit(rows, row, KEY_COLUMN_BYTES_PER_SECOND),
	    .events_per_second = events < UINT32_MAX ? (uint32_t)events : UINT32_MAX,
	    .scopes = read_scopes(db_rows_text(rows, row, KEY_COLUMN_SCOPES)),
	};
	copy_name(key->name, sizeof key->name, db_rows_text(rows, row, KEY_COLUMN_NAME));
	(void)snprintf(key->key_id, sizeof key->key_id, "%s", id.base);
	(void)snprintf(key->tenant_id, sizeof key->tenant_id, "%s", tenant.base);
	return id.len < sizeof key->key_id && tenant_is_right(tenant, db_rows_bool(rows, row, KEY_COLUMN_REVOKED)) &&
	       read_hash(db_rows_text(rows, row, KEY_COLUMN_HASH), key->hash);
}

/* false: no room for the key. */
static bool
put(struct key_loader *loader, const struct api_key *key, int64_t now_ms)
{
	if (key_writer_put(loader->writer, key) == KEY_PUT)
		return true;
	key_writer_remove_expired(loader->writer, now_ms);
	return key_writer_put(loader->writer, key) == KEY_PUT;
}

/* Returns the number of keys without room. */
static uint32_t
take_rows(struct key_loader *loader, const struct db_rows *rows)
{
	int64_t now_ms = clock_wall_us() / 1000;
	uint32_t left_out = 0;

	for (uint32_t row = 0; row < db_rows_count(rows); row++) {
		struct api_key key;

		if (!read_key(rows, row, &key))
			continue;
		if (db_rows_bool(rows, row, KEY_COLUMN_REVOKED))
			key_writer_remove(loader->writer, key.hash);
		else if (key.expires_ms <= now_ms) /* wanted again only if a wrong clock is set back */
			(void)key_writer_put(loader->writer, &key);
		else
			left_out += !put(loader, &key, now_ms);
	}
	return left_out;
}

/* ---- refreshing ---- */

static void
log_left_out(struct key_loader *loader, uint32_t left_out)
{
	uint64_t times = left_out > 0 ? repeat_met(&loader->full, clock_steady_us()) : 0;

	if (times > 0)
		log_warning("there are more API keys than the service holds: the newest are refused",
		    LOG_UINT("left_out", left_out), LOG_UINT("most", KEY_TABLE_STORED), LOG_UINT("times", times));
}

/* Reads everything behind the loader's place. */
static int
read_rows(struct key_loader *loader, struct db *db, struct error *err)
{
	uint32_t count, left_out = 0;

	do {
		struct db_rows *rows;
		int rc = key_rows_after(db, &loader->place, ROWS_A_PAGE, &rows, err);

		if (rc != 0)
			return rc;
		count = db_rows_count(rows);
		left_out += take_rows(loader, rows);
		db_rows_free(rows);
	} while (count == ROWS_A_PAGE);
	loader->left_out = loader->left_out || left_out > 0;
	log_left_out(loader, left_out);
	return 0;
}

static int
load_all(struct key_loader *loader, struct db *db, struct error *err)
{
	int64_t begun_us = clock_steady_us();
	int rc;

	loader->place = key_rows_begin();
	loader->left_out = false;
	key_writer_unmark(loader->writer);
	rc = read_rows(loader, db, err);
	if (rc != 0)
		return rc;
	key_writer_sweep(loader->writer, false);
	(void)key_writer_commit(loader->writer);
	key_writer_set_loaded(loader->writer);
	loader->whole = true;
	log_info("API keys loaded", LOG_UINT("keys", key_writer_count(loader->writer)),
	    LOG_INT("ms", (clock_steady_us() - begun_us) / 1000));
	return 0;
}

/* version: the store's, read before. */
static int
bring_up_to_date(struct key_loader *loader, struct db *db, int64_t version, struct error *err)
{
	int rc;

	if (version < loader->version)
		loader->whole = false; /* the store has gone back to an older state */
	if (!loader->whole) {
		rc = load_all(loader, db, err);
	} else {
		rc = read_rows(loader, db, err);
		(void)key_writer_commit(loader->writer);
	}
	if (rc == 0 && loader->left_out && key_writer_count(loader->writer) < KEY_TABLE_STORED)
		rc = load_all(loader, db, err);
	if (rc == 0)
		loader->version = version;
	return rc;
}

static int
refresh(struct key_loader *loader, struct db *db, bool only_if_moved, struct error *err)
{
	int64_t version;
	int rc;

	if (loader->writer == NULL)
		return 0;
	pthread_mutex_lock(&loader->lock);
	rc = changes_version(db, &version, err);
	if (rc == 0 && !(only_if_moved && loader->whole && version == loader->version))
		rc = bring_up_to_date(loader, db, version, err);
	if (rc != 0)
		loader->whole = false;
	pthread_mutex_unlock(&loader->lock);
	return rc;
}

int
key_loader_refresh(struct key_loader *loader, struct db *db, struct error *err)
{
	return refresh(loader, db, false, err);
}

int
key_loader_follow(struct key_loader *loader, struct db *db, struct error *err)
{
	return refresh(loader, db, true, err);
}

/* ---- uses ---- */

/* Gathers keys whose last use is not stored yet; *at as in key_writer_next(). Returns their number. */
static uint32_t
gather_uses(struct key_loader *loader, uint32_t *at, struct key_use_row uses[USES_A_TRANSACTION])
{
	uint32_t count = 0;
	struct api_key key;

	pthread_mutex_lock(&loader->lock);
	while (count < USES_A_TRANSACTION && key_writer_next(loader->writer, at, &key)) {
		uint64_t used_ms = (uint64_t)key_table_used_ms(loader->table, &key);

		if (key.is_start_key || used_ms == 0 || used_ms == loader->written_ms[key.slot])
			continue;
		loader->written_ms[key.slot] = used_ms;
		uses[count].used_ms = (int64_t)used_ms;
		memcpy(uses[count].key_id, key.key_id, sizeof uses[count].key_id);
		memcpy(uses[count].tenant_id, key.tenant_id, sizeof uses[count].tenant_id);
		count++;
	}
	pthread_mutex_unlock(&loader->lock);
	return count;
}

/* Makes all uses be written again after an uncertain failure; those already stored change nothing. */
static void
forget_written(struct key_loader *loader)
{
	pthread_mutex_lock(&loader->lock);
	memset(loader->written_ms, 0, sizeof loader->written_ms);
	pthread_mutex_unlock(&loader->lock);
}

int
key_loader_write_uses(struct key_loader *loader, struct db *db, struct error *err)
{
	struct key_use_row uses[USES_A_TRANSACTION];
	uint32_t at = 0, count;
	int rc = 0;

	if (loader->writer == NULL)
		return 0;
	while (rc == 0 && (count = gather_uses(loader, &at, uses)) > 0)
		rc = key_rows_set_used(db, uses, count, err);
	if (rc != 0)
		forget_written(loader);
	return rc;
}
