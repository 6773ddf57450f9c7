/* Text of a doubtful origin, on its way to a terminal. */
#ifndef CLI_TAME_H
#define CLI_TAME_H

/* A copy of text in UTF-8, in which spaces stand for what controls a terminal. Never NULL. Released by free(). */
char *tame(const char *text);

#endif
