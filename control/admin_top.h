/* Who has most, for GET /v1/admin/stats?top=N. Worker threads. */
#ifndef CONTROL_ADMIN_TOP_H
#define CONTROL_ADMIN_TOP_H

#include <cjson/cJSON.h>

#include "base/error.h"
#include "control/request.h"

#define ADMIN_TOP_MOST 100

/*
 * The lists of so many tenants and endpoints, of one tenant or, with NULL, of all. Returns as db_query(); on 0 the
 * caller owns *tree, else it is NULL.
 */
int admin_top(const struct request *request, const char *tenant_id, uint32_t most, cJSON **tree, struct error *err);

#endif
