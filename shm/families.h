/*
 * Every family of metrics. The text for Prometheus, hooksctl status and docs/metrics.md are made from this table. Names
 * lack their prefix, "hooks_", or "hookline_" for shm/api_families.h. Names of counters include the "_total" of their
 * samples.
 */
#ifndef SHM_FAMILIES_H
#define SHM_FAMILIES_H

#include "shm/api_families.h"
#include "shm/delivery_families.h"

/* INFO: always 1, with the information in its labels. */
enum family_kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM, KIND_INFO };

/* Symbol, kind, name, unit, names of its labels, help. Seconds are kept in microseconds. */
#define FAMILY_LIST(X)                                                                                                 \
	X(EVENTS_RECEIVED, COUNTER, "events_received_total", "events", "", "Events accepted.")                         \
	X(EVENTS_STORED, COUNTER, "events_stored_total", "events", "", "Events committed to the store.")               \
	X(EVENTS_DUPLICATE, COUNTER, "events_duplicate_total", "events", "",                                           \
	    "Events the store already had, by event_id and day.")                                                      \
	X(EVENTS_DEAD_LETTERED, COUNTER, "events_dead_lettered_total", "events", "",                                   \
	    "Events the store refused for good, kept as dead letters.")                                                \
	X(EVENTS_DAMAGED, COUNTER, "events_damaged_total", "events", "",                                               \
	    "Events on the ring or in the spool that failed their checksum.")                                          \
	X(EVENTS_DISCARDED, COUNTER, "events_discarded_total", "events", "",                                           \
	    "Events removed from the ring because no store or spool took them in time; answered with 503.")            \
	X(EVENTS_SPOOLED, COUNTER, "events_spooled_total", "events", "",                                               \
	    "Events written to the spool because the store was unavailable.")                                          \
	X(MESSAGES_RECEIVED, COUNTER, "messages_received_total", "messages", "",                                       \
	    "Events that clients published for webhooks and that were taken onto the ring.")                           \
	X(MESSAGES_STORED, COUNTER, "messages_stored_total", "messages", "",                                           \
	    "Published events committed to the webhooks' store, with their jobs.")                                     \
	X(MESSAGES_DEDUPLICATED, COUNTER, "messages_deduplicated_total", "messages", "",                               \
	    "Published events that were there already: their idempotency key was known, or they were stored twice.")   \
	X(MESSAGES_DEAD_LETTERED, COUNTER, "messages_dead_lettered_total", "messages", "",                             \
	    "Published events the webhooks' store refused for good, kept as dead letters.")                            \
	X(MESSAGES_DAMAGED, COUNTER, "messages_damaged_total", "messages", "",                                         \
	    "Published events on the ring or in the spool that failed their checksum.")                                \
	X(MESSAGES_DISCARDED, COUNTER, "messages_discarded_total", "messages", "",                                     \
	    "Published events given up: nothing took them in time, their key was used for another, their tenant is "   \
	    "deleted, or their request made more jobs than one may.")                                                  \
	X(MESSAGES_SPOOLED, COUNTER, "messages_spooled_total", "messages", "",                                         \
	    "Published events written to the spool because the webhooks' store was unavailable.")                      \
	X(EVENTS_SANITISED, COUNTER, "events_sanitised_total", "events", "",                                           \
	    "Events with NaN, NUL or lone surrogates replaced or marked.")                                             \
	X(EVENTS_UNKNOWN_FIELDS, COUNTER, "events_unknown_fields_total", "events", "action",                           \
	    "Events with fields that the API does not define, by the action of UNKNOWN_FIELDS.")                       \
	X(EVENTS_REJECTED, COUNTER, "events_rejected_total", "events", "reason",                                       \
	    "Events refused one by one, in requests with Prefer: handling=lenient.")                                   \
	X(HTTP_REQUESTS, COUNTER, "http_requests_total", "requests", "route, status",                                  \
	    "Requests answered, by path and class of the status; unknown paths are other.")                            \
	X(TLS_HANDSHAKES, COUNTER, "tls_handshakes_total", "handshakes", "result",                                     \
	    "TLS handshakes: made in full, or spared by a session ticket, or failed.")                                 \
	X(TLS_CERTIFICATE_END, GAUGE, "tls_certificate_end_timestamp_seconds", "seconds", "",                          \
	    "When the certificate of TLS_CERT_FILE that is in use expires, in seconds since 1970; 0: no TLS.")         \
	X(REQUESTS_ACCEPTED, COUNTER, "requests_accepted_total", "requests", "ack",                                    \
	    "Requests with events answered with 2xx, by how far the events got.")                                      \
	X(REQUESTS_REJECTED, COUNTER, "requests_rejected_total", "requests", "reason",                                 \
	    "Event requests refused with 4xx: the client must change them.")                                           \
	X(REQUESTS_REFUSED, COUNTER, "requests_refused_total", "requests", "reason",                                   \
	    "Event requests refused with 503: the client may try again.")                                              \
	X(CONNECTIONS, GAUGE, "connections", "connections", "",                                                        \
	    "Open connections of clients, including lingering ones.")                                                  \
	X(CONNECTIONS_REFUSED, COUNTER, "connections_refused_total", "connections", "reason",                          \
	    "Connections that were ended because a limit was reached.")                                                \
	X(BUFFERED_BYTES, GAUGE, "buffered_bytes", "bytes", "",                                                        \
	    "Requests in the memory of acceptors, and answers that clients have not taken, of MAX_BUFFERED_BYTES "     \
	    "each.")                                                                                                   \
	X(REQUEST_DURATION, HISTOGRAM, "request_duration_seconds", "seconds", "",                                      \
	    "Requests with events answered with 2xx: time from having read the request to its answer.")                \
	X(STORE_COMMIT_DURATION, HISTOGRAM, "store_commit_duration_seconds", "seconds", "",                            \
	    "Time the store took for a batch that it stored, commit or sync included.")                                \
	X(STORE_BATCH_EVENTS, HISTOGRAM, "store_batch_events", "events", "", "Events in a batch that was stored.")     \
	X(STORE_BATCHES, COUNTER, "store_batches_total", "batches", "", "Batches written to the store.")               \
	X(STORE_STATEMENTS, COUNTER, "store_statements_total", "statements", "",                                       \
	    "Statements that carried events to PostgreSQL; many to a batch when it refuses some.")                     \
	X(STORAGE_ERRORS, COUNTER, "storage_errors_total", "errors", "",                                               \
	    "Failed attempts to reach the store or to write to it.")                                                   \
	X(SYNC_FAILURES, COUNTER, "sync_failures_total", "files", "",                                                  \
	    "Files that could not be synced and are no longer trusted.")                                               \
	X(JSONL_ROTATION_FAILURES, COUNTER, "jsonl_rotation_failures_total", "files", "",                              \
	    "JSONL files that could not be moved aside when they had reached JSONL_ROTATE_BYTES.")                     \
	X(STORE_WRITERS, GAUGE, "store_writers", "writers", "state", "Writers, by their store's last known state.")    \
	X(STORE_PUBLISHERS, GAUGE, "store_publishers", "publishers", "state",                                          \
	    "Publishers, by their store's last known state.")                                                          \
	X(DEFAULT_PARTITION_ROWS, GAUGE, "default_partition_rows", "rows", "",                                         \
	    "Events in the default partition because their month has none; counted up to 100000. PostgreSQL only.")    \
	X(PARTITIONS_AHEAD, GAUGE, "partitions_ahead", "months", "",                                                   \
	    "Months after the current one that have their partition, in a row. PostgreSQL only.")                      \
	X(RING_EVENTS, GAUGE, "ring_events", "events", "",                                                             \
	    "Events on the ring that are neither in the store nor in the spool yet.")                                  \
	X(RING_MESSAGES, GAUGE, "ring_messages", "messages", "",                                                       \
	    "Published events on the ring that are neither in the webhooks' store nor in the spool yet.")              \
	X(RING_USED, GAUGE, "ring_used_bytes", "bytes", "",                                                            \
	    "Bytes of events waiting on the ring, all lanes together.")                                                \
	X(RING_FILE_GONE, GAUGE, "ring_file_gone", "", "",                                                             \
	    "1 while RING_PATH does not name the ring: its events would be lost with the processes.")                  \
	X(RING_CAPACITY, GAUGE, "ring_capacity_bytes", "bytes", "", "Bytes the ring can hold, all lanes together.")    \
	X(SPOOL_EVENTS, GAUGE, "spool_events", "events", "", "Events in the spool that are not in the store yet.")     \
	X(SPOOL_MESSAGES, GAUGE, "spool_messages", "messages", "",                                                     \
	    "Published events in the spool that are not in the webhooks' store yet.")                                  \
	X(SPOOL_BYTES, GAUGE, "spool_bytes", "bytes", "", "Bytes of the spool's files.")                               \
	X(SPOOL_FILES, GAUGE, "spool_files", "files", "", "Files of the spool.")                                       \
	X(SPOOL_OLDEST, GAUGE, "spool_oldest_seconds", "seconds", "",                                                  \
	    "Age of the oldest file of the spool; 0: the spool is empty.")                                             \
	X(PROCESS_RESTARTS, COUNTER, "process_restarts_total", "processes", "role, cause",                             \
	    "Processes started again after they died, by cause.")                                                      \
	X(PROCESSES_NOT_READY, GAUGE, "processes_not_ready", "processes", "role",                                      \
	    "Processes of a role that are dead, starting or ending.")                                                  \
	X(PROCESS_CPU, COUNTER, "process_cpu_seconds_total", "seconds", "role",                                        \
	    "CPU time, user and system, of all processes of a role, dead ones too.")                                   \
	X(PROCESS_MEMORY, GAUGE, "process_resident_memory_bytes", "bytes", "role",                                     \
	    "Resident memory of all processes of a role; each includes its part of the shared ring.")                  \
	X(UPTIME, GAUGE, "uptime_seconds", "seconds", "", "Seconds since the master started.")                         \
	X(BUILD, INFO, "build_info", "", "version, storage", "Always 1: the version and the kind of store.")

#define X(symbol, kind, name, unit, labels, help) FAMILY_##symbol,
enum family { FAMILY_LIST(X) DELIVERY_FAMILY_LIST(X) API_FAMILY_LIST(X) FAMILIES };
#undef X

#define FAMILY_API_FIRST FAMILY_API_EVENTS_PUBLISHED /* of shm/api_families.h */

struct family_info {
	enum family_kind kind;
	const char *prefix; /* "hooks_" */
	const char *name;
	const char *unit; /* "" for none */
	const char *labels; /* "role, cause", "" for none */
	const char *help;
};

extern const struct family_info family_table[FAMILIES];

#endif
