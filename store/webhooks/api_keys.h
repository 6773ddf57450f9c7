/*
 * API keys in the webhooks' store, as the management API changes them. A row holds the SHA-256 of the key, never the
 * key. store/webhooks/key_rows.h reads the rows for the key table.
 *
 * The functions return what db_query() does (store/db.h). Those that change something are for a transaction, and take
 * the version from changes_raise() in it; call key_loader_refresh() after its commit.
 */
#ifndef STORE_WEBHOOKS_API_KEYS_H
#define STORE_WEBHOOKS_API_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "store/db.h"
#include "store/webhooks/list_slice.h"

/* What a client may set. */
struct api_key_terms {
	struct span name; /* base NULL: null */
	struct span scopes; /* a JSON array of texts */
	int64_t events_per_second, bytes_per_second; /* 0: no limit */
	int64_t expires_ms; /* 0: never */
};

/* A row. Texts are borrowed from db_rows and followed by a NUL. */
struct api_key_row {
	struct span id; /* UUIDv7 */
	struct span tenant_id;
	struct span prefix;
	struct api_key_terms terms;
	int64_t created_ms, revoked_ms, last_used_ms; /* 0: no */
	struct span replaced_by; /* the key that replaces it after a rotation; base NULL: none */
};

/* The key of a row of the functions below. */
struct api_key_row api_key_of_row(const struct db_rows *rows, uint32_t row);

/* What identifies a new key. */
struct api_key_identity {
	const char *id; /* UUIDv7 */
	const char *tenant_id;
	const char *prefix; /* the first characters */
	const char *hash; /* SHA-256 in lower-case hex */
};

/* Makes one. */
int api_keys_insert(struct db *db, const struct api_key_identity *identity, const struct api_key_terms *terms,
    int64_t version, struct error *err);

/*
 * Reads a key of that tenant; NULL: of any tenant. *rows has one row, or none: there is no such key, or its tenant is
 * deleted. for_update: in a transaction; locks the row until its end.
 */
int api_keys_get(struct db *db, const char *tenant_id, const char *key_id, bool for_update, struct db_rows **rows,
    struct error *err); /* six: a key, how, and what comes back */

int api_keys_update(struct db *db, const struct api_key_row *key, const struct api_key_terms *terms, int64_t version,
    struct error *err);

/* Records the key's successor and when this key expires: milliseconds since 1970. */
int api_keys_replace(struct db *db, const struct api_key_row *key, const char *successor_id, int64_t expires_ms,
    int64_t version, struct error *err); /* six: a key and what it gets */

/* Refuses it for good. */
int api_keys_revoke(struct db *db, const struct api_key_row *key, int64_t version, struct error *err);

/*
 * Locks the keys of a tenant that are not revoked. A transaction that changes keys must lock their rows before it calls
 * changes_raise(): in the other order two transactions could deadlock.
 */
int api_keys_lock_all(struct db *db, const char *tenant_id, struct error *err);

/* Refuses all keys of a tenant for good. */
int api_keys_revoke_all(struct db *db, const char *tenant_id, int64_t version, struct error *err);

/* The keys of a tenant in the order of their ids. */
int api_keys_list(
    struct db *db, const char *tenant_id, const struct list_slice *slice, struct db_rows **rows, struct error *err);

#endif
