/*
 * Pausing deliveries: POST /v1/admin/store/pause-claims and resume-claims, of all tenants or of one. Worker threads.
 */
#ifndef CONTROL_PAUSES_H
#define CONTROL_PAUSES_H

#include "base/error.h"
#include "control/query.h"
#include "control/request.h"

/*
 * Reads what an operation of /v1/admin is about. A key without admin: its own tenant. One with admin: the tenant that
 * the query names, else NULL, which is the whole installation. out: where a name of the query is kept. false: the key
 * may not ask about that tenant, and the reply says so (404).
 */
bool admin_scope(
    const struct request *request, const char **tenant_id, char out[QUERY_VALUE_BYTES], struct reply *reply);

/* Whether deliveries of the tenant are paused, by a pause of its own or of all; NULL: those of all. As db_query(). */
int pause_holds(const struct request *request, const char *tenant_id, bool *holds, struct error *err);

request_handler deliveries_pause;
request_handler deliveries_resume;

#endif
