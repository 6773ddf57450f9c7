/* The ids of what the API makes: UUIDs of version 7, so that their order is that of making. Any thread of control. */
#ifndef CONTROL_OBJECT_ID_H
#define CONTROL_OBJECT_ID_H

#include <stdbool.h>

#include "base/span.h"

#define OBJECT_ID_BYTES 37 /* 8-4-4-4-12 hex digits in lower case and a NUL */

/* Writes a new id, behind all that this process made before. Ends the process if the kernel has no randomness. */
void object_id_make(char out[OBJECT_ID_BYTES]);

/* Writes the id that a client has written, in any case. false: the text is no id, so that no object has it. */
bool object_id_read(struct span text, char out[OBJECT_ID_BYTES]);

#endif
