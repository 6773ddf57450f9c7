/* The ids of objects of the API: UUIDs of version 7, in the order of creation. Any thread of control. */
#ifndef CONTROL_OBJECT_ID_H
#define CONTROL_OBJECT_ID_H

#include <stdbool.h>

#include "base/span.h"

#define OBJECT_ID_BYTES 37 /* 8-4-4-4-12 hex digits in lower case and a NUL */

/* Writes a new id, greater than all that this process has made. Ends the process if the kernel has no randomness. */
void object_id_make(char out[OBJECT_ID_BYTES]);

/* Reads an id from a client, in upper or lower case. false: the text is no id, so no object has it. */
bool object_id_read(struct span text, char out[OBJECT_ID_BYTES]);

#endif
