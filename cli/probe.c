/*
 * One deadline covers everything, so that a health check never hangs. The other side may be any program on that port.
 * The certificate is not verified, as in orchestrators' probes: it is for the name that clients use, and nothing secret
 * is sent.
 */
#include "cli/probe.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include <curl/curl.h>

#include "base/mem.h"
#include "base/version.h"

#define TIMEOUT_MS 3000L

/* Printable ASCII without spaces: other characters could start another header. */
static bool
is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (!isgraph((unsigned char)*text) || (unsigned char)*text >= 0x80)
			return false;
	return true;
}

static bool
is_url(const char *word)
{
	CURLU *url = curl_url();
	bool right;

	if (url == NULL)
		mem_none(0);
	right = (strncmp(word, "http://", 7) == 0 || strncmp(word, "https://", 8) == 0) && is_plain(word) &&
		curl_url_set(url, CURLUPART_URL, word, CURLU_DISALLOW_USER) == CURLUE_OK;
	curl_url_cleanup(url);
	return right;
}

/* The address at which to reach a hooksd that listens on HOST. */
static const char *
reachable(const char *host)
{
	/* A hooksd with HOST=:: also listens on IPv4, even on a machine without IPv6. */
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 ? "127.0.0.1" : host;
}

char *
probe_url(const struct config *config, const char *word, struct error *err)
{
	const char *path = word != NULL ? word : "/health", *host = reachable(config->host);
	bool ipv6 = strchr(host, ':') != NULL;

	if (path[0] != '/' && is_url(path))
		return mem_printf("%s%s", path, strchr(strstr(path, "://") + 3, '/') != NULL ? "" : "/health");
	if (path[0] != '/' || !is_plain(path)) {
		(void)error_set(err, "'%.200s' is neither a path nor http[s]://HOST[:PORT][/PATH]", path);
		return NULL;
	}
	if (config->port == 0) {
		(void)error_set(err, "PORT is 0: say which port hooksd has got, with --port or a URL");
		return NULL;
	}
	return mem_printf("%s://%s%s%s:%u%s", config->tls_cert_file != NULL ? "https" : "http", ipv6 ? "[" : "", host,
	    ipv6 ? "]" : "", config->port, path);
}

static size_t
take_body(char *bytes, size_t one, size_t len, void *context)
{
	struct probe_answer *answer = context;
	size_t room = sizeof answer->body - 1 - answer->len, taken = len < room ? len : room;

	memcpy(answer->body + answer->len, bytes, taken);
	answer->len += taken;
	answer->body[answer->len] = '\0';
	return len;
}

/* An answer without a body is not from hooksd. */
int
probe_ask(const char *url, struct probe_answer *answer, struct error *err)
{
	char reason[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	CURLcode code;

	if (curl == NULL)
		mem_none(0);
	*answer = (struct probe_answer){0};
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "hooksctl/" HOOKS_VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	code = curl_easy_perform(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_cleanup(curl);
	if (code != CURLE_OK)
		return error_set(
		    err, "no answer from %s: %s", url, reason[0] != '\0' ? reason : curl_easy_strerror(code));
	return answer->len > 0 ? 0 : error_set(err, "the answer of %s is not complete", url);
}
