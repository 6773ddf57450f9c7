/*
 * An endpoint's configuration for delivery: its row, checked and decrypted. The store thread makes it; the loop
 * replaces the older one with it. An attempt keeps the one that it began with. It never changes.
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
	uint32_t references; /* within one process; only the loop's thread counts, after the store thread has made it */
	uint8_t endpoint_id[16];
	char *tenant_id;
	int64_t version;
	char *url; /* as it was given; a credential */
	char *host; /* for logs and errors */
	struct bytes secret; /* plain; x-hl-signature uses it only while old_secret is empty */
	struct bytes old_secret; /* plain; empty: none, or expired when the row was read */
	int64_t old_secret_until_ms; /* wall clock */
	struct bytes headers; /* its own headers, "name: value\r\n" each; a credential */
	bool enabled, paused;
	bool secrets_missing; /* the configuration lacks their master key: nothing is sent, no job dies */
	bool damaged; /* the row is not valid or cannot be decrypted: the same */
	bool fail_fast, keep_response, legacy_headers, exact_limits;
	bool fifo, by_key, blocks; /* keep an order; one for each ordering_key; a dead letter stops its order */
	enum endpoint_body body;
	enum breaker_state breaker; /* as stored when the row was read */
	int64_t breaker_version; /* after a change, results of older attempts do not count for the breaker */
	uint32_t timeout_ms, max_in_flight, rate_limit_rps;
	uint32_t waits_ms[RETRY_WAITS_MAX];
	uint32_t waits; /* number of waits; a job has waits + 1 attempts */
};

/* Whether its row cannot be used. Publishers do not check this: they add its jobs as pending. */
static inline bool
endpoint_is_unusable(const struct endpoint_config *config)
{
	return config->secrets_missing || config->damaged;
}

/* Whether it holds its jobs: the endpoint is disabled or paused, or its row cannot be used. */
static inline bool
endpoint_holds(const struct endpoint_config *config)
{
	return !config->enabled || config->paused || endpoint_is_unusable(config);
}

/*
 * Reads a row, as endpoints_get() gives it. Never NULL: a row that cannot be used makes an endpoint that holds its
 * jobs, and *why names the reason without secrets; otherwise why->text is "". The caller owns the only reference. Any
 * thread.
 */
struct endpoint_config *endpoint_config_new(const struct config *config, const struct secrets *secrets,
    const char *tenant_id, const struct endpoint *row, struct error *why);

/* The longest time that a job may wait: 1.5 times the schedule, at least 24 hours. ms. */
int64_t endpoint_lifetime_ms(const struct endpoint_config *config);

/* Take and drop a reference; dropping the last one wipes the secrets and frees it. endpoint_config_unref() allows NULL.
 */
struct endpoint_config *endpoint_config_ref(struct endpoint_config *config);
void endpoint_config_unref(struct endpoint_config *config);

#endif
