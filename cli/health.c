/*
 * hooksctl health: one GET to a running hooksd, for health checks of containers, where there is neither curl nor a
 * shell. One deadline for all of it: a health check that hangs says as little as one that is not made. The other side
 * may be anything that listens on that port. A certificate is not verified, as probes of orchestrators do not: it names
 * what clients call the service, and nothing that is secret is sent.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/mem.h"
#include "base/error.h"
#include "base/version.h"
#include "cli/commands.h"

const char command_health_usage[] =
    "usage: hooksctl health [PATH | http[s]://HOST[:PORT][/PATH]] [--option=value ...]\n\n"
    "Asks a running hooksd over HTTP and prints what it says. Without a URL: the one on HOST and PORT,\n"
    "by the loopback address where HOST means all addresses, over TLS if TLS_CERT_FILE is set; the\n"
    "certificate is not verified. Without a path:\n\n"
    "  /health  it answers; also while its store is unavailable and events are spooled or refused\n\n"
    "Others that make sense:\n\n"
    "  /livez   it answers; says nothing else\n"
    "  /readyz  it takes events and is not stopping\n\n"
    "Gives up after 3 seconds.\n\n"
    "Exit codes: 0 the answer is a 200; 1 it is not, or there is none; 64 wrong usage or configuration.\n";

#define TIMEOUT_MS 3000L
#define BODY_MAX 8192

struct answer {
	long status;
	size_t len;
	char body[BODY_MAX]; /* its beginning */
};

/* Printable ASCII without spaces: what else would be in there could be another header. */
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

/* The address to reach a hooksd on that listens on HOST. */
static const char *
reachable(const char *host)
{
	/* A hooksd with HOST=:: also listens on IPv4, even on a machine without IPv6. */
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 ? "127.0.0.1" : host;
}

/* The URL that the word means; the caller frees it. NULL: the word or the configuration is wrong. */
static char *
find_url(const struct config *config, const char *word, struct error *err)
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
	struct answer *answer = context;
	size_t room = sizeof answer->body - 1 - answer->len, taken = len < room ? len : room;

	memcpy(answer->body + answer->len, bytes, taken);
	answer->len += taken;
	answer->body[answer->len] = '\0';
	return len;
}

/* One request and its answer, which has a body: every answer of a hooksd has. */
static int
ask(const char *url, struct answer *answer, struct error *err)
{
	char reason[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	CURLcode code;

	if (curl == NULL)
		mem_none(0);
	*answer = (struct answer){0};
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
	return answer->len > 0 ? 0 : error_set(err, "what %s answered is not whole", url);
}

/* Prints the body on one line. It goes to a terminal or a log: what controls one is left out. */
static void
print_body(FILE *out, const char *body)
{
	for (; *body != '\0'; body++)
		if (!iscntrl((unsigned char)*body))
			fputc(*body, out);
	fputc('\n', out);
}

int
command_health(const struct config *config, char *const *words)
{
	struct answer answer;
	struct error err;
	char *url;
	int rc;

	if (words[0] != NULL && words[1] != NULL) {
		fputs(command_health_usage, stderr);
		return COMMAND_USAGE;
	}
	url = find_url(config, words[0], &err);
	if (url == NULL) {
		fprintf(stderr, "hooksctl health: %s\n", err.text);
		return COMMAND_USAGE;
	}
	rc = ask(url, &answer, &err);
	if (rc != 0) {
		fprintf(stderr, "hooksctl health: %s\n", err.text);
	} else if (answer.status == 200) {
		print_body(stdout, answer.body);
	} else {
		fprintf(stderr, "hooksctl health: %s answered %ld: ", url, answer.status);
		print_body(stderr, answer.body);
	}
	free(url);
	return rc == 0 && answer.status == 200 ? COMMAND_OK : COMMAND_FAILED;
}
