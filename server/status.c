/* Health and metrics, read from the segment's slots and lanes. */
#include "server/status.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/version.h"
#include "server/openapi.h"
#include "server/reply.h"

/* The first writer whose store is not ready, or NULL; a spool will do if that is said. */
static const struct process_slot *
troubled_writer(const struct acceptor *acceptor, bool spool_will_do)
{
	for (uint32_t w = 0; w < acceptor->segment->writers; w++) {
		const struct process_slot *slot = segment_writer(acceptor->segment, w);

		uint32_t state = ck_pr_load_32(&slot->store_state);

		if (state != STORE_READY && !(spool_will_do && state == STORE_SPOOLING))
			return slot;
	}
	return NULL;
}

static const char *
trouble_text(const struct process_slot *slot)
{
	switch (ck_pr_load_32(&slot->store_state)) {
	case STORE_SPOOLING:
		return "the store is away, reconnecting; events go to the spool";
	case STORE_AWAY:
		return "the store is away, reconnecting";
	default:
		return "the store has not been reached yet";
	}
}

/* A file that could not be synced has cost nothing, but its disk may soon. */
static void
add_sync_failure(cJSON *tree, const struct segment *segment)
{
	char text[FORMAT_TIME_BYTES + 1] = "";
	int64_t last_us = 0;

	for (uint32_t w = 0; w < segment->writers; w++) {
		int64_t failed_us = segment_writer(segment, w)->sync_failed_us;

		last_us = failed_us > last_us ? failed_us : last_us;
	}
	if (last_us == 0)
		return;
	format_time(last_us, text);
	cJSON_AddStringToObject(tree, "last_sync_failure", text);
}

void
status_health(struct acceptor *acceptor, h2o_req_t *req)
{
	const struct process_slot *troubled = troubled_writer(acceptor, false);
	cJSON *tree = cJSON_CreateObject();

	cJSON_AddStringToObject(tree, "status", troubled == NULL ? "healthy" : "degraded");
	cJSON_AddStringToObject(tree, "storage", storage_name(acceptor->config->storage));
	cJSON_AddStringToObject(tree, "version", HOOKS_VERSION);
	if (troubled != NULL)
		cJSON_AddStringToObject(tree, "detail", trouble_text(troubled));
	add_sync_failure(tree, acceptor->segment);
	reply_json(req, 200, tree);
}

void
status_livez(struct acceptor *acceptor, h2o_req_t *req)
{
	reply_text(req, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

void
status_readyz(struct acceptor *acceptor, h2o_req_t *req)
{
	const struct process_slot *refusing = troubled_writer(acceptor, true);

	if (ck_pr_load_32(&acceptor->segment->header->draining) != 0)
		reply_error(req, 503, "draining");
	else if (refusing != NULL)
		reply_error(req, 503, trouble_text(refusing));
	else
		reply_text(req, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

static double
uptime_seconds(const struct acceptor *acceptor)
{
	return (double)(clock_wall_us() - acceptor->segment->header->started_us) / 1e6;
}

void
status_metrics(struct acceptor *acceptor, h2o_req_t *req)
{
	static const enum counter shown[] = {COUNTER_RECEIVED, COUNTER_STORED, COUNTER_STORAGE_ERRORS};
	cJSON *tree = cJSON_CreateObject();

	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		cJSON_AddNumberToObject(
		    tree, counter_table[shown[i]].name, (double)segment_counter_sum(acceptor->segment, shown[i]));
	cJSON_AddNumberToObject(tree, "uptime_seconds", uptime_seconds(acceptor));
	reply_json(req, 200, tree);
}

static void
family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP hooks_%s %s\n# TYPE hooks_%s %s\n", name, help, name, type);
}

/* Nothing, rather than zeros, where no writer looks after partitions. */
static void
write_gauges(FILE *out, const struct segment *segment)
{
	const uint64_t *gauges = segment_gauges(segment);

	for (int g = 0; gauges != NULL && g < GAUGES; g++) {
		family(out, gauge_table[g].name, "gauge", gauge_table[g].help);
		fprintf(out, "hooks_%s %" PRIu64 "\n", gauge_table[g].name, ck_pr_load_64(&gauges[g]));
	}
}

static void
write_levels(FILE *out, const struct segment *segment)
{
	for (int l = 0; l < LEVELS; l++) {
		family(out, level_table[l].name, "gauge", level_table[l].help);
		fprintf(out, "hooks_%s %" PRIu64 "\n", level_table[l].name, segment_level_sum(segment, l));
	}
}

static void
write_spool_age(FILE *out, const struct segment *segment)
{
	int64_t now = clock_wall_us(), oldest_us = now;

	for (uint32_t w = 0; w < segment->writers; w++) {
		int64_t begun_us = segment_writer(segment, w)->spool_oldest_us;

		if (begun_us != 0 && begun_us < oldest_us)
			oldest_us = begun_us;
	}
	family(out, "spool_oldest_seconds", "gauge", "Age of the oldest file of the spool; 0: the spool is empty.");
	fprintf(out, "hooks_spool_oldest_seconds %.3f\n", (double)(now - oldest_us) / 1e6);
}

static void
write_ring(FILE *out, const struct segment *segment)
{
	uint64_t used = 0;

	for (uint32_t a = 0; a < segment->acceptors; a++)
		for (uint32_t w = 0; w < segment->writers; w++) {
			struct lane lane = segment_lane(segment, a, w);

			used += lane_bytes_used(&lane);
		}
	family(out, "ring_events", "gauge", "Events on the ring that are neither in the store nor in the spool yet.");
	fprintf(out, "hooks_ring_events %" PRIu64 "\n", segment_events_waiting(segment));
	family(out, "ring_used_bytes", "gauge", "Bytes of events waiting on the ring, all lanes together.");
	fprintf(out, "hooks_ring_used_bytes %" PRIu64 "\n", used);
	family(out, "ring_capacity_bytes", "gauge", "Bytes the ring can hold, all lanes together.");
	fprintf(out, "hooks_ring_capacity_bytes %" PRIu64 "\n",
	    segment->header->arena_bytes * segment->acceptors * segment->writers);
}

void
status_prometheus(struct acceptor *acceptor, h2o_req_t *req)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	uint32_t ready = 0;

	if (out == NULL) {
		reply_busy(req, "Out of memory");
		return;
	}
	for (int c = 0; c < COUNTERS; c++) {
		family(out, counter_table[c].name, "counter", counter_table[c].help);
		fprintf(
		    out, "hooks_%s %" PRIu64 "\n", counter_table[c].name, segment_counter_sum(acceptor->segment, c));
	}
	family(out, "uptime_seconds", "gauge", "Seconds since the master started.");
	fprintf(out, "hooks_uptime_seconds %.3f\n", uptime_seconds(acceptor));
	write_ring(out, acceptor->segment);
	write_levels(out, acceptor->segment);
	write_spool_age(out, acceptor->segment);
	write_gauges(out, acceptor->segment);
	for (uint32_t w = 0; w < acceptor->segment->writers; w++)
		ready += ck_pr_load_32(&segment_writer(acceptor->segment, w)->store_state) == STORE_READY;
	family(out, "writers_store_ready", "gauge", "Writers whose store is connected and ready.");
	fprintf(out, "hooks_writers_store_ready %u\n", ready);
	family(out, "build_info", "gauge", "Always 1; the version is the label.");
	fprintf(out, "hooks_build_info{version=\"%s\",storage=\"%s\"} 1\n", HOOKS_VERSION,
	    storage_name(acceptor->config->storage));
	fclose(out);
	reply_text(req, 200, "text/plain; version=0.0.4; charset=utf-8", text, len);
	free(text);
}

void
status_openapi(struct acceptor *acceptor, h2o_req_t *req)
{
	reply_text(req, 200, "application/json", openapi_json, openapi_json_len);
}
