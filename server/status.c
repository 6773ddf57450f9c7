/* Health and metrics from the segment's slots and lanes. */
#include "server/status.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/mem.h"
#include "base/version.h"
#include "server/acceptor.h"
#include "server/exchange.h"
#include "server/openapi.h"
#include "server/reply.h"
#include "shm/counters.h"
#include "shm/heartbeat.h"
#include "shm/key_table.h"
#include "shm/metrics.h"
#include "shm/settle.h"

#define OPENMETRICS "application/openmetrics-text"

/* The worst store state, for clients, of a role's processes. */
static enum store_state
worst_store(const struct acceptor *acceptor, enum role role)
{
	static const int badness[] = {
	    [STORE_READY] = 0, [STORE_SPOOLING] = 1, [STORE_CONNECTING] = 2, [STORE_UNAVAILABLE] = 3};
	enum store_state worst = STORE_READY;

	for (uint32_t i = 0; i < acceptor->segment->counts[role]; i++) {
		enum store_state state = store_report_state(&segment_slot(acceptor->segment, role, i)->store);

		if (badness[state] > badness[worst])
			worst = state;
	}
	return worst;
}

/* Whether any process of the role has not reached its store since the start. */
static bool
store_unreached(const struct acceptor *acceptor, enum role role)
{
	for (uint32_t i = 0; i < acceptor->segment->counts[role]; i++)
		if (store_report_state(&segment_slot(acceptor->segment, role, i)->store) == STORE_CONNECTING)
			return true;
	return false;
}

static const char *
trouble_text(enum store_state state)
{
	switch (state) {
	case STORE_SPOOLING:
		return "the store is unavailable, reconnecting; events go to the spool";
	case STORE_UNAVAILABLE:
		return "the store is unavailable, reconnecting";
	default:
		return "the store has not been reached yet";
	}
}

/*
 * Whether a process is late with its heartbeat or has been down for long; text then names it. for_events: only
 * processes that hook events depend on.
 */
static bool
find_silent(const struct acceptor *acceptor, bool for_events, char *text, size_t size)
{
	const struct segment *segment = acceptor->segment;
	bool draining = segment_draining(segment->header);
	int64_t now = clock_steady_us();

	for (int r = 0; r < ROLES; r++)
		for (uint32_t i = 0; i < segment->counts[r]; i++) {
			const struct process_slot *slot = segment_slot(segment, r, i);

			if ((draining && slot_state(slot) == PROCESS_DOWN) ||
			    (for_events && r != ROLE_ACCEPTOR && r != ROLE_WRITER))
				continue;
			if (!heartbeat_late(slot, acceptor->config->stuck_after_seconds, now))
				continue;
			(void)snprintf(text, size, "%s-%u is silent: requests wait for it", role_table[r].name, i);
			return true;
		}
	return false;
}

static bool
master_is_silent(const struct acceptor *acceptor)
{
	return heartbeat_late_of_master(
	    acceptor->segment->header, acceptor->config->stuck_after_seconds, clock_steady_us());
}

/* Appends a sentence. */
static void
add_trouble(char *troubles, size_t size, const char *sentence)
{
	size_t used = strlen(troubles);

	(void)snprintf(troubles + used, size - used, "%s%s", used > 0 ? "; " : "", sentence);
}

/* Reports the last failed sync: nothing is lost, but the disk may fail soon. */
static void
add_sync_failure(cJSON *tree, const struct segment *segment)
{
	char text[FORMAT_TIME_BYTES + 1] = "";
	int64_t last_us = 0;

	for (int r = 0; r < LEDGER_ROLES; r++)
		for (uint32_t w = 0; w < segment->counts[ledger_roles[r]]; w++) {
			int64_t failed_us = writer_sync_failed_us(segment_writer(segment, ledger_roles[r], w));

			last_us = failed_us > last_us ? failed_us : last_us;
		}
	if (last_us == 0)
		return;
	format_time(last_us, text);
	cJSON_AddStringToObject(tree, "last_sync_failure", text);
}

static bool
has_webhooks(const struct acceptor *acceptor)
{
	return config_api_is_on(acceptor->config) && acceptor->segment->counts[ROLE_CONTROL] > 0;
}

/* The webhooks' store as control sees it or, if that is ready, as the worst-off publisher does. */
static enum store_state
webhooks_store(const struct acceptor *acceptor)
{
	enum store_state state = worst_store(acceptor, ROLE_CONTROL);

	return state != STORE_READY ? state : worst_store(acceptor, ROLE_PUBLISHER);
}

static void
add_pauses(cJSON *deliveries, const struct segment *segment)
{
	char why[ERROR_TEXT_MAX] = "";

	if (segment->counts[ROLE_COURIER] > 0)
		courier_pause_reason(segment_courier(segment, 0), why);
	cJSON_AddBoolToObject(deliveries, "paused", why[0] != '\0');
	if (why[0] != '\0')
		cJSON_AddStringToObject(deliveries, "paused_reason", why);
	cJSON_AddNumberToObject(deliveries, "paused_tenants", (double)segment_level_sum(segment, LEVEL_TENANTS_PAUSED));
}

/* Adds the node's id, and whether its couriers wait because another node may have taken over its jobs. */
static void
add_node(cJSON *webhooks, cJSON *deliveries, const struct node_words *words)
{
	struct node_row row;
	bool there = node_read(words, &row);

	if (there)
		cJSON_AddNumberToObject(webhooks, "node_id", (double)row.node_id);
	cJSON_AddBoolToObject(
	    deliveries, "waiting_for_store", !there || clock_boot_us() >= node_attempts_until_us(words));
}

static void
add_webhooks(cJSON *tree, const struct acceptor *acceptor)
{
	cJSON *webhooks, *deliveries;

	if (!has_webhooks(acceptor))
		return;
	webhooks = cJSON_AddObjectToObject(tree, "webhooks");
	cJSON_AddStringToObject(webhooks, "store", hl_store_names[acceptor->config->hl_store]);
	cJSON_AddStringToObject(webhooks, "state", store_state_name(webhooks_store(acceptor)));
	if (acceptor->config->hl_store == HL_STORE_EMBEDDED)
		cJSON_AddStringToObject(webhooks, "nodes", "single node");
	deliveries = cJSON_AddObjectToObject(webhooks, "deliveries");
	cJSON_AddNumberToObject(
	    deliveries, "in_flight", (double)segment_level_sum(acceptor->segment, LEVEL_COURIER_IN_FLIGHT));
	cJSON_AddNumberToObject(
	    deliveries, "in_memory", (double)segment_level_sum(acceptor->segment, LEVEL_COURIER_JOBS));
	add_pauses(deliveries, acceptor->segment);
	add_node(webhooks, deliveries, &acceptor->segment->header->node);
}

void
status_health(struct acceptor *acceptor, struct exchange *exchange)
{
	enum store_state state = worst_store(acceptor, ROLE_WRITER);
	cJSON *tree = cJSON_CreateObject();
	char troubles[512] = "", silent[64];

	if (state != STORE_READY)
		add_trouble(troubles, sizeof troubles, trouble_text(state));
	if (segment_file_gone(acceptor->segment->header))
		add_trouble(troubles, sizeof troubles, "the ring file is gone: restart hooksd");
	if (find_silent(acceptor, false, silent, sizeof silent))
		add_trouble(troubles, sizeof troubles, silent);
	if (master_is_silent(acceptor))
		add_trouble(troubles, sizeof troubles, "the master is silent: it replaces no process and cannot stop");

	cJSON_AddStringToObject(tree, "status", troubles[0] == '\0' ? "healthy" : "degraded");
	cJSON_AddStringToObject(tree, "storage", storage_name(acceptor->config->storage));
	cJSON_AddStringToObject(tree, "version", HOOKS_VERSION);
	if (troubles[0] != '\0')
		cJSON_AddStringToObject(tree, "detail", troubles);
	add_webhooks(tree, acceptor);
	add_sync_failure(tree, acceptor->segment);
	reply_json(exchange->req, 200, tree);
}

void
status_healthz(struct acceptor *acceptor, struct exchange *exchange)
{
	static const char ok[] = "{\"status\":\"ok\"}";

	reply_text(exchange->req, 200, "application/json", ok, sizeof ok - 1);
}

void
status_livez(struct acceptor *acceptor, struct exchange *exchange)
{
	reply_text(exchange->req, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

/* Why requests of webhooks have been refused since the start; NULL: they are served. */
static const char *
webhooks_trouble(const struct acceptor *acceptor)
{
	const struct key_table *keys = acceptor->segment->keys;

	if (!has_webhooks(acceptor))
		return NULL;
	if (store_unreached(acceptor, ROLE_CONTROL) || store_unreached(acceptor, ROLE_PUBLISHER))
		return "the store of webhooks has not been reached yet";
	if (keys != NULL && !key_table_loaded(keys))
		return "the API keys have not been read from their store yet";
	return NULL;
}

void
status_readyz(struct acceptor *acceptor, struct exchange *exchange)
{
	enum store_state state = worst_store(acceptor, ROLE_WRITER);
	const char *trouble = webhooks_trouble(acceptor);
	char silent[64];

	if (segment_draining(acceptor->segment->header))
		reply_error(exchange->req, 503, "draining");
	else if (state != STORE_READY && state != STORE_SPOOLING)
		reply_error(exchange->req, 503, trouble_text(state));
	else if (trouble != NULL)
		reply_error(exchange->req, 503, trouble);
	else if (find_silent(acceptor, true, silent, sizeof silent))
		reply_error(exchange->req, 503, silent);
	else
		reply_text(exchange->req, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

/* Whether an Accept header names that media type. */
static bool
names(const h2o_req_t *req, const char *type)
{
	for (ssize_t at = -1; (at = h2o_find_header(&req->headers, H2O_TOKEN_ACCEPT, at)) != -1;) {
		h2o_iovec_t value = req->headers.entries[at].value;

		if (memmem(value.base, value.len, type, strlen(type)) != NULL)
			return true;
	}
	return false;
}

static void
vary_by_accept(h2o_req_t *req)
{
	reply_add_header(req, "Vary", H2O_STRLIT("Accept"));
}

/* Finds the object and the name for a number: each label value is a member, as in {"success": 3, "failed": 0}. */
static cJSON *
place_of(cJSON *tree, const struct metrics_sample *sample, char *name, size_t size)
{
	const char *value = sample->labels;

	(void)snprintf(name, size, "%s%s%s", family_table[sample->family].prefix, family_table[sample->family].name,
	    sample->suffix);
	while ((value = strchr(value, '"')) != NULL) {
		cJSON *inner = cJSON_GetObjectItemCaseSensitive(tree, name);
		size_t len = strcspn(++value, "\"");

		tree = inner != NULL ? inner : cJSON_AddObjectToObject(tree, name);
		(void)snprintf(name, size, "%.*s", (int)len, value);
		value += len + 1;
	}
	return tree;
}

static void
add_sample(void *tree, const struct metrics_sample *sample)
{
	char name[96];
	cJSON *place = place_of(tree, sample, name, sizeof name);

	cJSON_AddNumberToObject(place, name, (double)sample->value / sample->divisor);
}

void
status_metrics(struct acceptor *acceptor, struct exchange *exchange)
{
	static const enum counter shown[] = {COUNTER_RECEIVED, COUNTER_STORED, COUNTER_STORAGE_ERRORS};
	const struct segment *segment = acceptor->segment;
	cJSON *tree;

	/*
	 * Prometheus uses this path by default and lists its formats in Accept. A program that accepts JSON may list
	 * them, too.
	 */
	if (!names(exchange->req, "application/json") &&
	    (names(exchange->req, OPENMETRICS) || names(exchange->req, "text/plain"))) {
		status_prometheus(acceptor, exchange);
		return;
	}
	tree = cJSON_CreateObject();
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		cJSON_AddNumberToObject(tree, family_table[counter_table[shown[i]].family].name,
		    (double)segment_counter_sum(segment, shown[i]));
	cJSON_AddNumberToObject(
	    tree, "uptime_seconds", (double)(clock_steady_us() - segment->header->started_us) / 1e6);
	for (enum family family = FAMILY_API_FIRST; has_webhooks(acceptor) && family < FAMILIES; family++)
		metrics_each(segment, family, add_sample, tree);
	vary_by_accept(exchange->req);
	reply_json(exchange->req, 200, tree);
}

void
status_prometheus(struct acceptor *acceptor, struct exchange *exchange)
{
	bool openmetrics = names(exchange->req, OPENMETRICS);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		mem_none(0);
	metrics_write(out, acceptor->segment, openmetrics ? METRICS_OPENMETRICS : METRICS_TEXT);
	fclose(out);
	vary_by_accept(exchange->req);
	reply_text(exchange->req, 200,
	    openmetrics ? OPENMETRICS "; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8",
	    text, len);
	free(text);
}

void
status_openapi(struct acceptor *acceptor, struct exchange *exchange)
{
	reply_static(exchange->req, "application/json", openapi_json, openapi_json_len);
}

void
status_openapi_yaml(struct acceptor *acceptor, struct exchange *exchange)
{
	reply_static(exchange->req, "application/yaml", openapi_yaml, openapi_yaml_len);
}
