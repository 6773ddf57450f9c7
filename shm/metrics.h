/* All families of metrics with their present numbers, as text, from a segment. Any process that has mapped it. */
#ifndef SHM_METRICS_H
#define SHM_METRICS_H

#include <stdio.h>

#include "shm/segment.h"

/*
 * TEXT: Prometheus' text exposition format 0.0.4. OPENMETRICS: OpenMetrics 1.0. PLAIN: for people, one number a line,
 * without buckets and without series that have labels and are 0.
 */
enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS, METRICS_PLAIN };

void metrics_write(FILE *out, const struct segment *segment, enum metrics_format format);

/* The table of families as Markdown. */
void metrics_print_markdown(FILE *out);

#endif
