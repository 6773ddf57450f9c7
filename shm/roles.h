/*
 * The roles of the service's processes, and which of them are connected by lanes, as two tables. The slots and lanes of
 * the segment, the counters of restarts, the labels of metrics and the rows of hooksctl status follow from them. What a
 * role's processes do is said in master/roles.c.
 */
#ifndef SHM_ROLES_H
#define SHM_ROLES_H

#include <stdint.h>

#include "config/config.h"

/* Symbol, name, most processes, type of their slots (shm/slots.h). X is handed on to R. */
#define ROLE_LIST(R, X)                                                                                                \
	R(X, ACCEPTOR, "acceptor", ACCEPTORS_MAX, struct process_slot)                                                 \
	R(X, WRITER, "writer", WRITERS_MAX, struct writer_slot)

/* Symbol, the producers' role, the consumers' role: a lane from each of these to each of those. */
#define LANE_GROUP_LIST(X) X(EVENTS, ACCEPTOR, WRITER)

#define R(X, symbol, name, most, slot) ROLE_##symbol,
enum role { ROLE_LIST(R, _) ROLES };
#undef R

#define X(symbol, from, to) LANES_##symbol,
enum lane_group { LANE_GROUP_LIST(X) LANE_GROUPS };
#undef X

/* Processes of all roles together, at most. */
#define R(X, symbol, name, most, slot) +(most)
enum { PROCESSES_MAX = 0 ROLE_LIST(R, _) };
#undef R

struct role_info {
	const char *name; /* "acceptor" */
	uint32_t most; /* processes; at least one */
	uint32_t slot_bytes;
};

struct lane_group_info {
	enum role from, to;
};

extern const struct role_info role_table[ROLES];
extern const struct lane_group_info lane_group_table[LANE_GROUPS];

#endif
