/* Makes JSON text acceptable to PostgreSQL's type jsonb. */
#ifndef STORE_POSTGRES_JSONB_TEXT_H
#define STORE_POSTGRES_JSONB_TEXT_H

#include <stddef.h>

/*
 * Replaces, in place, every escape in text[0..len) that jsonb cannot hold by \ufffd, U+FFFD: \u0000, and \ud800 to
 * \udfff unless they form a pair. All have six characters, so nothing moves. text is valid JSON.
 */
void jsonb_text_clean(char *text, size_t len);

#endif
