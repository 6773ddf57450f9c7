/* A ring as JSON for programs. */
#ifndef CLI_RING_JSON_H
#define CLI_RING_JSON_H

#include <stdio.h>

#include "shm/segment.h"

/* Prints the contents of cli/ring_text.h as one object; its members are in docs/tools.md. name is the file's. */
void ring_print_json(FILE *out, const struct segment *segment, const char *name);

#endif
