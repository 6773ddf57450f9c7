/*
 * Opens a sink in a thread, because connecting to an unavailable store may take seconds, and the loop must keep
 * spooling. The thread only runs sink->open(). From connector_start() until connector_result() returns the result, only
 * the thread may use the sink.
 */
#ifndef WRITER_CONNECTOR_H
#define WRITER_CONNECTOR_H

#include <pthread.h>
#include <stdbool.h>

#include "base/error.h"
#include "store/sink.h"

struct connector {
	struct sink *sink;
	pthread_t thread;
	bool running;
	int failure; /* errno of the thread's start, or 0 */
	int fd; /* readable when the thread is done */
	int result;
	struct error err;
};

enum connector_condition { CONNECTOR_BUSY = 1 };

/* Borrows the sink. Returns 0, or <0: no descriptor. */
int connector_init(struct connector *connector, struct sink *sink, struct error *err);

/* Starts the thread; not while it runs. */
void connector_start(struct connector *connector);

/*
 * After connector_start(): returns CONNECTOR_BUSY until the thread is done, then once the result of open(), with its
 * *err; <0 also if the thread could not be started.
 */
int connector_result(struct connector *connector, struct error *err);

#endif
