/*
 * One loop over the table of families writes the head of each and then its series: the slots' numbers of that family,
 * or the results of a function in computed[].
 */
#include "shm/metrics.h"

#include <ck_pr.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "shm/counters.h"
#include "shm/settle.h"

struct page {
	const struct segment *segment;
	metrics_take *take;
	void *context;
};

/* The divisor that converts a family's values to its unit. */
static uint32_t
divisor(enum family family)
{
	const char *unit = family_table[family].unit;

	return strcmp(unit, "seconds") == 0 ? 1000000 : strcmp(unit, "milliseconds") == 0 ? 1000 : 1;
}

static void
sample(const struct page *page, enum family family, const char *labels, uint64_t value)
{
	page->take(page->context, &(struct metrics_sample){family, "", labels, value, divisor(family)});
}

static void
format_number(char *out, size_t size, uint64_t value, uint32_t by)
{
	if (by == 1)
		(void)snprintf(out, size, "%" PRIu64, value);
	else
		(void)snprintf(out, size, "%" PRIu64 ".%0*" PRIu64, value / by, by == 1000 ? 3 : 6, value % by);
}

static void
histogram(const struct page *page, enum histogram which)
{
	const struct histogram_info *info = &histogram_table[which];
	struct histogram_numbers numbers = segment_histogram_sum(page->segment, which);
	uint32_t by = divisor(info->family);
	uint64_t count = 0;

	for (uint32_t e = info->first; e <= info->last + 1; e++) {
		char bound[40], labels[64];

		count += numbers.buckets[e - info->first];
		format_number(bound, sizeof bound, UINT64_C(1) << e, by);
		(void)snprintf(labels, sizeof labels, "le=\"%s%s\"", e > info->last ? "+Inf" : bound,
		    e > info->last || by != 1 ? "" : ".0");
		page->take(page->context, &(struct metrics_sample){info->family, "_bucket", labels, count, 1});
	}
	page->take(page->context, &(struct metrics_sample){info->family, "_sum", "", numbers.sum, by});
	page->take(page->context, &(struct metrics_sample){info->family, "_count", "", count, 1});
}

static void
stores_of(const struct page *page, enum family family, enum role role)
{
	const struct segment *segment = page->segment;

	for (uint32_t state = 0; state < STORE_STATES; state++) {
		uint64_t processes = 0;
		char labels[32];

		for (uint32_t i = 0; i < segment->counts[role]; i++)
			processes += store_report_state(&segment_slot(segment, role, i)->store) == state;
		(void)snprintf(labels, sizeof labels, "state=\"%s\"", store_state_name(state));
		sample(page, family, labels, processes);
	}
}

static void
store_writers(const struct page *page, enum family family)
{
	stores_of(page, family, ROLE_WRITER);
}

static void
store_publishers(const struct page *page, enum family family)
{
	stores_of(page, family, ROLE_PUBLISHER);
}

static void
ring_events(const struct page *page, enum family family)
{
	sample(page, family, "", segment_waiting(page->segment, BOOKS_EVENTS));
}

static void
ring_messages(const struct page *page, enum family family)
{
	sample(page, family, "", segment_waiting(page->segment, BOOKS_MESSAGES));
}

static void
ring_used(const struct page *page, enum family family)
{
	uint64_t used = 0;

	for (uint32_t n = 0; n < segment_lane_count(page->segment); n++) {
		struct lane lane = segment_lane_at(page->segment, n);

		used += lane_bytes_used(&lane);
	}
	sample(page, family, "", used);
}

static void
ring_file_gone(const struct page *page, enum family family)
{
	sample(page, family, "", segment_file_gone(page->segment->header));
}

static void
ring_capacity(const struct page *page, enum family family)
{
	uint64_t capacity = 0;

	for (uint32_t n = 0; n < segment_lane_count(page->segment); n++)
		capacity += segment_lane_at(page->segment, n).arena_bytes;
	sample(page, family, "", capacity);
}

/* At least 1, because 0 means that nothing has begun. A time of before a reboot also gives 1. */
static uint64_t
microseconds_since(int64_t steady_us)
{
	int64_t now = clock_steady_us();

	return now > steady_us ? (uint64_t)now - (uint64_t)steady_us : 1; /* a damaged segment may hold any number */
}

static void
spool_oldest(const struct page *page, enum family family)
{
	uint64_t oldest = 0;

	for (int r = 0; r < LEDGER_ROLES; r++)
		for (uint32_t i = 0; i < page->segment->counts[ledger_roles[r]]; i++) {
			int64_t begun_us = writer_spool_oldest_us(segment_writer(page->segment, ledger_roles[r], i));
			uint64_t age = begun_us != 0 ? microseconds_since(begun_us) : 0;

			oldest = age > oldest ? age : oldest;
		}
	sample(page, family, "", oldest);
}

static void
oldest_due(const struct page *page, enum family family)
{
	uint64_t oldest = 0;

	for (uint32_t c = 0; c < page->segment->counts[ROLE_COURIER]; c++) {
		int64_t due_us = courier_oldest_due_us(segment_courier(page->segment, c));
		uint64_t age = due_us != 0 ? microseconds_since(due_us) : 0;

		oldest = age > oldest ? age : oldest;
	}
	sample(page, family, "", oldest);
}

/* The master starts with 0, so the time belongs to this run. */
static void
heartbeat_age(const struct page *page, enum family family)
{
	int64_t heartbeat_us = node_heartbeat_us(&page->segment->header->node), now_us = clock_boot_us();

	sample(page, family, "",
	    heartbeat_us != 0 && now_us > heartbeat_us ? (uint64_t)now_us - (uint64_t)heartbeat_us : 0);
}

static void
sample_of_role(const struct page *page, enum family family, const char *role, uint64_t value)
{
	char labels[64];

	(void)snprintf(labels, sizeof labels, "role=\"%s\"", role);
	sample(page, family, labels, value);
}

static void
process_cpu(const struct page *page, enum family family)
{
	const struct segment *segment = page->segment;

	sample_of_role(page, family, "master", usage_cpu_us(&segment->header->usage));
	for (int r = 0; r < ROLES; r++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < segment->counts[r]; i++)
			sum += usage_cpu_us(&segment_slot(segment, r, i)->usage);
		sample_of_role(page, family, role_table[r].name, sum);
	}
}

static void
processes_not_ready(const struct page *page, enum family family)
{
	const struct segment *segment = page->segment;

	for (int r = 0; r < ROLES; r++) {
		uint64_t count = 0;

		for (uint32_t i = 0; i < segment->counts[r]; i++)
			count += slot_state(segment_slot(segment, r, i)) != PROCESS_READY;
		sample_of_role(page, family, role_table[r].name, count);
	}
}

/* A dead process uses no memory. */
static void
process_memory(const struct page *page, enum family family)
{
	const struct segment *segment = page->segment;

	sample_of_role(page, family, "master", usage_resident_bytes(&segment->header->usage));
	for (int r = 0; r < ROLES; r++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < segment->counts[r]; i++) {
			const struct process_slot *slot = segment_slot(segment, r, i);

			sum += slot_pid(slot) != 0 ? usage_resident_bytes(&slot->usage) : 0;
		}
		sample_of_role(page, family, role_table[r].name, sum);
	}
}

static void
uptime(const struct page *page, enum family family)
{
	sample(page, family, "", microseconds_since(page->segment->header->started_us));
}

static void
certificate_end(const struct page *page, enum family family)
{
	sample(page, family, "", segment_certificate_end_s(page->segment->header) * 1000000);
}

static void
build(const struct page *page, enum family family)
{
	const struct segment_header *header = page->segment->header;
	char labels[128];

	(void)snprintf(labels, sizeof labels, "version=\"%.*s\",storage=\"%s\"", (int)sizeof header->version,
	    header->version, storage_name(header->storage));
	sample(page, family, labels, 1);
}

/* Families that repeat the numbers of others: a row per series, with the counters that are its sum. */
static const struct mirror {
	enum family family;
	const char *labels;
	enum counter counters[2];
	uint32_t count;
} mirrors[] = {
    {FAMILY_API_EVENTS_PUBLISHED, "", {COUNTER_MESSAGES_STORED}, 1},
    {FAMILY_API_DELIVERIES, "status=\"success\"", {COUNTER_DELIVERIES_DELIVERED}, 1},
    {FAMILY_API_DELIVERIES, "status=\"failed\"", {COUNTER_DELIVERIES_DEAD}, 1},
    {FAMILY_API_DELIVERIES, "status=\"retried\"", {COUNTER_DELIVERIES_RETRIED, COUNTER_DELIVERIES_UNCHARGED}, 2},
    {FAMILY_API_DLQ, "", {COUNTER_DELIVERIES_DEAD}, 1},
    {FAMILY_API_RATE_LIMITED, "", {COUNTER_REJECTED_RATE}, 1},
    {FAMILY_API_OVERLOAD_DROPS, "reason=\"queue_depth\"", {COUNTER_REJECTED_DEPTH}, 1},
    {FAMILY_API_OVERLOAD_DROPS, "reason=\"store\"", {COUNTER_REFUSED_STORE}, 1},
    {FAMILY_API_OVERLOAD_DROPS, "reason=\"connecting\"", {COUNTER_REFUSED_CONNECTING}, 1},
    {FAMILY_API_OVERLOAD_DROPS, "reason=\"ring\"", {COUNTER_REFUSED_RING}, 1},
    {FAMILY_API_OVERLOAD_DROPS, "reason=\"waited\"", {COUNTER_REFUSED_WAITED}, 1},
    {FAMILY_API_OVERLOAD_DROPS, "reason=\"keys\"", {COUNTER_REFUSED_KEYS}, 1},
};

static void
mirrored(const struct page *page, enum family family)
{
	for (size_t i = 0; i < sizeof mirrors / sizeof *mirrors; i++) {
		uint64_t sum = 0;

		if (mirrors[i].family != family)
			continue;
		for (uint32_t c = 0; c < mirrors[i].count; c++)
			sum += segment_counter_sum(page->segment, mirrors[i].counters[c]);
		sample(page, family, mirrors[i].labels, sum);
	}
	if (family == FAMILY_API_INFLIGHT)
		sample(page, family, "", segment_level_sum(page->segment, LEVEL_COURIER_IN_FLIGHT));
}

static void (*const computed[FAMILIES])(const struct page *page, enum family family) = {
    [FAMILY_STORE_WRITERS] = store_writers,
    [FAMILY_STORE_PUBLISHERS] = store_publishers,
    [FAMILY_RING_EVENTS] = ring_events,
    [FAMILY_RING_MESSAGES] = ring_messages,
    [FAMILY_RING_USED] = ring_used,
    [FAMILY_RING_FILE_GONE] = ring_file_gone,
    [FAMILY_RING_CAPACITY] = ring_capacity,
    [FAMILY_TLS_CERTIFICATE_END] = certificate_end,
    [FAMILY_SPOOL_OLDEST] = spool_oldest,
    [FAMILY_OLDEST_DUE] = oldest_due,
    [FAMILY_HEARTBEAT_AGE] = heartbeat_age,
    [FAMILY_PROCESSES_NOT_READY] = processes_not_ready,
    [FAMILY_PROCESS_CPU] = process_cpu,
    [FAMILY_PROCESS_MEMORY] = process_memory,
    [FAMILY_UPTIME] = uptime,
    [FAMILY_BUILD] = build,
    [FAMILY_API_EVENTS_PUBLISHED] = mirrored,
    [FAMILY_API_DELIVERIES] = mirrored,
    [FAMILY_API_DLQ] = mirrored,
    [FAMILY_API_INFLIGHT] = mirrored,
    [FAMILY_API_RATE_LIMITED] = mirrored,
    [FAMILY_API_OVERLOAD_DROPS] = mirrored,
};

void
metrics_each(const struct segment *segment, enum family family, metrics_take *take, void *context)
{
	const struct page page = {.segment = segment, .take = take, .context = context};
	const uint64_t *gauges = segment_gauges(segment);

	for (int c = 0; c < COUNTERS; c++)
		if (counter_table[c].family == family)
			sample(&page, family, counter_table[c].labels, segment_counter_sum(segment, c));
	for (int l = 0; l < LEVELS; l++)
		if (level_table[l].family == family)
			sample(&page, family, level_table[l].labels, segment_level_sum(segment, l));
	/* Without a writer that makes partitions there is no series, rather than zeros. */
	for (int g = 0; gauges != NULL && g < GAUGES; g++)
		if (gauge_table[g].family == family)
			sample(&page, family, gauge_table[g].labels, ck_pr_load_64(&gauges[g]));
	for (int h = 0; h < HISTOGRAMS; h++)
		if (histogram_table[h].family == family)
			histogram(&page, h);
	if (computed[family] != NULL)
		computed[family](&page, family);
}

/* ---- as text ---- */

struct text {
	FILE *out;
	enum metrics_format format;
};

static void
write_sample(void *context, const struct metrics_sample *sample)
{
	const struct family_info *info = &family_table[sample->family];
	const struct text *text = context;
	bool labelled = sample->labels[0] != '\0', plain = text->format == METRICS_PLAIN;
	bool of_api = sample->family >= FAMILY_API_FIRST;
	char name[192], number[40];

	if (plain && ((sample->value == 0 && labelled) || strcmp(sample->suffix, "_bucket") == 0))
		return;
	(void)snprintf(name, sizeof name, "%s%s%s%s%s%s", plain && !of_api ? "" : info->prefix, info->name,
	    sample->suffix, labelled ? "{" : "", sample->labels, labelled ? "}" : "");
	format_number(number, sizeof number, sample->value, sample->divisor);
	fprintf(text->out, plain ? "%-62s %12s\n" : "%s %s\n", name, number);
}

static bool
ends_with(const char *text, size_t len, const char *end)
{
	return len > strlen(end) && memcmp(text + len - strlen(end), end, strlen(end)) == 0;
}

/* In OpenMetrics a kind's suffix belongs to the samples, and UNIT needs a family name that ends in the unit. */
static void
head(const struct text *text, enum family family)
{
	static const struct {
		const char *text, *openmetrics, *suffix;
	} kinds[] = {[KIND_COUNTER] = {"counter", "counter", "_total"},
	    [KIND_GAUGE] = {"gauge", "gauge", ""},
	    [KIND_HISTOGRAM] = {"histogram", "histogram", ""},
	    [KIND_INFO] = {"gauge", "info", "_info"}};
	const struct family_info *info = &family_table[family];
	bool openmetrics = text->format == METRICS_OPENMETRICS;
	int len = (int)(strlen(info->name) - (openmetrics ? strlen(kinds[info->kind].suffix) : 0));

	fprintf(text->out, "# HELP %s%.*s %s\n", info->prefix, len, info->name, info->help);
	fprintf(text->out, "# TYPE %s%.*s %s\n", info->prefix, len, info->name,
	    openmetrics ? kinds[info->kind].openmetrics : kinds[info->kind].text);
	if (openmetrics && info->unit[0] != '\0' && ends_with(info->name, (size_t)len, info->unit))
		fprintf(text->out, "# UNIT %s%.*s %s\n", info->prefix, len, info->name, info->unit);
}

void
metrics_write(FILE *out, const struct segment *segment, enum metrics_format format)
{
	struct text text = {.out = out, .format = format};

	for (int f = 0; f < FAMILIES; f++) {
		/* Show each number to people only once. */
		if (format == METRICS_PLAIN && computed[f] == mirrored)
			continue;
		if (format != METRICS_PLAIN)
			head(&text, f);
		metrics_each(segment, f, write_sample, &text);
	}
	if (format == METRICS_OPENMETRICS)
		fputs("# EOF\n", out);
}

void
metrics_print_markdown(FILE *out)
{
	static const char *const kinds[] = {
	    [KIND_COUNTER] = "counter", [KIND_GAUGE] = "gauge", [KIND_HISTOGRAM] = "histogram", [KIND_INFO] = "info"};

	(void)fputs("| family | kind | unit | labels | meaning |\n|---|---|---|---|---|\n", out);
	for (int f = 0; f < FAMILIES; f++) {
		const struct family_info *info = &family_table[f];

		(void)fprintf(out, "| `%s%s` | %s | %s | %s | %s |\n", info->prefix, info->name, kinds[info->kind],
		    info->unit, info->labels, info->help);
	}
}
