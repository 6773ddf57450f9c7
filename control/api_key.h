/* Functions common to the handlers that make, show and change API keys. Worker threads. */
#ifndef CONTROL_API_KEY_H
#define CONTROL_API_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "api/document.h"
#include "base/bytes.h"
#include "control/object_id.h"
#include "control/request.h"
#include "store/webhooks/api_keys.h"

#define API_KEY_BEGIN "hl_live_"
#define API_KEY_DIGITS 43 /* 32 random bytes in base 62 */
#define API_KEY_BYTES (sizeof API_KEY_BEGIN - 1 + API_KEY_DIGITS + 1)
#define API_KEY_PREFIX_BYTES (sizeof API_KEY_BEGIN - 1 + 6 + 1)

/* A new key. Its text leaves the process once, in the reply; the function that made the key wipes it. */
struct new_api_key {
	char id[OBJECT_ID_BYTES];
	char text[API_KEY_BYTES];
	char prefix[API_KEY_PREFIX_BYTES];
	char hash[65];
};

void new_api_key_make(struct new_api_key *key);

/*
 * Reads the members of a key that a client may set into *terms, whose spans then point into the document or into
 * scopes. A missing member changes nothing; null sets the default. false: document->error says what is wrong.
 */
bool api_key_terms_read(struct document *document, struct api_key_terms *terms, struct bytes *scopes);

/*
 * Whether the caller has all scopes that the terms grant. If not, the reply is 403 and names one: nobody can grant, or
 * get by a rotation, more than the caller's own key has.
 */
bool api_key_terms_allowed(const struct request *request, const struct api_key_terms *terms, struct reply *reply);

/* The scopes of terms as bits. Ignores scopes unknown to this version. */
uint32_t api_key_scope_bits(const struct api_key_terms *terms);

/* The object for replies and the audit log, without the key. Never NULL. */
cJSON *api_key_show(const struct api_key_row *key);

/*
 * In the transaction of a change: stores the tenant's key and its audit row. *rows has the stored row; the caller
 * releases it. Returns as db_query().
 */
int api_key_store(const struct request *request, const struct new_api_key *key, const char *tenant_id,
    const struct api_key_terms *terms, struct db_rows **rows,
    struct error *err); /* six: what is made for whom, and what comes back */

/*
 * After the commit of a change of keys: updates the key table, so that the change applies to the next request. If that
 * fails the reply becomes 503.
 */
void api_keys_changed(const struct request *request, struct reply *reply);

#endif
