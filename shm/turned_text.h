/* A text in the segment: one thread at a time changes it, any process reads it. */
#ifndef SHM_TURNED_TEXT_H
#define SHM_TURNED_TEXT_H

#include <stdint.h>

#include "base/error.h"

struct turned_text {
	uint32_t turn; /* counts texts; the current one is texts[turn % 2] */
	char texts[2][ERROR_TEXT_MAX];
};

/* Copies the text consistently. */
void turned_text_read(const struct turned_text *text, char out[ERROR_TEXT_MAX]);

/* Sets the text, cut to ERROR_TEXT_MAX - 1 bytes. A writer killed during the call leaves the old text. */
void turned_text_write(struct turned_text *text, const char *next_text);

#endif
