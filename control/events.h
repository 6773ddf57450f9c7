/* Published events, as /v1/events shows them. Worker threads. */
#ifndef CONTROL_EVENTS_H
#define CONTROL_EVENTS_H

#include <cjson/cJSON.h>

#include "control/request.h"
#include "store/webhooks/list_sql.h"

request_handler event_list;
request_handler event_get;

/*
 * Shows an event with the stored bytes of its payload and other members. jobs < 0: without "job_count". The caller owns
 * the tree, which is never NULL and may be raw JSON without accessible members.
 */
cJSON *event_show(const char *tenant_id, const struct stored_event *event, int64_t jobs);

#endif
