/* A text in the segment: one thread at a time changes it, any process reads it. */
#ifndef SHM_SHARED_TEXT_H
#define SHM_SHARED_TEXT_H

#include <stdint.h>

#include "base/error.h"

struct shared_text {
	uint32_t turn; /* counts texts; the current one is texts[turn % 2] */
	char texts[2][ERROR_TEXT_MAX];
};

/* Copies the text consistently. */
void shared_text_read(const struct shared_text *text, char out[ERROR_TEXT_MAX]);

/* Sets the text, cut to ERROR_TEXT_MAX - 1 bytes. A writer killed during the call leaves the old text. */
void shared_text_write(struct shared_text *text, const char *next_text);

#endif
