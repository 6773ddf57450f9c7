/* Attempts at delivery, as /v1/deliveries shows them. Worker threads; delivery_show() is for any thread. */
#ifndef CONTROL_DELIVERIES_H
#define CONTROL_DELIVERIES_H

#include "control/request.h"

request_handler delivery_list;
request_handler delivery_get;

struct db_rows;

/* The tenant's attempt as replies show it, from a row of store/webhooks/attempt_lists.h. The caller frees it. */
cJSON *delivery_show(const char *tenant_id, const struct db_rows *rows, uint32_t row);

#endif
