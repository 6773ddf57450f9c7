/* Makes text of unknown origin safe for a terminal. */
#ifndef CLI_TAME_H
#define CLI_TAME_H

/* Returns a copy of text in UTF-8, with spaces in place of control characters. Never NULL. Released by free(). */
char *tame(const char *text);

#endif
