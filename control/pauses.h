/*
 * Pauses and resumes deliveries of all tenants or of one: POST /v1/admin/store/pause-claims and resume-claims. Worker
 * threads.
 */
#ifndef CONTROL_PAUSES_H
#define CONTROL_PAUSES_H

#include "base/error.h"
#include "control/query.h"
#include "control/request.h"

/*
 * Reads the tenant that an operation of /v1/admin concerns. A key without admin: its own tenant. A key with admin: the
 * tenant in the query, otherwise NULL, the whole installation. out: room for a name from the query. false: the key may
 * not ask about that tenant, and the reply says so (404).
 */
bool admin_scope(
    const struct request *request, const char **tenant_id, char out[QUERY_VALUE_BYTES], struct reply *reply);

/*
 * Whether deliveries of the tenant are paused, by its own pause or that of all tenants; NULL: by that of all. As
 * db_query().
 */
int pause_holds(const struct request *request, const char *tenant_id, bool *holds, struct error *err);

request_handler deliveries_pause;
request_handler deliveries_resume;

#endif
