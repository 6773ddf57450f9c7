/* Signals as ordinary loop events. */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <stdbool.h>

/*
 * Blocks TERM, INT and HUP, and CHLD for a process with children, and returns a signalfd for them. Called first in each
 * process, so that no signal is lost. Ends the process if there is no descriptor left.
 */
int signals_open(bool with_children);

/* The next pending signal's number, or 0. */
int signals_next(int fd);

#endif
