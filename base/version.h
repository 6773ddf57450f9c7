/* The project's version, in one place: meson.build's project() and `hooksd --version` read it from here. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define HOOKS_VERSION "0.1.0"

#endif
