/* The files of server/console/, embedded at build time by server/embed_console.py. */
#ifndef SERVER_CONSOLE_FILES_H
#define SERVER_CONSOLE_FILES_H

#include <stddef.h>

struct console_file {
	const char *name; /* "main.js" */
	const char *content_type;
	const char *etag; /* with its quotes; changes with the content */
	const char *bytes;
	size_t len;
};

extern const struct console_file console_files[];
extern const size_t console_file_count;

#endif
