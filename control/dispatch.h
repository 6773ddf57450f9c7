/* Calls the handler of an operation. Worker threads. */
#ifndef CONTROL_DISPATCH_H
#define CONTROL_DISPATCH_H

#include "control/request.h"

/* Answers the request. reply must be empty. */
void dispatch(const struct request *request, struct reply *reply);

#endif
