/* The routes /v1/subscriptions. Worker threads. */
#ifndef CONTROL_SUBSCRIPTIONS_H
#define CONTROL_SUBSCRIPTIONS_H

#include "control/request.h"

/*
 * The most pairs of endpoint and transform in a tenant's subscriptions: an event makes a job for each matching pair,
 * and job k of an event has the event's id + k, in 16 bits.
 */
#define SUBSCRIPTION_PAIRS_MAX 10000

/*
 * The most bytes of a tenant's patterns and filters (struct subscription_totals): a publisher needs up to eighteen
 * times as much memory, and other tenants wait up to a second while it reads them.
 */
#define SUBSCRIPTION_RULE_BYTES_MAX (4 * 1024 * 1024)

request_handler subscription_create;
request_handler subscription_list;
request_handler subscription_get;
request_handler subscription_update;
request_handler subscription_delete;

/* In the transaction of a change: as endpoint_add() (control/endpoints.h). */
int subscription_add(const struct request *request, struct span document, char id[OBJECT_ID_BYTES], struct reply *reply,
    struct error *err);

#endif
