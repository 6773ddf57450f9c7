/* DELETE /v1/events: removes the events of a range, or of topics, for good. Worker threads. */
#ifndef CONTROL_EVENT_DELETION_H
#define CONTROL_EVENT_DELETION_H

#include "control/request.h"

request_handler event_delete_many;

#endif
