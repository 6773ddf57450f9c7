/*
 * Arbitrary bytes through target_url_check(). For every input a URL that is accepted has these properties:
 *
 *   - it is visible ASCII without '\', '#' and, before its path, '@' and '%';
 *   - libc's resolver, asked for numeric hosts alone, knows no address for its host that network_allowed() refuses;
 *
 * and the message for one that is refused is ASCII and does not contain the path.
 */
#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "api/network_guard.h"
#include "api/target_url.h"
#include "tests/fuzz/target.h"

static void
check_host(const char *url, size_t len)
{
	const struct networks none = {0};
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
	const char *host = (const char *)memmem(url, len, "://", 3) + 3;
	size_t host_len;
	char copy[TARGET_URL_BYTES_MAX + 1];

	if (*host == '[') {
		host++;
		host_len = (size_t)((const char *)memchr(host, ']', len) - host);
	} else {
		host_len = 0;
		while (host + host_len < url + len && strchr("/:?", host[host_len]) == NULL)
			host_len++;
	}
	memcpy(copy, host, host_len);
	copy[host_len] = '\0';
	assert(strpbrk(copy, "@%") == NULL);
	if (getaddrinfo(copy, NULL, &hints, &found) != 0)
		return;
	for (const struct addrinfo *at = found; at != NULL; at = at->ai_next)
		assert(network_allowed(&none, at->ai_addr));
	freeaddrinfo(found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct networks none = {0};
	char *copy = malloc(size > 0 ? size : 1);
	struct error err;

	assert(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	if (target_url_check((struct span){copy, size}, &none, &err) == 0) {
		for (size_t i = 0; i < size; i++)
			assert(copy[i] > ' ' && copy[i] < 0x7f && copy[i] != '\\' && copy[i] != '#');
		check_host(copy, size);
	} else {
		for (const char *at = err.text; *at != '\0'; at++)
			assert(*at >= ' ' && *at < 0x7f && *at != '"');
	}
	free(copy);
	return 0;
}
