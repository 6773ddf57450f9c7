/* Signals as ordinary loop events. */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <stdbool.h>

/*
 * A signalfd for the signals a process takes as ordinary loop events: TERM, INT, HUP (and CHLD for the master). They
 * are blocked from the first line of main(). Ends the process if there is no descriptor left.
 */
int signals_open(bool master);

/* The next pending signal's number, or 0. */
int signals_next(int fd);

#endif
