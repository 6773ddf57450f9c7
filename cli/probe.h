/* Asks a running hooksd for its health, by one GET. */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

#include <stddef.h>

#include "base/error.h"
#include "config/config.h"

#define PROBE_BODY_MAX 8192

struct probe_answer {
	long status;
	size_t len;
	char body[PROBE_BODY_MAX]; /* its beginning */
};

/*
 * The URL for the word: a URL, or a path at the hooksd of this configuration; word NULL: /health. The caller frees it.
 * NULL: the word or the configuration is wrong.
 */
char *probe_url(const struct config *config, const char *word, struct error *err);

/* Asks, and waits at most 3 seconds. 0, whatever the status, or <0: no answer. */
int probe_ask(const char *url, struct probe_answer *answer, struct error *err);

#endif
