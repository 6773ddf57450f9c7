/*
 * DATA_DIR/hl-node: which row of delivery_nodes belongs to this directory. Each start of a master claims the row by
 * swapping its epoch. The file names the epoch before and the one after, and is on the disk before the row is changed:
 * whatever dies when, the next start finds its row by one of the two. A copy of the directory does not find it, once
 * either has been started. Courier 0.
 */
#ifndef COURIER_NODE_FILE_H
#define COURIER_NODE_FILE_H

#include <stdint.h>

#include "base/error.h"

#define NODE_FILE "hl-node"

enum node_file_condition { NODE_FILE_NONE = 1 };

struct node_file {
	int64_t node_id; /* > 0; 0: the first claim is under way, and the row, if it is there, has next_epoch */
	int64_t epoch; /* that the row has, unless it has next_epoch by now */
	int64_t next_epoch; /* the same as epoch when no claim is under way */
};

/*
 * Reads it. 0; NODE_FILE_NONE: there is none, or what is there is no such file, which is logged; <0: it cannot be read.
 */
int node_file_read(const char *data_dir, struct node_file *file, struct error *err);

/* Writes it, durably and in one step. 0 or <0. */
int node_file_write(const char *data_dir, const struct node_file *file, struct error *err);

#endif
