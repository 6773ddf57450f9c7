/*
 * Every series of metrics, by kind. Each list makes the enum and the table of a kind; shm/families.h has the meanings.
 * Counters are in shm/counter_series.h.
 */
#ifndef SHM_SERIES_H
#define SHM_SERIES_H

#include <stdint.h>

#include "shm/counter_series.h"
#include "shm/families.h"

/* What a writer last saw in the store. */
#define GAUGE_LIST(X)                                                                                                  \
	X(DEFAULT_PARTITION_ROWS, DEFAULT_PARTITION_ROWS, "")                                                          \
	X(PARTITIONS_AHEAD, PARTITIONS_AHEAD, "")

#define X(symbol, family, labels) GAUGE_##symbol,
enum gauge { GAUGE_LIST(X) GAUGES };
#undef X

/* What processes hold now. SPOOL_EVENTS and SPOOL_MESSAGES are counted in ledgers. */
#define LEVEL_LIST(X)                                                                                                  \
	X(SPOOL_EVENTS, SPOOL_EVENTS, "")                                                                              \
	X(SPOOL_MESSAGES, SPOOL_MESSAGES, "")                                                                          \
	X(SPOOL_BYTES, SPOOL_BYTES, "")                                                                                \
	X(SPOOL_FILES, SPOOL_FILES, "")                                                                                \
	X(CONNECTIONS, CONNECTIONS, "")                                                                                \
	X(BUFFERED_BYTES, BUFFERED_BYTES, "")                                                                          \
	X(CONTROL_IN_FLIGHT, CONTROL_IN_FLIGHT, "")                                                                    \
	X(CONTROL_QUEUE, CONTROL_QUEUE, "")                                                                            \
	X(COURIER_IN_FLIGHT, DELIVERIES_IN_FLIGHT, "")                                                                 \
	X(COURIER_JOBS, COURIER_JOBS, "")                                                                              \
	X(COURIER_BYTES, COURIER_BYTES, "")                                                                            \
	X(COURIER_LIMIT, COURIER_LIMIT, "")                                                                            \
	X(BREAKERS_HALF_OPEN, BREAKERS_HALF_OPEN, "")                                                                  \
	X(DEEPEST_QUEUE, DEEPEST_QUEUE, "")                                                                            \
	X(QUEUE_LIMIT, QUEUE_LIMIT, "")                                                                                \
	X(HELD_JOBS, HELD_JOBS, "")                                                                                    \
	X(DLQ_JOBS, DLQ_JOBS, "")                                                                                      \
	X(ENDPOINTS_ENABLED, ENDPOINTS, "state=\"enabled\"")                                                           \
	X(ENDPOINTS_PAUSED, ENDPOINTS, "state=\"paused\"")                                                             \
	X(ENDPOINTS_OFF, ENDPOINTS, "state=\"disabled\"")                                                              \
	X(NODES_ALIVE, DELIVERY_NODES, "state=\"alive\"")                                                              \
	X(NODES_SILENT, DELIVERY_NODES, "state=\"silent\"")                                                            \
	X(NODES_LEFT, DELIVERY_NODES, "state=\"left\"")                                                                \
	X(NODE_SILENCE, NODE_SILENCE, "")                                                                              \
	X(MONTHS_MISSING, MONTHS_MISSING, "")                                                                          \
	X(DELIVERIES_PAUSED, DELIVERIES_PAUSED, "")                                                                    \
	X(TENANTS_PAUSED, TENANTS_PAUSED, "")                                                                          \
	X(BREAKERS_OPEN, BREAKERS_OPEN, "")                                                                            \
	X(QUEUE_DEPTH, API_QUEUE_DEPTH, "")                                                                            \
	X(STREAM_CLIENTS, API_STREAM_CLIENTS, "")                                                                      \
	X(EMBEDDED_LOG, EMBEDDED_LOG, "")

#define X(symbol, family, labels) LEVEL_##symbol,
enum level { LEVEL_LIST(X) LEVELS };
#undef X

/* Symbol, family, exponents of the first and the last bound. Bounds are powers of two, in microseconds or events. */
#define HISTOGRAM_LIST(X)                                                                                              \
	X(REQUEST, REQUEST_DURATION, 6, 24)                                                                            \
	X(COMMIT, STORE_COMMIT_DURATION, 6, 24)                                                                        \
	X(BATCH, STORE_BATCH_EVENTS, 0, 14)                                                                            \
	X(MANAGEMENT, MANAGEMENT_DURATION, 6, 24)                                                                      \
	X(DELIVERY, DELIVERY_DELAY, 9, 27)                                                                             \
	X(ATTEMPT, API_DELIVERY_LATENCY, 10, 26)

#define X(symbol, family, first, last) HISTOGRAM_##symbol,
enum histogram { HISTOGRAM_LIST(X) HISTOGRAMS };
#undef X

#define HISTOGRAM_BUCKETS_MAX 20 /* with the bucket for values above the last bound */

struct histogram_numbers {
	uint64_t buckets[HISTOGRAM_BUCKETS_MAX]; /* not cumulative: their sum is the count of observations */
	uint64_t sum; /* of the observed values */
};

struct series {
	enum family family;
	const char *labels; /* without braces, "" for none */
};

struct histogram_info {
	enum family family;
	uint32_t first, last;
};

extern const struct series counter_table[COUNTERS];
extern const struct series gauge_table[GAUGES];
extern const struct series level_table[LEVELS];
extern const struct histogram_info histogram_table[HISTOGRAMS];

#endif
