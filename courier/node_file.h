/*
 * DATA_DIR/hl-node names the row of delivery_nodes that belongs to this directory. Each start of a master claims the
 * row by swapping its epoch. The file holds the old and the new epoch, and is on disk before the row changes: after a
 * death at any time the next start finds its row by one of the two. Once the directory or a copy of it has been
 * started, the other one no longer finds the row. For courier 0.
 */
#ifndef COURIER_NODE_FILE_H
#define COURIER_NODE_FILE_H

#include <stdint.h>

#include "base/error.h"

#define NODE_FILE "hl-node"

enum node_file_condition { NODE_FILE_NONE = 1 };

struct node_file {
	int64_t node_id; /* > 0; 0: the first claim is under way: the row, if it exists, has next_epoch */
	int64_t epoch; /* the row's epoch, unless it is next_epoch already */
	int64_t next_epoch; /* equals epoch when no claim is under way */
};

/* Reads it. 0; NODE_FILE_NONE: there is none, or it is damaged, which is logged; <0: it cannot be read. */
int node_file_read(const char *data_dir, struct node_file *file, struct error *err);

/* Writes it, durably and atomically. 0 or <0. */
int node_file_write(const char *data_dir, const struct node_file *file, struct error *err);

#endif
