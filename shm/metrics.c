/*
 * One loop over the table of families writes a head for each and then its series: the numbers of the slots that name it
 * as their family, or what a function of its own computes from the segment.
 */
#include "shm/metrics.h"

#include <ck_pr.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "shm/counters.h"
#include "shm/settle.h"

#define PREFIX "hooks_"

struct page {
	FILE *out;
	const struct segment *segment;
	enum metrics_format format;
};

static bool
in_seconds(enum family family)
{
	return strcmp(family_table[family].unit, "seconds") == 0;
}

/* A number of microseconds as seconds. */
static void
format_seconds(char *out, size_t size, uint64_t us)
{
	(void)snprintf(out, size, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

struct sample {
	enum family family;
	const char *suffix; /* of the family's name */
	const char *labels; /* "": none */
	uint64_t value;
	bool seconds; /* they are shown; value is in microseconds */
};

static void
write_sample(const struct page *page, const struct sample *sample)
{
	bool labelled = sample->labels[0] != '\0';
	char name[192], number[40];

	if (page->format == METRICS_PLAIN && sample->value == 0 && labelled)
		return;
	(void)snprintf(name, sizeof name, "%s%s%s%s%s", family_table[sample->family].name, sample->suffix,
	    labelled ? "{" : "", sample->labels, labelled ? "}" : "");
	if (sample->seconds)
		format_seconds(number, sizeof number, sample->value);
	else
		(void)snprintf(number, sizeof number, "%" PRIu64, sample->value);
	if (page->format == METRICS_PLAIN)
		fprintf(page->out, "%-62s %12s\n", name, number);
	else
		fprintf(page->out, PREFIX "%s %s\n", name, number);
}

static void
sample(const struct page *page, enum family family, const char *labels, uint64_t value)
{
	write_sample(page, &(struct sample){family, "", labels, value, in_seconds(family)});
}

static void
histogram(const struct page *page, enum histogram which)
{
	const struct histogram_info *info = &histogram_table[which];
	struct histogram_numbers numbers = segment_histogram_sum(page->segment, which);
	bool seconds = in_seconds(info->family);
	uint64_t count = 0;

	for (uint32_t e = info->first; e <= info->last + 1; e++) {
		char bound[40], labels[64];

		count += numbers.buckets[e - info->first];
		if (seconds)
			format_seconds(bound, sizeof bound, UINT64_C(1) << e);
		else
			(void)snprintf(bound, sizeof bound, "%" PRIu64 ".0", UINT64_C(1) << e);
		(void)snprintf(labels, sizeof labels, "le=\"%s\"", e > info->last ? "+Inf" : bound);
		if (page->format != METRICS_PLAIN)
			write_sample(page, &(struct sample){info->family, "_bucket", labels, count, false});
	}
	write_sample(page, &(struct sample){info->family, "_sum", "", numbers.sum, seconds});
	write_sample(page, &(struct sample){info->family, "_count", "", count, false});
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

/*
 * At least 1: what began less than a microsecond ago has begun. A time of an earlier start of the machine counts as 1.
 */
static uint64_t
microseconds_since(int64_t steady_us)
{
	int64_t now = clock_steady_us();

	return now > steady_us ? (uint64_t)(now - steady_us) : 1;
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
usage_of_role(const struct page *page, enum family family, const char *role, uint64_t value)
{
	char labels[64];

	(void)snprintf(labels, sizeof labels, "role=\"%s\"", role);
	sample(page, family, labels, value);
}

static void
process_cpu(const struct page *page, enum family family)
{
	const struct segment *segment = page->segment;

	usage_of_role(page, family, "master", usage_cpu_us(&segment->header->usage));
	for (int r = 0; r < ROLES; r++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < segment->counts[r]; i++)
			sum += usage_cpu_us(&segment_slot(segment, r, i)->usage);
		usage_of_role(page, family, role_table[r].name, sum);
	}
}

/* A dead process uses no memory. */
static void
process_memory(const struct page *page, enum family family)
{
	const struct segment *segment = page->segment;

	usage_of_role(page, family, "master", usage_resident_bytes(&segment->header->usage));
	for (int r = 0; r < ROLES; r++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < segment->counts[r]; i++) {
			const struct process_slot *slot = segment_slot(segment, r, i);

			sum += slot_pid(slot) != 0 ? usage_resident_bytes(&slot->usage) : 0;
		}
		usage_of_role(page, family, role_table[r].name, sum);
	}
}

static void
uptime(const struct page *page, enum family family)
{
	sample(page, family, "", microseconds_since(page->segment->header->started_us));
}

static void
build(const struct page *page, enum family family)
{
	const struct segment_header *header = page->segment->header;
	char labels[128];

	(void)snprintf(labels, sizeof labels, "version=\"%.*s\",storage=\"%s\"", (int)sizeof header->version,
	    header->version, header->storage <= STORAGE_NULL ? storage_name(header->storage) : "unknown");
	sample(page, family, labels, 1);
}

static void (*const computed[FAMILIES])(const struct page *page, enum family family) = {
    [FAMILY_STORE_WRITERS] = store_writers,
    [FAMILY_STORE_PUBLISHERS] = store_publishers,
    [FAMILY_RING_EVENTS] = ring_events,
    [FAMILY_RING_MESSAGES] = ring_messages,
    [FAMILY_RING_USED] = ring_used,
    [FAMILY_RING_FILE_GONE] = ring_file_gone,
    [FAMILY_RING_CAPACITY] = ring_capacity,
    [FAMILY_SPOOL_OLDEST] = spool_oldest,
    [FAMILY_PROCESS_CPU] = process_cpu,
    [FAMILY_PROCESS_MEMORY] = process_memory,
    [FAMILY_UPTIME] = uptime,
    [FAMILY_BUILD] = build,
};

static void
series(const struct page *page, enum family family)
{
	const uint64_t *gauges = segment_gauges(page->segment);

	for (int c = 0; c < COUNTERS; c++)
		if (counter_table[c].family == family)
			sample(page, family, counter_table[c].labels, segment_counter_sum(page->segment, c));
	for (int l = 0; l < LEVELS; l++)
		if (level_table[l].family == family)
			sample(page, family, level_table[l].labels, segment_level_sum(page->segment, l));
	/* No series, rather than zeros, where no writer makes partitions. */
	for (int g = 0; gauges != NULL && g < GAUGES; g++)
		if (gauge_table[g].family == family)
			sample(page, family, gauge_table[g].labels, ck_pr_load_64(&gauges[g]));
	for (int h = 0; h < HISTOGRAMS; h++)
		if (histogram_table[h].family == family)
			histogram(page, h);
	if (computed[family] != NULL)
		computed[family](page, family);
}

static bool
ends_with(const char *text, size_t len, const char *end)
{
	return len > strlen(end) && memcmp(text + len - strlen(end), end, strlen(end)) == 0;
}

/* In OpenMetrics the suffix of a kind belongs to the samples, and only a family whose name ends in a unit has it. */
static void
head(const struct page *page, enum family family)
{
	static const struct {
		const char *text, *openmetrics, *suffix;
	} kinds[] = {[KIND_COUNTER] = {"counter", "counter", "_total"},
	    [KIND_GAUGE] = {"gauge", "gauge", ""},
	    [KIND_HISTOGRAM] = {"histogram", "histogram", ""},
	    [KIND_INFO] = {"gauge", "info", "_info"}};
	const struct family_info *info = &family_table[family];
	bool openmetrics = page->format == METRICS_OPENMETRICS;
	int len = (int)(strlen(info->name) - (openmetrics ? strlen(kinds[info->kind].suffix) : 0));

	if (page->format == METRICS_PLAIN)
		return;
	fprintf(page->out, "# HELP " PREFIX "%.*s %s\n", len, info->name, info->help);
	fprintf(page->out, "# TYPE " PREFIX "%.*s %s\n", len, info->name,
	    openmetrics ? kinds[info->kind].openmetrics : kinds[info->kind].text);
	if (openmetrics && info->unit[0] != '\0' && ends_with(info->name, (size_t)len, info->unit))
		fprintf(page->out, "# UNIT " PREFIX "%.*s %s\n", len, info->name, info->unit);
}

void
metrics_write(FILE *out, const struct segment *segment, enum metrics_format format)
{
	const struct page page = {.out = out, .segment = segment, .format = format};

	for (int f = 0; f < FAMILIES; f++) {
		head(&page, f);
		series(&page, f);
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

		(void)fprintf(out, "| `" PREFIX "%s` | %s | %s | %s | %s |\n", info->name, kinds[info->kind],
		    info->unit, info->labels, info->help);
	}
}
