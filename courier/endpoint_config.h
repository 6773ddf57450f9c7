/*
 * An endpoint as it is to be delivered to: what its row says, read and decrypted. The store thread makes it, the loop
 * replaces an older one by it; attempts that are under way keep the one that they began with. Nothing changes it.
 */
#ifndef COURIER_ENDPOINT_CONFIG_H
#define COURIER_ENDPOINT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "config/config.h"
#include "config/retry_schedule.h"
#include "courier/breaker.h"

struct endpoint;
struct secrets;

enum endpoint_body { BODY_ENVELOPE, BODY_BARE_EVENT, BODY_PAYLOAD };

struct endpoint_config {
	uint32_t references; /* of one process; its loop's thread alone counts, after the store thread has made it */
	uint8_t endpoint_id[16];
	char *tenant_id;
	int64_t version;
	char *url; /* as it was given; a credential */
	char *host; /* for logs and errors */
	struct bytes secret; /* plain; x-hl-signature is made with it during an overlap only when old_secret is empty */
	struct bytes old_secret; /* plain; empty: none, or its time was over when the row was read */
	int64_t old_secret_until_ms; /* wall clock */
	struct bytes headers; /* of its own, as lines of a request: "name: value\r\n" each; a credential */
	bool enabled, paused;
	bool secrets_missing; /* their master key is not in the configuration: nothing is sent, nothing dies */
	bool damaged; /* its row holds what the API would not have taken, or cannot be decrypted: the same */
	bool fail_fast, keep_response, legacy_headers, exact_limits;
	bool fifo, by_key, blocks; /* in order; in that of each ordering_key; a dead letter stops its order */
	enum endpoint_body body;
	enum breaker_state breaker; /* as the store had it when the row was read */
	int64_t breaker_version; /* another one: what older attempts came to does not count for the breaker */
	uint32_t timeout_ms, max_in_flight, rate_limit_rps;
	uint32_t waits_ms[RETRY_WAITS_MAX];
	uint32_t waits; /* of them; a job has waits + 1 attempts */
};

/* Whether its row cannot be used. Publishers do not know that: they add its jobs as pending ones. */
static inline bool
endpoint_is_unusable(const struct endpoint_config *config)
{
	return config->secrets_missing || config->damaged;
}

/* Whether jobs are held: the endpoint is disabled or paused, or its row cannot be used. */
static inline bool
endpoint_holds(const struct endpoint_config *config)
{
	return !config->enabled || config->paused || endpoint_is_unusable(config);
}

/*
 * Reads a row, as endpoints_get() gives it. Never NULL: a row that cannot be used makes an endpoint that holds, and
 * *why says why without its secrets; else why->text is "". The caller has the one reference. Any thread.
 */
struct endpoint_config *endpoint_config_new(const struct config *config, const struct secrets *secrets,
    const char *tenant_id, const struct endpoint *row, struct error *why);

/* The longest time that a job may wait: 1.5 times the schedule, at least 24 hours. ms. */
int64_t endpoint_lifetime_ms(const struct endpoint_config *config);

/* Takes a reference, and gives one back; the last one wipes the secrets and frees it. NULL is allowed in the second. */
struct endpoint_config *endpoint_config_take(struct endpoint_config *config);
void endpoint_config_give(struct endpoint_config *config);

#endif
