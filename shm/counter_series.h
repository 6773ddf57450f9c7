/* The counters among the series of metrics (shm/series.h): of events, requests, deliveries and processes. */
#ifndef SHM_COUNTER_SERIES_H
#define SHM_COUNTER_SERIES_H

#include "shm/roles.h"

/* Why a process died. SIGNAL: by a signal without its own entry. STUCK: killed by the master for lack of heartbeats. */
enum death { DEATH_SIGNAL, DEATH_EXIT, DEATH_STUCK, DEATH_SIGABRT, DEATH_SIGKILL, DEATH_SIGSEGV, DEATHS };

/* The rows of one path, in the order of status classes (server/routes.c). */
#define ROUTE_COUNTERS(X, symbol, route)                                                                               \
	X(HTTP_##symbol, HTTP_REQUESTS, "route=\"" route "\",status=\"2xx\"")                                          \
	X(HTTP_##symbol##_4XX, HTTP_REQUESTS, "route=\"" route "\",status=\"4xx\"")                                    \
	X(HTTP_##symbol##_5XX, HTTP_REQUESTS, "route=\"" route "\",status=\"5xx\"")

/* The rows of one role, in the order of enum death. */
#define RESTART_COUNTERS(X, symbol, role, ...)                                                                         \
	X(RESTARTS_##symbol, PROCESS_RESTARTS, "role=\"" role "\",cause=\"signal\"")                                   \
	X(RESTARTS_##symbol##_EXIT, PROCESS_RESTARTS, "role=\"" role "\",cause=\"exit\"")                              \
	X(RESTARTS_##symbol##_STUCK, PROCESS_RESTARTS, "role=\"" role "\",cause=\"stuck\"")                            \
	X(RESTARTS_##symbol##_SIGABRT, PROCESS_RESTARTS, "role=\"" role "\",cause=\"SIGABRT\"")                        \
	X(RESTARTS_##symbol##_SIGKILL, PROCESS_RESTARTS, "role=\"" role "\",cause=\"SIGKILL\"")                        \
	X(RESTARTS_##symbol##_SIGSEGV, PROCESS_RESTARTS, "role=\"" role "\",cause=\"SIGSEGV\"")

/*
 * Symbol, family, labels. Those up to SPOOLED are the outcomes of hook events (shm/ledger.h). The MESSAGES ones are, in
 * the same order, the outcomes of published events.
 */
#define COUNTER_LIST(X)                                                                                                \
	X(RECEIVED, EVENTS_RECEIVED, "")                                                                               \
	X(STORED, EVENTS_STORED, "")                                                                                   \
	X(DUPLICATES, EVENTS_DUPLICATE, "")                                                                            \
	X(DEAD_LETTERED, EVENTS_DEAD_LETTERED, "")                                                                     \
	X(DAMAGED, EVENTS_DAMAGED, "")                                                                                 \
	X(DISCARDED, EVENTS_DISCARDED, "")                                                                             \
	X(SPOOLED, EVENTS_SPOOLED, "")                                                                                 \
	X(MESSAGES_RECEIVED, MESSAGES_RECEIVED, "")                                                                    \
	X(MESSAGES_STORED, MESSAGES_STORED, "")                                                                        \
	X(MESSAGES_DEDUPLICATED, MESSAGES_DEDUPLICATED, "")                                                            \
	X(MESSAGES_DEAD_LETTERED, MESSAGES_DEAD_LETTERED, "")                                                          \
	X(MESSAGES_DAMAGED, MESSAGES_DAMAGED, "")                                                                      \
	X(MESSAGES_DISCARDED, MESSAGES_DISCARDED, "")                                                                  \
	X(MESSAGES_SPOOLED, MESSAGES_SPOOLED, "")                                                                      \
	X(SANITISED, EVENTS_SANITISED, "")                                                                             \
	X(UNKNOWN_KEPT, EVENTS_UNKNOWN_FIELDS, "action=\"keep\"")                                                      \
	X(UNKNOWN_IGNORED, EVENTS_UNKNOWN_FIELDS, "action=\"ignore\"")                                                 \
	X(EVENTS_REJECTED_FIELDS, EVENTS_REJECTED, "reason=\"fields\"")                                                \
	X(EVENTS_REJECTED_JSON, EVENTS_REJECTED, "reason=\"json\"")                                                    \
	X(EVENTS_REJECTED_SIZE, EVENTS_REJECTED, "reason=\"event_size\"")                                              \
	X(STORAGE_ERRORS, STORAGE_ERRORS, "")                                                                          \
	X(SYNC_FAILURES, SYNC_FAILURES, "")                                                                            \
	X(ROTATION_FAILURES, JSONL_ROTATION_FAILURES, "")                                                              \
	X(BATCHES, STORE_BATCHES, "")                                                                                  \
	X(STATEMENTS, STORE_STATEMENTS, "")                                                                            \
	X(DELIVERIES_DELIVERED, DELIVERIES, "result=\"delivered\"")                                                    \
	X(DELIVERIES_RETRIED, DELIVERIES, "result=\"retried\"")                                                        \
	X(DELIVERIES_DEAD, DELIVERIES, "result=\"dead\"")                                                              \
	X(DELIVERIES_UNCHARGED, DELIVERIES, "result=\"uncharged\"")                                                    \
	X(ATTEMPTS_2XX, ATTEMPTS, "outcome=\"2xx\"")                                                                   \
	X(ATTEMPTS_3XX, ATTEMPTS, "outcome=\"3xx\"")                                                                   \
	X(ATTEMPTS_4XX, ATTEMPTS, "outcome=\"4xx\"")                                                                   \
	X(ATTEMPTS_5XX, ATTEMPTS, "outcome=\"5xx\"")                                                                   \
	X(ATTEMPTS_TIMEOUT, ATTEMPTS, "outcome=\"timeout\"")                                                           \
	X(ATTEMPTS_REFUSED, ATTEMPTS, "outcome=\"refused\"")                                                           \
	X(ATTEMPTS_TLS, ATTEMPTS, "outcome=\"tls\"")                                                                   \
	X(ATTEMPTS_CONNECTION, ATTEMPTS, "outcome=\"connection\"")                                                     \
	X(ATTEMPTS_GUARD, ATTEMPTS, "outcome=\"guard\"")                                                               \
	X(ATTEMPTS_NAME, ATTEMPTS, "outcome=\"name\"")                                                                 \
	X(ATTEMPTS_TRANSFORM, ATTEMPTS, "outcome=\"transform\"")                                                       \
	X(ATTEMPTS_INTERNAL, ATTEMPTS, "outcome=\"internal\"")                                                         \
	X(PUBLISHES_STORED, API_STORE_OPS, "op=\"publish\",status=\"ok\"")                                             \
	X(PUBLISHES_FAILED, API_STORE_OPS, "op=\"publish\",status=\"error\"")                                          \
	X(OUTCOMES_STORED, API_STORE_OPS, "op=\"outcome\",status=\"ok\"")                                              \
	X(OUTCOMES_FAILED, API_STORE_OPS, "op=\"outcome\",status=\"error\"")                                           \
	X(PAGES_READ, API_STORE_OPS, "op=\"page\",status=\"ok\"")                                                      \
	X(PAGES_FAILED, API_STORE_OPS, "op=\"page\",status=\"error\"")                                                 \
	X(MANAGEMENT_DONE, API_STORE_OPS, "op=\"request\",status=\"ok\"")                                              \
	X(MANAGEMENT_FAILED, API_STORE_OPS, "op=\"request\",status=\"error\"")                                         \
	X(STREAM_EVENTS, API_STREAM_EVENTS, "")                                                                        \
	X(ENDPOINTS_DISABLED_410, ENDPOINTS_DISABLED, "reason=\"http_410\"")                                           \
	X(ENDPOINTS_DISABLED_BY_REPLY, ENDPOINTS_DISABLED, "reason=\"asked_for_by_reply\"")                            \
	X(ENDPOINTS_DISABLED_ONLY_FAILED, ENDPOINTS_DISABLED, "reason=\"failed_for_5_days\"")                          \
	X(LEFT_NODES_ADOPTED, NODES_ADOPTED, "reason=\"left\"")                                                        \
	X(SILENT_NODES_ADOPTED, NODES_ADOPTED, "reason=\"silent\"")                                                    \
	X(JOBS_ADOPTED, JOBS_ADOPTED, "")                                                                              \
	X(TLS_FULL, TLS_HANDSHAKES, "result=\"full\"")                                                                 \
	X(TLS_RESUMED, TLS_HANDSHAKES, "result=\"resumed\"")                                                           \
	X(TLS_FAILED, TLS_HANDSHAKES, "result=\"failed\"")                                                             \
	X(ACCEPTED_STORED, REQUESTS_ACCEPTED, "ack=\"stored\"")                                                        \
	X(ACCEPTED_SPOOLED, REQUESTS_ACCEPTED, "ack=\"spooled\"")                                                      \
	X(ACCEPTED_QUEUED, REQUESTS_ACCEPTED, "ack=\"queued\"")                                                        \
	X(REJECTED_HTTP, REQUESTS_REJECTED, "reason=\"http\"")                                                         \
	X(REJECTED_TIMEOUT, REQUESTS_REJECTED, "reason=\"timeout\"")                                                   \
	X(REJECTED_SLOW, REQUESTS_REJECTED, "reason=\"slow\"")                                                         \
	X(REJECTED_MEDIA_TYPE, REQUESTS_REJECTED, "reason=\"media_type\"")                                             \
	X(REJECTED_ENCODING, REQUESTS_REJECTED, "reason=\"encoding\"")                                                 \
	X(REJECTED_COMPRESSION, REQUESTS_REJECTED, "reason=\"compression\"")                                           \
	X(REJECTED_KEY, REQUESTS_REJECTED, "reason=\"idempotency_key\"")                                               \
	X(REJECTED_BODY_SIZE, REQUESTS_REJECTED, "reason=\"body_size\"")                                               \
	X(REJECTED_EVENT_SIZE, REQUESTS_REJECTED, "reason=\"event_size\"")                                             \
	X(REJECTED_BATCH_SIZE, REQUESTS_REJECTED, "reason=\"batch_size\"")                                             \
	X(REJECTED_JSON, REQUESTS_REJECTED, "reason=\"json\"")                                                         \
	X(REJECTED_FIELDS, REQUESTS_REJECTED, "reason=\"fields\"")                                                     \
	X(REJECTED_UNAUTHORIZED, REQUESTS_REJECTED, "reason=\"unauthorized\"")                                         \
	X(REJECTED_FORBIDDEN, REQUESTS_REJECTED, "reason=\"forbidden\"")                                               \
	X(REJECTED_RATE, REQUESTS_REJECTED, "reason=\"rate_limit\"")                                                   \
	X(REJECTED_DEPTH, REQUESTS_REJECTED, "reason=\"queue_depth\"")                                                 \
	X(REJECTED_SHARE, REQUESTS_REJECTED, "reason=\"key_share\"")                                                   \
	X(REFUSED_STORE, REQUESTS_REFUSED, "reason=\"store\"")                                                         \
	X(REFUSED_CONNECTING, REQUESTS_REFUSED, "reason=\"connecting\"")                                               \
	X(REFUSED_RING, REQUESTS_REFUSED, "reason=\"ring\"")                                                           \
	X(REFUSED_WAITED, REQUESTS_REFUSED, "reason=\"waited\"")                                                       \
	X(REFUSED_KEYS, REQUESTS_REFUSED, "reason=\"keys\"")                                                           \
	X(REFUSED_MEMORY, REQUESTS_REFUSED, "reason=\"memory\"")                                                       \
	X(CONNECTIONS_REFUSED_LIMIT, CONNECTIONS_REFUSED, "reason=\"limit\"")                                          \
	X(CONNECTIONS_REFUSED_ADDRESS, CONNECTIONS_REFUSED, "reason=\"address\"")                                      \
	X(CONNECTIONS_REFUSED_KEY, CONNECTIONS_REFUSED, "reason=\"key\"")                                              \
	X(CONNECTIONS_REFUSED_UNREAD, CONNECTIONS_REFUSED, "reason=\"unread\"")                                        \
	ROUTE_COUNTERS(X, INDEX, "/")                                                                                  \
	ROUTE_COUNTERS(X, EVENTS, "/events")                                                                           \
	ROUTE_COUNTERS(X, BATCH, "/events/batch")                                                                      \
	ROUTE_COUNTERS(X, HEALTH, "/health")                                                                           \
	ROUTE_COUNTERS(X, LIVEZ, "/livez")                                                                             \
	ROUTE_COUNTERS(X, READYZ, "/readyz")                                                                           \
	ROUTE_COUNTERS(X, METRICS, "/metrics")                                                                         \
	ROUTE_COUNTERS(X, PROMETHEUS, "/metrics/prometheus")                                                           \
	ROUTE_COUNTERS(X, OPENAPI, "/openapi.json")                                                                    \
	ROUTE_COUNTERS(X, OPENAPI_YAML, "/openapi.yaml")                                                               \
	ROUTE_COUNTERS(X, HEALTHZ, "/healthz")                                                                         \
	ROUTE_COUNTERS(X, CONSOLE, "/console")                                                                         \
	ROUTE_COUNTERS(X, V1_TENANTS, "/v1/tenants")                                                                   \
	ROUTE_COUNTERS(X, V1_APIKEYS, "/v1/apikeys")                                                                   \
	ROUTE_COUNTERS(X, V1_ENDPOINTS, "/v1/endpoints")                                                               \
	ROUTE_COUNTERS(X, V1_SUBSCRIPTIONS, "/v1/subscriptions")                                                       \
	ROUTE_COUNTERS(X, V1_EVENTS, "/v1/events")                                                                     \
	ROUTE_COUNTERS(X, V1_STREAM, "/v1/stream")                                                                     \
	ROUTE_COUNTERS(X, V1_DELIVERIES, "/v1/deliveries")                                                             \
	ROUTE_COUNTERS(X, V1_JOBS, "/v1/jobs")                                                                         \
	ROUTE_COUNTERS(X, V1_DLQ, "/v1/dlq")                                                                           \
	ROUTE_COUNTERS(X, V1_REPLAY, "/v1/replay")                                                                     \
	ROUTE_COUNTERS(X, V1_DEV, "/v1/dev")                                                                           \
	ROUTE_COUNTERS(X, V1_ADMIN, "/v1/admin")                                                                       \
	ROUTE_COUNTERS(X, OTHER, "other")                                                                              \
	ROLE_LIST(RESTART_COUNTERS, X)

#define X(symbol, family, labels) COUNTER_##symbol,
enum counter { COUNTER_LIST(X) COUNTERS };
#undef X

/*
 * These counters survive any crash, because they are in the ledger: those up to SPOOLED in a writer's, those of
 * MESSAGES in the same places of a publisher's. RECEIVED is counted by the lane; the ledger's RECEIVED holds only
 * spooled events that no earlier run accounted for.
 */
#define LEDGER_COUNTERS (COUNTER_SPOOLED + 1)

#endif
