/*
 * The numbers every process keeps in its own slot of the segment, so that any acceptor can answer for all of them, and
 * a process that dies takes nothing with it: counters and levels, which are summed, and gauges, of which the newest
 * counts. One list each makes the enum and the table that metrics, status and tests read.
 */
#ifndef SHM_COUNTERS_H
#define SHM_COUNTERS_H

#include <stdint.h>

/* symbol, metric name without the "hooks_" prefix, help. Those up to SPOOLED say what became of events; see shm/ledger.h. */
#define COUNTER_LIST(X)                                                                                                \
	X(RECEIVED, "events_received_total", "Events accepted.")                                                       \
	X(STORED, "events_stored_total", "Events committed to the store.")                                             \
	X(DUPLICATES, "events_duplicate_total", "Events the store already had, by event_id and day.")                  \
	X(DEAD_LETTERED, "events_dead_lettered_total", "Events the store refused for good, kept as dead letters.")     \
	X(DAMAGED, "events_damaged_total", "Events on the ring or in the spool that failed their checksum.")           \
	X(SPOOLED, "events_spooled_total", "Events written to the spool because the store was away.")                  \
	X(SANITISED, "events_sanitised_total", "Events with NaN, NUL or lone surrogates replaced or marked.")          \
	X(STORAGE_ERRORS, "storage_errors_total", "Failed attempts to reach the store or to write to it.")             \
	X(SYNC_FAILURES, "sync_failures_total", "Files that could not be synced and are not trusted any more.")        \
	X(REQUESTS_ACCEPTED, "requests_accepted_total", "Event requests answered with 202.")                           \
	X(REQUESTS_REJECTED, "requests_rejected_total",                                                                \
	    "Event requests refused with 4xx: the client must change them.")                                           \
	X(REQUESTS_REFUSED, "requests_refused_total", "Event requests refused with 503: the client may try again.")    \
	X(BATCHES, "store_batches_total", "Batches written to the store.")                                             \
	X(STATEMENTS, "store_statements_total",                                                                        \
	    "Statements that carried events to PostgreSQL; many to a batch when it refuses some.")                     \
	X(RESTARTS, "process_restarts_total", "Processes started again after they died.")

enum counter {
#define X(symbol, name, help) COUNTER_##symbol,
	COUNTER_LIST(X)
#undef X
	    COUNTERS
};

/*
 * The first ones are exact across any death. In a writer's ledger all of them; accepted events are counted by their lane.
 * RECEIVED there: found in the spool, and of no run that is remembered.
 */
#define LEDGER_COUNTERS (COUNTER_SPOOLED + 1)

/* What the writers last saw of the store. */
#define GAUGE_LIST(X)                                                                                                  \
	X(DEFAULT_PARTITION_ROWS, "default_partition_rows",                                                            \
	    "Events in the default partition because their month has none; counted up to 100000.")                     \
	X(PARTITIONS_AHEAD, "partitions_ahead", "Months after the current one that have their partition, in a row.")

enum gauge {
#define X(symbol, name, help) GAUGE_##symbol,
	GAUGE_LIST(X)
#undef X
	    GAUGES
};

/* What every writer holds at the moment; summed. The spool's events are in the writer's ledger. */
#define LEVEL_LIST(X)                                                                                                  \
	X(SPOOL_EVENTS, "spool_events", "Events in the spool that are not in the store yet.")                          \
	X(SPOOL_BYTES, "spool_bytes", "Bytes of the spool's files.")                                                   \
	X(SPOOL_FILES, "spool_files", "Files of the spool.")

enum level {
#define X(symbol, name, help) LEVEL_##symbol,
	LEVEL_LIST(X)
#undef X
	    LEVELS
};

struct counter_info {
	const char *name;
	const char *help;
};

extern const struct counter_info counter_table[COUNTERS];
extern const struct counter_info gauge_table[GAUGES];
extern const struct counter_info level_table[LEVELS];

#endif
