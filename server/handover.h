/*
 * Connections on their way from an acceptor to its successor: descriptors in messages (SCM_RIGHTS) on a socket pair that
 * the master holds, one pair per acceptor, so that they wait there while neither process lives.
 *
 *   predecessor: add, add, ..., send  ->  [ pair: parcel, parcel, ... ]  ->  successor: receive until there is none
 */
#ifndef SERVER_HANDOVER_H
#define SERVER_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "base/error.h"

#define HANDOVER_MAX 250 /* connections in a parcel; with the bytes' descriptor not more than a message may hold */

struct handover {
	int fds[ACCEPTORS_MAX][2]; /* what is sent on [0] is received on [1] */
	uint32_t count;
};

struct handover_note {
	uint32_t number; /* the connection's, which chooses its lane */
	uint32_t bytes; /* how many have been read of a request that has not come whole yet */
};

/* All zero is an empty parcel. */
struct handover_parcel {
	uint32_t count;
	int fds[HANDOVER_MAX];
	struct handover_note notes[HANDOVER_MAX];
	int bytes_fd; /* a file with the bytes of all, in order, from its beginning; 0: there are none */
};

/* Makes a pair per acceptor. Returns 0, or <0 with none open. Master only. */
int handover_open(struct handover *handover, uint32_t acceptors, struct error *err);

/* Closes this process's copies of the pairs that are not the acceptor's; ACCEPTORS_MAX: of all. */
void handover_close_others(const struct handover *handover, uint32_t acceptor);

/*
 * Adds a connection to a parcel that is not full: a copy of fd, which stays the caller's, and the bytes. The connection
 * lives as long as the parcel. Returns 0, or <0 when there is no descriptor or memory left: the parcel is as it was.
 */
int handover_add(
    struct handover_parcel *parcel, int fd, uint32_t number, const char *bytes, size_t len, struct error *err);

/*
 * Sends the parcel, which is empty then; its connections live until they are received, or the pair is closed by all.
 * Returns 0, or <0 when there is no room: the parcel is as it was. Never waits.
 */
int handover_send(int fd, struct handover_parcel *parcel, struct error *err);

/*
 * Receives a parcel into an empty one, whose descriptors, close-on-exec, are then the caller's; one that this process
 * had no descriptor left for is -1. Returns 0, or <0 when something else came. Nothing waits: an empty parcel.
 */
int handover_receive(int fd, struct handover_parcel *parcel, struct error *err);

#endif
