/* Which handler answers which operation. Worker threads. */
#ifndef CONTROL_DISPATCH_H
#define CONTROL_DISPATCH_H

#include "control/request.h"

/* Answers the request, whose reply is empty. */
void dispatch(const struct request *request, struct reply *reply);

#endif
