/*
 * Answers about the service: health, readiness, metrics. Computed from the segment, so every acceptor gives the same
 * answers. Handlers of routes.
 */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

struct acceptor;
struct exchange;

/* GET /health: 200 as long as the process answers; "status" is "healthy", or "degraded" with the reason. */
void status_health(struct acceptor *acceptor, struct exchange *exchange);

/* GET /healthz: 200 with {"status":"ok"}, as long as the process answers. */
void status_healthz(struct acceptor *acceptor, struct exchange *exchange);

/*
 * GET /livez: 200. GET /readyz: 200 if events can be accepted and control has reached its store since the start; else
 * 503 with the reason. Losing the webhooks' store later does not change it, because hook events are unaffected. Nor
 * does a dead master: events are accepted and stored without it.
 */
void status_livez(struct acceptor *acceptor, struct exchange *exchange);
void status_readyz(struct acceptor *acceptor, struct exchange *exchange);

/*
 * GET /metrics: the four numbers of the original service as JSON and, with the API, those of shm/api_families.h. GET
 * /metrics/prometheus: all of shm/metrics.h.
 */
void status_metrics(struct acceptor *acceptor, struct exchange *exchange);
void status_prometheus(struct acceptor *acceptor, struct exchange *exchange);

/* GET /openapi.json */
void status_openapi(struct acceptor *acceptor, struct exchange *exchange);

/* GET /openapi.yaml */
void status_openapi_yaml(struct acceptor *acceptor, struct exchange *exchange);

#endif
