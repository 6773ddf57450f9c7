/*
 * The tables of shm/roles.h with one role more, for programs that are compiled with this file in front: couriers, which
 * are both consumers and producers of lanes.
 */
#define ROLE_LIST(R, X)                                                                                                \
	R(X, ACCEPTOR, "acceptor", "acceptors", config->acceptors, ACCEPTORS_MAX, struct process_slot)                 \
	R(X, WRITER, "writer", "writers", config->writers, WRITERS_MAX, struct writer_slot)                            \
	R(X, COURIER, "courier", "couriers", config->writers + 1, WRITERS_MAX + 1, struct process_slot)

#define LANE_GROUP_LIST(X)                                                                                             \
	X(EVENTS, ACCEPTOR, WRITER, true)                                                                              \
	X(JOBS, WRITER, COURIER, false)                                                                                \
	X(OUTCOMES, COURIER, WRITER, false)
