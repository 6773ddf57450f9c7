/* The operations of /v1/replay. Worker threads. */
#ifndef CONTROL_REPLAYS_H
#define CONTROL_REPLAYS_H

#include "control/request.h"

request_handler replay_create, replay_list, replay_get, replay_cancel;

#endif
