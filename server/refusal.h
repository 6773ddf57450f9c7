/* The reason for refusing a request; sending it again would not help. */
#ifndef SERVER_REFUSAL_H
#define SERVER_REFUSAL_H

#include "shm/counters.h"

struct refusal {
	int status;
	enum counter reason;
	const char *text; /* for the client; static, or in the request's pool */
};

#endif
