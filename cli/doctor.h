/*
 * `hooksctl doctor`: the groups of its checks, each in a file of its own. A group runs in a process of its own, which
 * is killed when it takes too long. A group may change its process, but nothing else: no file, no row, no setting. A
 * check that does not apply to the configuration reports nothing.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/doctor_report.h"
#include "config/config.h"

/* The arguments of a group. */
struct doctor {
	const struct config *config;
	const char *probe; /* the URL to connect to; NULL: an endpoint's */
	bool offline; /* connect only to databases and the service itself */
	int out; /* for findings: doctor_ok() */
};

/* Names of environment variables. */
void doctor_options(const struct doctor *doctor);

/* Directories and files that the service writes, and the room for them. */
void doctor_files(const struct doctor *doctor);

/* Events waiting in the spool, and dead letters in files. */
void doctor_spool(const struct doctor *doctor);

/* Shared memory, descriptors, the clock. */
void doctor_host(const struct doctor *doctor);

/* Files of TLS. */
void doctor_tls(const struct doctor *doctor);

/* The databases of hook events and of webhooks, if they are PostgreSQL. */
void doctor_database(const struct doctor *doctor);
void doctor_webhooks(const struct doctor *doctor);

/* Files of SQLite. */
void doctor_embedded(const struct doctor *doctor);

/* The contents of the webhooks' store. */
void doctor_deliveries(const struct doctor *doctor);

/* Names and connections of endpoints. */
void doctor_network(const struct doctor *doctor);

/* The running service. */
void doctor_service(const struct doctor *doctor);

/* Reports what the version of a schema means to this program, whose own is target. Returns whether they are equal. */
bool doctor_schema(const struct doctor *doctor, enum doctor_check check, const char *of, int version, int target);

/* The pid of the master that uses DATA_DIR; 0: none, or unknown. */
pid_t doctor_master(const struct config *config);

/* "3 d", "25 h", "45 s"; returns out. */
#define DOCTOR_AGE_BYTES 32
const char *doctor_age(int64_t seconds, char out[DOCTOR_AGE_BYTES]);

/* "12 MiB"; returns out. */
#define DOCTOR_SIZE_BYTES 32
const char *doctor_size(uint64_t bytes, char out[DOCTOR_SIZE_BYTES]);

#endif
