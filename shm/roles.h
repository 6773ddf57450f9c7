/*
 * Two tables: the roles of the service's processes, and the lanes between roles. They define the slots and lanes of the
 * segment, the counters of restarts, the labels of metrics and the rows of hooksctl status. master/roles.c has the
 * functions of each role.
 */
#ifndef SHM_ROLES_H
#define SHM_ROLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "config/config.h"

/*
 * Symbol, name, plural, configured number of processes, greatest number, type of their slots (shm/slots.h,
 * shm/courier_slot.h). X is passed on to R. A test may define its own rows.
 */
#ifndef ROLE_LIST
#define ROLE_LIST(R, X)                                                                                                \
	R(X, ACCEPTOR, "acceptor", "acceptors", config->acceptors, ACCEPTORS_MAX, struct process_slot)                 \
	R(X, WRITER, "writer", "writers", config->writers, WRITERS_MAX, struct writer_slot)                            \
	R(X, PUBLISHER, "publisher", "publishers", config_api_is_on(config) ? config->hl_publishers : 0,               \
	    PUBLISHERS_MAX, struct writer_slot)                                                                        \
	R(X, COURIER, "courier", "couriers", config_api_is_on(config) ? config->hl_couriers : 0, COURIERS_MAX,         \
	    struct courier_slot)                                                                                       \
	R(X, CONTROL, "control", "control_processes", config_api_is_on(config), 1, struct process_slot)

/*
 * Symbol, producers' role, consumers' role, books, parts. There is a lane from each producer to each consumer; if both
 * roles are the same, from each process to itself. books: the accounting of its records. parts: the group's share of
 * HL_RING_BYTES in quarters; 0: its lanes are part of RING_BYTES.
 */
#define LANE_GROUP_LIST(X)                                                                                             \
	X(EVENTS, ACCEPTOR, WRITER, BOOKS_EVENTS, 0)                                                                   \
	X(PUBLISH, ACCEPTOR, PUBLISHER, BOOKS_MESSAGES, 2)                                                             \
	X(JOBS, PUBLISHER, COURIER, BOOKS_NONE, 1)                                                                     \
	X(OUTCOMES, COURIER, COURIER, BOOKS_NONE, 1)
#endif

/* EVENTS are received hook events, MESSAGES are published events of webhooks. Each has its own accounting. */
enum books { BOOKS_NONE, BOOKS_EVENTS, BOOKS_MESSAGES };

#define R(X, symbol, ...) ROLE_##symbol,
enum role { ROLE_LIST(R, _) ROLES };
#undef R

#define X(symbol, ...) LANES_##symbol,
enum lane_group { LANE_GROUP_LIST(X) LANE_GROUPS };
#undef X

/* The most processes of all roles together. */
#define R(X, symbol, name, plural, count, most, slot) +(most)
enum { PROCESSES_MAX = 0 ROLE_LIST(R, _) };
#undef R

struct role_info {
	const char *name, *plural; /* "acceptor", "acceptors" */
	uint32_t most; /* processes */
};

struct lane_group_info {
	enum role from, to;
	enum books books;
	uint32_t parts;
};

extern const struct role_info role_table[ROLES];
extern const struct lane_group_info lane_group_table[LANE_GROUPS];

/* The configured number of processes of each role. */
void role_counts(const struct config *config, uint32_t counts[ROLES]);

/* The number of lanes of a group, and of all groups, for those numbers of processes. */
uint64_t role_lanes_of(const uint32_t counts[ROLES], enum lane_group group);
uint64_t role_lanes(const uint32_t counts[ROLES]);

/* The counts as fields of a log line: acceptors=2 writers=1 */
#define ROLE_COUNT_FIELD(counts, symbol, name, plural, ...) LOG_UINT(plural, (counts)[ROLE_##symbol]),
#define ROLE_COUNT_FIELDS(counts) ROLE_LIST(ROLE_COUNT_FIELD, counts) LOG_NOTHING

#endif
