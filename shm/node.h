/*
 * The node's words in the segment: its row in delivery_nodes, the time it got that number, the time until which its
 * couriers may begin attempts, and the newest version of urgent changes (docs/adr/0009-nodes.md). Control and
 * couriers write the version; courier 0 writes the rest. Any process reads them.
 */
#ifndef SHM_NODE_H
#define SHM_NODE_H

#include <stdbool.h>
#include <stdint.h>

struct node_words {
	uint32_t turn; /* the current row is rows[turn % 2] */
	uint32_t reserved;
	struct node_row {
		int64_t node_id; /* 0: the node has no row yet */
		int64_t epoch;
	} rows[2];
	int64_t since_us; /* see node_since_us() */
	int64_t attempts_until_us; /* see node_attempts_until_us() */
	int64_t changes_version; /* of the table changes */
	int64_t heartbeat_us; /* see node_heartbeat_us() */
};

/* Copies the node's row consistently. Returns false if the node has none yet. */
bool node_read(const struct node_words *words, struct node_row *row);

/* Only for the store thread of courier 0. node_id 0: the node has lost its row. */
void node_write(struct node_words *words, const struct node_row *row);

/*
 * The clock_boot_us() at which the node got its number; 0: before this segment was made. Jobs of before that carry
 * another number and may belong to another node. Read it after node_read(). Only the store thread of courier 0 writes
 * it, before the row.
 */
int64_t node_since_us(const struct node_words *words);
void node_set_since_us(struct node_words *words, int64_t boot_us);

/*
 * The clock_boot_us() from which no attempt may begin: without a successful heartbeat another node may have adopted the
 * row by then. INT64_MAX: there are no other nodes. node_read() after it returns the row that it belongs to, or a later
 * one. Only the store thread of courier 0 writes it.
 */
int64_t node_attempts_until_us(const struct node_words *words);
void node_set_attempts_until_us(struct node_words *words, int64_t boot_us);

/*
 * The clock_boot_us() at which the last successful heartbeat began; 0: none in this run. Only the store thread of
 * courier 0 writes it, and the master at its start.
 */
int64_t node_heartbeat_us(const struct node_words *words);
void node_set_heartbeat_us(struct node_words *words, int64_t boot_us);

/*
 * The newest version of the table changes known on this node; it only grows. A process that raises it wakes the
 * couriers.
 */
int64_t node_changes_version(const struct node_words *words);
void node_raise_changes_version(struct node_words *words, int64_t version);

#endif
