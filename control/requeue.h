/* Makes dead letters jobs again: POST /v1/dlq/{id}/requeue and /v1/dlq/requeue. Worker threads. */
#ifndef CONTROL_REQUEUE_H
#define CONTROL_REQUEUE_H

#include "control/request.h"

request_handler dead_letter_requeue;
request_handler dead_letter_requeue_many;

#endif
