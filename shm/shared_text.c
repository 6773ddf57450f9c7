/* The next text is written to the other buffer, and the turn then publishes it. */
#include "shm/shared_text.h"

#include <ck_pr.h>
#include <stdio.h>
#include <string.h>

void
shared_text_read(const struct shared_text *text, char out[ERROR_TEXT_MAX])
{
	uint32_t turn, read;

	/*
	 * The copy is consistent if the turn is unchanged: otherwise the writer may have begun to overwrite this text.
	 */
	do {
		turn = ck_pr_load_32(&text->turn);
		ck_pr_fence_acquire();
		memcpy(out, text->texts[turn % 2], ERROR_TEXT_MAX);
		ck_pr_fence_acquire();
		read = ck_pr_load_32(&text->turn);
	} while (read != turn);
	out[ERROR_TEXT_MAX - 1] = '\0'; /* a damaged segment may hold any bytes */
}

void
shared_text_write(struct shared_text *text, const char *next_text)
{
	uint32_t next = text->turn + 1;

	/* A reader of the older text must see the current turn before any byte of the next text. */
	ck_pr_fence_store();
	/* A process killed before the last store leaves the current text. */
	(void)snprintf(text->texts[next % 2], ERROR_TEXT_MAX, "%s", next_text);
	ck_pr_fence_release();
	ck_pr_store_32(&text->turn, next);
}
