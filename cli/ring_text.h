/* A ring as tables for people. */
#ifndef CLI_RING_TEXT_H
#define CLI_RING_TEXT_H

#include <stdio.h>

#include "shm/segment.h"

/* Prints the contents of a segment's copy (shm/segment_image.h). name is the file's. */
void ring_print_text(FILE *out, const struct segment *segment, const char *name);

#endif
