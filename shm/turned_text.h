/* A text in the segment that one thread at a time changes while any process reads it. */
#ifndef SHM_TURNED_TEXT_H
#define SHM_TURNED_TEXT_H

#include <stdint.h>

#include "base/error.h"

struct turned_text {
	uint32_t turn; /* counts texts; the present one is in texts[turn % 2] */
	char texts[2][ERROR_TEXT_MAX];
};

/* out gets a copy, whole at any time. */
void turned_text_read(const struct turned_text *text, char out[ERROR_TEXT_MAX]);

/* Sets the text, cut to ERROR_TEXT_MAX - 1 bytes. A writer that is killed in the middle leaves the present one. */
void turned_text_write(struct turned_text *text, const char *next_text);

#endif
