/* The project's version and its day, in one place: meson.build's project() and `hooksd --version` read it from here. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#include <stdint.h>

#define HOOKS_VERSION "0.2.0"

/*
 * Midnight (UTC) of the day of that version's entry in deploy/debian/changelog, in seconds: a clock behind it is wrong.
 */
#define HOOKS_RELEASED INT64_C(1795996800)

#endif
