/*
 * The families of metrics about webhook deliveries and their management (shm/families.h). Numbers that upkeep counts in
 * the webhooks' store are the same on each node, and at most a minute old (control/store_levels.h).
 */
#ifndef SHM_DELIVERY_FAMILIES_H
#define SHM_DELIVERY_FAMILIES_H

/* Columns as in FAMILY_LIST (shm/families.h). */
#define DELIVERY_FAMILY_LIST(X)                                                                                        \
	X(MANAGEMENT_DURATION, HISTOGRAM, "management_request_duration_seconds", "seconds", "",                        \
	    "Requests of the management API that control answered: time from having read the request to its answer.")  \
	X(CONTROL_IN_FLIGHT, GAUGE, "control_in_flight_requests", "requests", "",                                      \
	    "Requests of the management API that wait for control's answer.")                                          \
	X(CONTROL_QUEUE, GAUGE, "control_queue_requests", "requests", "",                                              \
	    "Requests of the management API that wait for a worker of control.")                                       \
	X(DELIVERIES, COUNTER, "deliveries_total", "attempts", "result",                                               \
	    "Attempts to deliver a job, by result; uncharged: tried again without counting as an attempt.")            \
	X(ATTEMPTS, COUNTER, "attempts_total", "attempts", "outcome",                                                  \
	    "Attempts to deliver a job, by the class of the reply's status, or by why there is none.")                 \
	X(DELIVERY_DELAY, HISTOGRAM, "delivery_delay_seconds", "seconds", "",                                          \
	    "Time from an event's publishing to the first attempt of each of its jobs.")                               \
	X(DELIVERIES_IN_FLIGHT, GAUGE, "deliveries_in_flight", "attempts", "", "Attempts that are under way.")         \
	X(DELIVERIES_PAUSED, GAUGE, "deliveries_paused", "", "", "1 while the deliveries of all tenants are paused.")  \
	X(TENANTS_PAUSED, GAUGE, "tenants_paused", "tenants", "", "Tenants that have a pause of their own.")           \
	X(BREAKERS_OPEN, GAUGE, "breakers_open", "endpoints", "",                                                      \
	    "Endpoints whose circuit breaker is open: they get one job now and then.")                                 \
	X(BREAKERS_HALF_OPEN, GAUGE, "breakers_half_open", "endpoints", "",                                            \
	    "Of the endpoints of breakers_open those with a probe under way, or with probes that succeed.")            \
	X(OLDEST_DUE, GAUGE, "oldest_due_seconds", "seconds", "",                                                      \
	    "How long the most overdue job in a courier's memory has been due; closed breakers only.")                 \
	X(ENDPOINTS_DISABLED, COUNTER, "endpoints_disabled_total", "endpoints", "reason",                              \
	    "Endpoints that the service has disabled because of replies or failures.")                                 \
	X(ENDPOINTS, GAUGE, "endpoints", "endpoints", "state",                                                         \
	    "Endpoints of all tenants, by whether they take deliveries.")                                              \
	X(HELD_JOBS, GAUGE, "held_jobs", "jobs", "",                                                                   \
	    "Jobs that wait because their endpoint is disabled or paused; counted up to 100000.")                      \
	X(DLQ_JOBS, GAUGE, "dlq_jobs", "jobs", "", "Dead letters of webhooks, of all tenants.")                        \
	X(DEEPEST_QUEUE, GAUGE, "deepest_queue_jobs", "jobs", "",                                                      \
	    "Jobs of the tenant with the most waiting jobs; HL_MAX_QUEUE_DEPTH limits them.")                          \
	X(QUEUE_LIMIT, GAUGE, "queue_limit_jobs", "jobs", "", "HL_MAX_QUEUE_DEPTH; 0: no limit.")                      \
	X(EMBEDDED_LOG, GAUGE, "embedded_log_bytes", "bytes", "",                                                      \
	    "Write-ahead log of the embedded store; it grows while another program keeps a transaction open.")         \
	X(NODES_ADOPTED, COUNTER, "nodes_adopted_total", "nodes", "reason",                                            \
	    "Nodes that had stopped or were silent, and whose jobs this node has taken over.")                         \
	X(JOBS_ADOPTED, COUNTER, "jobs_adopted_total", "jobs", "", "Jobs taken over from other nodes.")                \
	X(DELIVERY_NODES, GAUGE, "delivery_nodes", "nodes", "state",                                                   \
	    "Nodes of the webhooks' store whose jobs no other node has taken over, by what their heartbeats say.")     \
	X(NODE_SILENCE, GAUGE, "node_silence_seconds", "seconds", "",                                                  \
	    "How long the longest silent node has been silent, of the nodes that have not left.")                      \
	X(HEARTBEAT_AGE, GAUGE, "heartbeat_age_seconds", "seconds", "",                                                \
	    "Time since the last heartbeat of this node that has reached the webhooks' store; 0: none has yet.")       \
	X(COURIER_JOBS, GAUGE, "courier_jobs", "jobs", "", "Jobs in the memory of couriers; others are in rows only.") \
	X(COURIER_BYTES, GAUGE, "courier_memory_bytes", "bytes", "",                                                   \
	    "Memory of couriers that jobs and their events take, of HL_COURIER_BYTES each.")                           \
	X(COURIER_LIMIT, GAUGE, "courier_memory_limit_bytes", "bytes", "",                                             \
	    "HL_COURIER_BYTES of all couriers together.")                                                              \
	X(MONTHS_MISSING, GAUGE, "webhook_months_missing", "months", "",                                               \
	    "Months of events and attempts, this one and PARTITIONS_AHEAD more, that have no partition. "              \
	    "PostgreSQL only.")

#endif
