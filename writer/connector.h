/*
 * Opening a sink beside the writer's loop: connecting to a store that is unavailable may take seconds, and meanwhile the spool
 * takes events. A thread runs sink->open() and nothing else; from connector_start() until connector_result() the sink is the
 * thread's alone.
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

/* 0 or <0: no descriptor. sink is borrowed. */
int connector_init(struct connector *connector, struct sink *sink, struct error *err);

/* Begins; not while it runs. */
void connector_start(struct connector *connector);

/* CONNECTOR_BUSY, or, once for each start, what open() returned, with its *err; <0, too, when there could be no thread. Only after connector_start(). */
int connector_result(struct connector *connector, struct error *err);

#endif
