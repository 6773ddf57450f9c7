/*
 * The error convention of the whole tree (see HACKING.md).
 *
 * A function that can fail returns int:
 *    0   it worked;
 *   <0 it failed: *err holds one sentence for a person (what, where, what to do); the caller
 *        passes the error up or logs it;
 *   >0   a named condition of that module (an enum in its header) that the direct caller handles.
 *
 * Programming errors are asserts, and asserts stay on in release builds. Running out of memory at
 * start-up or in a writer ends the process (base/mem.h); its supervisor starts another.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#define ERROR_TEXT_MAX 512

struct error {
	char text[ERROR_TEXT_MAX]; /* NUL-terminated, no newline; cut short when too long */
};

/* Formats the sentence into err. Returns -1, so that callers write `return error_set(err, ...)`. */
int error_set(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same followed by ": " and strerror(errno). errno is kept. Returns -1. */
int error_errno(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
