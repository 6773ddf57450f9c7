/*
 * Facts about a PostgreSQL server and a database of ours, for hooksctl doctor. Each statement only reads, and may take
 * some seconds. Including this header needs no libpq.
 *
 * The functions return 0; SERVER_REFUSED: the server refuses that statement, and *err says why; <0: the connection is
 * gone or hangs, and only server_close() may be called.
 */
#ifndef STORE_POSTGRES_SERVER_FACTS_H
#define STORE_POSTGRES_SERVER_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum server_condition { SERVER_REFUSED = 1 };

#define SERVER_TEXT_BYTES 128

struct server;

/* Connects, as pg_open(). 0 with *server, to be released by server_close(), or <0. */
int server_open(struct server **server, const char *url, struct error *err);

/* NULL is allowed. */
void server_close(struct server *server);

struct server_facts {
	char version[SERVER_TEXT_BYTES], role[SERVER_TEXT_BYTES];
	char tls[SERVER_TEXT_BYTES]; /* "TLSv1.3"; "": the connection is not encrypted */
	bool read_only; /* a standby, or default_transaction_read_only */
	bool fsync, full_page_writes, synchronous_commit;
	int64_t clock_ahead_us; /* of ours */
	int64_t database_bytes;
	/* Connections allowed and open: of everybody, to this database, of this role. -1: no limit. */
	int64_t most, now, database_most, database_now, role_most, role_now;
};
int server_read_facts(struct server *server, struct server_facts *facts, struct error *err);

/*
 * How connections map to server processes. TRANSACTION and SESSION: those modes of a pooler; SESSION also if the pooler
 * has no connection left, or another client takes the connections in turn. STATEMENT: a pooler that refuses
 * transactions.
 */
enum server_pooling { SERVER_DIRECT, SERVER_TRANSACTION, SERVER_SESSION, SERVER_STATEMENT };

/* Opens a second connection to url for a moment. After SERVER_STATEMENT the connection is gone. */
int server_find_pooling(struct server *server, const char *url, enum server_pooling *pooling, struct error *err);

/* What prevents VACUUM from removing rows. Seconds are -1 if there is none. */
struct server_holders {
	int64_t transaction_seconds; /* the oldest of this database that has a snapshot or has written */
	char transaction[SERVER_TEXT_BYTES]; /* its session: "pid 123 of postgres (psql)" */
	int64_t prepared_seconds; /* the oldest prepared one */
	char prepared[SERVER_TEXT_BYTES];
	int64_t hidden; /* sessions of other roles, of which this role may see nothing */
	int64_t slot_bytes; /* WAL kept by an unused replication slot; -1: no such slot */
	char slot[SERVER_TEXT_BYTES];
};
int server_read_holders(struct server *server, struct server_holders *holders, struct error *err);

/* Reads the schema version of hook events or of webhooks: the database's (0: none) and this program's. 0 or <0. */
int server_read_schema(struct server *server, bool webhooks, int *version, int *target, struct error *err);

/* Finds the rights that a service with this role needs and lacks: "INSERT on hook_events, ..."; "": none. */
enum server_rights { SERVER_RIGHTS_EVENTS, SERVER_RIGHTS_LOGGED_EVENTS, SERVER_RIGHTS_WEBHOOKS };
int server_find_missing(
    struct server *server, enum server_rights rights, char missing[ERROR_TEXT_MAX], struct error *err);

/*
 * *ahead: how many months after this one have a partition of the table, up to the first gap, at most wanted; -1: not
 * even this month. *in_default: rows of its default partition, up to 1000; -1: the role may not read it (it may have
 * rights only to the table).
 */
int server_read_months(struct server *server, const char *table, uint32_t wanted, int *ahead, int64_t *in_default,
    struct error *err); /* six: what is asked for, and two answers */

/* Dead letters of hook events, up to 10,000; -1: the role may not read them. */
int server_count_letters(struct server *server, int64_t *count, struct error *err);

/* The table jobs, by the server's statistics. */
struct server_bloat {
	int64_t live, dead; /* rows */
	int64_t bytes; /* of the table and its indexes */
};
int server_read_bloat(struct server *server, struct server_bloat *bloat, struct error *err);

#endif
