/* Why a request is refused, such that sending it again would not change it. */
#ifndef SERVER_REFUSAL_H
#define SERVER_REFUSAL_H

#include "shm/counters.h"

struct refusal {
	int status;
	enum counter reason;
	const char *text; /* for the client; static, or of the request's pool */
};

#endif
