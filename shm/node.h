/*
 * The node's words in the segment: the row of this node in delivery_nodes, since when it has that number, until when
 * its couriers may begin attempts, and the newest of the changes that must hold at once (docs/adr/0009-nodes.md).
 * Courier 0 writes them all but the version, which control and couriers write; any process reads them.
 */
#ifndef SHM_NODE_H
#define SHM_NODE_H

#include <stdbool.h>
#include <stdint.h>

struct node_words {
	uint32_t turn; /* of rows: the present one is in rows[turn % 2] */
	uint32_t reserved;
	struct node_row {
		int64_t node_id; /* 0: the node has no row yet */
		int64_t epoch;
	} rows[2];
	int64_t since_us; /* see node_since_us() */
	int64_t attempts_until_us; /* see node_attempts_until_us() */
	int64_t changes_version; /* of the table changes */
	int64_t beaten_us; /* see node_beaten_us() */
};

/* The node's row, whole at any time. Returns false when it has none yet. */
bool node_read(const struct node_words *words, struct node_row *row);

/* The store thread of courier 0 alone. node_id 0: the node has no row any more. */
void node_write(struct node_words *words, const struct node_row *row);

/*
 * The instant of CLOCK_BOOTTIME at which the node got its number, before which its jobs had another one, and may be
 * another node's; 0: it has had the number for longer than this segment. Read behind node_read(). The store thread of
 * courier 0 alone writes it, before the row.
 */
int64_t node_since_us(const struct node_words *words);
void node_set_since_us(struct node_words *words, int64_t boot_us);

/*
 * The instant of CLOCK_BOOTTIME at which no attempt is begun any more: another node may have adopted the row by then,
 * unless a heartbeat succeeds before. INT64_MAX: there never is another node. A row that is read behind it is the one
 * that it is about, or a later one. The store thread of courier 0 alone writes it.
 */
int64_t node_attempts_until_us(const struct node_words *words);
void node_set_attempts_until_us(struct node_words *words, int64_t boot_us);

/*
 * The instant of CLOCK_BOOTTIME at which the last heartbeat began that has reached the store; 0: none has in this run.
 * The store thread of courier 0 writes it, and the master at its start.
 */
int64_t node_beaten_us(const struct node_words *words);
void node_set_beaten_us(struct node_words *words, int64_t boot_us);

/* The newest version that a process of this node knows of; it goes up. A process that raises it wakes the couriers. */
int64_t node_changes_version(const struct node_words *words);
void node_raise_changes_version(struct node_words *words, int64_t version);

#endif
