/*
 * The tables of shm/roles.h, with couriers that run without the API. Programs are compiled with this file in front when
 * they need processes that are both consumers and producers of lanes.
 */
#define ROLE_LIST(R, X)                                                                                                \
	R(X, ACCEPTOR, "acceptor", "acceptors", config->acceptors, ACCEPTORS_MAX, struct process_slot)                 \
	R(X, WRITER, "writer", "writers", config->writers, WRITERS_MAX, struct writer_slot)                            \
	R(X, PUBLISHER, "publisher", "publishers", 0, PUBLISHERS_MAX, struct writer_slot)                              \
	R(X, COURIER, "courier", "couriers", config->writers + 1, WRITERS_MAX + 1, struct courier_slot)

#define LANE_GROUP_LIST(X)                                                                                             \
	X(EVENTS, ACCEPTOR, WRITER, BOOKS_EVENTS, 0)                                                                   \
	X(PUBLISH, ACCEPTOR, PUBLISHER, BOOKS_MESSAGES, 2)                                                             \
	X(JOBS, WRITER, COURIER, BOOKS_NONE, 0)                                                                        \
	X(OUTCOMES, COURIER, WRITER, BOOKS_NONE, 0)
