/* What the service says of itself: health, readiness, metrics. Computed from the segment, the same in every acceptor. */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include "server/acceptor.h"

/* GET /health: 200 as long as the process answers; "status" is "healthy", or "degraded" with the reason. */
void status_health(struct acceptor *acceptor, h2o_req_t *req);

/*
 * GET /livez: 200. GET /readyz: 200 when events can be accepted, else 503 with the reason. It does not ask for the master,
 * without which events are taken and stored.
 */
void status_livez(struct acceptor *acceptor, h2o_req_t *req);
void status_readyz(struct acceptor *acceptor, h2o_req_t *req);

/* GET /metrics: the original's four numbers as JSON. GET /metrics/prometheus: all of shm/metrics.h. */
void status_metrics(struct acceptor *acceptor, h2o_req_t *req);
void status_prometheus(struct acceptor *acceptor, h2o_req_t *req);

/* GET /openapi.json */
void status_openapi(struct acceptor *acceptor, h2o_req_t *req);

#endif
