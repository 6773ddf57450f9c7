/* Makes text of unknown origin safe for a terminal. */
#ifndef CLI_TERMINAL_TEXT_H
#define CLI_TERMINAL_TEXT_H

/* Returns a copy of text in UTF-8, with spaces in place of control characters. Never NULL. Released by free(). */
char *terminal_text(const char *text);

#endif
