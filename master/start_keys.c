/* Start keys are rows of the key table that reading the store never changes. */
#include "master/start_keys.h"

#include <stdio.h>
#include <string.h>

#include "api/scopes.h"
#include "base/crypto.h"
#include "base/log.h"
#include "shm/key_writer.h"

/* Puts a key. name is the option, which is also the key's name in the audit log. */
static void
put(struct key_writer *writer, const struct config *config, const char *text, const char *name, uint32_t scopes)
{
	struct api_key key = {.expires_ms = KEY_NEVER, .scopes = scopes, .is_start_key = 1};

	if (text == NULL)
		return;
	crypto_sha256((struct span){text, strlen(text)}, key.hash);
	(void)snprintf(key.key_id, sizeof key.key_id, "%s", name);
	(void)snprintf(key.name, sizeof key.name, "%s", name);
	(void)snprintf(key.tenant_id, sizeof key.tenant_id, "%s", config->hl_tenant_id);
	(void)key_writer_put(writer, &key); /* cannot fail: places are reserved for start keys */
}

void
start_keys_put(const struct config *config, const struct segment *segment)
{
	uint32_t admin = SCOPE_BIT(SCOPE_ADMIN);
	struct key_writer *writer;
	bool damaged;

	if (!config_api_is_on(config))
		return;
	if (segment->keys == NULL) {
		log_warning(
		    "the ring of the previous run has no room for API keys: no key is known until the next start");
		return;
	}
	writer = key_writer_open(segment->keys, &damaged);
	if (damaged)
		log_warning("the table of API keys was damaged: keys are read from the store again");
	key_writer_unmark(writer);
	put(writer, config, config->hl_api_key, "HL_API_KEY",
	    SCOPES_ALL_BUT_ADMIN | (config->hl_admin_key == NULL ? admin : 0));
	put(writer, config, config->hl_admin_key, "HL_ADMIN_KEY", SCOPES_ALL_BUT_ADMIN | admin);
	key_writer_sweep(writer, true);
	(void)key_writer_commit(writer);
	key_writer_close(writer);
}
