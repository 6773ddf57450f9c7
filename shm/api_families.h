/*
 * The families of metrics that dashboards of the original HookLine use. Their prefix is "hookline_" instead of
 * "hooks_". Most of them repeat the numbers of other families (shm/metrics.c).
 */
#ifndef SHM_API_FAMILIES_H
#define SHM_API_FAMILIES_H

/* Columns as in FAMILY_LIST (shm/families.h). Milliseconds are kept in microseconds. */
#define API_FAMILY_LIST(X)                                                                                             \
	X(API_EVENTS_PUBLISHED, COUNTER, "events_published_total", "events", "",                                       \
	    "As hooks_messages_stored_total: published events committed to the webhooks' store.")                      \
	X(API_DELIVERIES, COUNTER, "deliveries_total", "attempts", "status",                                           \
	    "As hooks_deliveries_total: success is delivered, failed is dead, retried is retried and uncharged.")      \
	X(API_DLQ, COUNTER, "dlq_total", "jobs", "",                                                                   \
	    "As hooks_deliveries_total of the result dead: jobs that have become dead letters.")                       \
	X(API_QUEUE_DEPTH, GAUGE, "queue_depth", "jobs", "",                                                           \
	    "Jobs that wait, on all nodes, as upkeep counted them last, a minute ago at most.")                        \
	X(API_INFLIGHT, GAUGE, "inflight", "attempts", "", "As hooks_deliveries_in_flight: attempts under way.")       \
	X(API_DELIVERY_LATENCY, HISTOGRAM, "delivery_latency_ms", "milliseconds", "",                                  \
	    "Duration of attempts that were answered or failed, as duration_ms of deliveries.")                        \
	X(API_RATE_LIMITED, COUNTER, "rate_limited_total", "requests", "",                                             \
	    "As hooks_requests_rejected_total of the reason rate_limit: event requests answered with 429.")            \
	X(API_OVERLOAD_DROPS, COUNTER, "overload_drops_total", "requests", "reason",                                   \
	    "As hooks_requests_refused_total, and requests refused with 429 because of HL_MAX_QUEUE_DEPTH.")           \
	X(API_STORE_OPS, COUNTER, "store_ops_total", "operations", "op, status",                                       \
	    "Operations on the webhooks' store, by kind, and whether the store was available.")                        \
	X(API_STREAM_CLIENTS, GAUGE, "stream_clients", "clients", "",                                                  \
	    "Clients of /v1/stream and /events/stream that are connected.")                                            \
	X(API_STREAM_EVENTS, COUNTER, "stream_events_total", "events", "",                                             \
	    "Events, attempts at delivery and hook events that were sent to clients of streams, to each of them.")

#endif
