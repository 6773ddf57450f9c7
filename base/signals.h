/* Signals as ordinary loop events. */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <stdbool.h>

/*
 * Blocks TERM, INT and HUP, with_children also CHLD, and returns a signalfd for them. Each process calls it first, so
 * that no signal is lost. Ends the process if no descriptor is left.
 */
int signals_open(bool with_children);

/* The next pending signal's number, or 0. */
int signals_next(int fd);

#endif
