/* Reads and writes all families of metrics with their current numbers. Any process that has mapped the segment. */
#ifndef SHM_METRICS_H
#define SHM_METRICS_H

#include <stdio.h>

#include "shm/segment.h"

/* One number: value / divisor. */
struct metrics_sample {
	enum family family;
	const char *suffix; /* of the family's name: "", "_bucket", "_sum", "_count" */
	const char *labels; /* in Prometheus' form, without braces; "": none */
	uint64_t value;
	uint32_t divisor; /* 1, 1000, 1000000 */
};

/* Borrows the sample for the call. */
typedef void metrics_take(void *context, const struct metrics_sample *sample);

/* Calls take(context, ...) for each number of a family. */
void metrics_each(const struct segment *segment, enum family family, metrics_take *take, void *context);

/*
 * TEXT: Prometheus' text exposition format 0.0.4. OPENMETRICS: OpenMetrics 1.0. PLAIN: for people, one number a line,
 * without buckets, without series that have labels and are 0, and without families that repeat the numbers of others.
 */
enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS, METRICS_PLAIN };

void metrics_write(FILE *out, const struct segment *segment, enum metrics_format format);

/* The table of families as Markdown. */
void metrics_print_markdown(FILE *out);

#endif
