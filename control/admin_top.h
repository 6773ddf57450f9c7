/* The tenants and endpoints with the most jobs and failures, for GET /v1/admin/stats?top=N. Worker threads. */
#ifndef CONTROL_ADMIN_TOP_H
#define CONTROL_ADMIN_TOP_H

#include <cjson/cJSON.h>

#include "base/error.h"
#include "control/request.h"

#define ADMIN_TOP_MOST 100

/*
 * Makes lists of at most `most` tenants and endpoints; tenant_id NULL: of all tenants. Returns as db_query(); on 0 the
 * caller owns *tree, otherwise it is NULL.
 */
int admin_top(const struct request *request, const char *tenant_id, uint32_t most, cJSON **tree, struct error *err);

#endif
