/* Uses libcurl for TLS, proxies and names. Redirects are not followed: their target would get the key. */
#include "cli/api_client.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/version.h"

#define TIMEOUT_SECONDS 30L
#define SLOW_TIMEOUT_SECONDS 330L
#define REPLY_MAX ((size_t)64 << 20)
/* A stream sends at least a comment every 15 seconds. */
#define SILENCE_US (60 * 1000 * 1000)

static size_t
take_body(char *bytes, size_t one, size_t len, void *context)
{
	struct api_reply *reply = context;

	if (reply->len + len > REPLY_MAX)
		return 0;
	reply->body = mem_resize(reply->body, reply->len + len + 1, 1);
	memcpy(reply->body + reply->len, bytes, len);
	reply->len += len;
	reply->body[reply->len] = '\0';
	return len;
}

/* Adds "Name: value", and wipes its own copy: the value may be a key. */
static void
add_header(struct curl_slist **headers, const char *name, const char *value)
{
	char *line = mem_printf("%s: %s", name, value);

	*headers = curl_slist_append(*headers, line);
	explicit_bzero(line, strlen(line));
	free(line);
	if (*headers == NULL)
		mem_none(0);
}

static struct curl_slist *
make_headers(const struct api_server *server, const struct api_request *request)
{
	struct curl_slist *headers = NULL;

	add_header(&headers, "Accept", "application/json");
	if (request->body != NULL)
		add_header(&headers, "Content-Type", "application/json");
	if (request->if_match != NULL)
		add_header(&headers, "If-Match", request->if_match);
	if (request->idempotency_key != NULL)
		add_header(&headers, "Idempotency-Key", request->idempotency_key);
	if (server->key != NULL) {
		char *value = mem_printf("Bearer %s", server->key);

		add_header(&headers, "Authorization", value);
		explicit_bzero(value, strlen(value));
		free(value);
	}
	return headers;
}

/* Makes a handle with the settings common to all requests. */
static CURL *
begin(const char *url, struct curl_slist *headers, char reason[CURL_ERROR_SIZE])
{
	CURL *curl = curl_easy_init();

	if (curl == NULL)
		mem_none(0);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (getenv("SSL_CERT_FILE") != NULL)
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "hooksctl/" HOOKS_VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	return curl;
}

static void
set_lost(struct error *err, const struct api_server *server, const char *reason, CURLcode code)
{
	(void)error_set(
	    err, "no answer from %s: %s", server->url, reason[0] != '\0' ? reason : curl_easy_strerror(code));
}

int
api_send(const struct api_server *server, const struct api_request *request, struct api_reply *reply, struct error *err)
{
	char *url = mem_printf("%s%s", server->url, request->path);
	struct curl_slist *headers = make_headers(server, request);
	char reason[CURL_ERROR_SIZE] = "";
	CURL *curl = begin(url, headers, reason);
	CURLcode code;

	*reply = (struct api_reply){.body = mem_strdup("")};
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->body != NULL)
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
	else if (strcmp(request->method, "POST") == 0)
		(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, request->slow ? SLOW_TIMEOUT_SECONDS : TIMEOUT_SECONDS);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
	code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
	else
		set_lost(err, server, reason, code);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	free(url);
	if (code == CURLE_OK)
		return 0;
	free(reply->body);
	return -1;
}

/* ---- streams ---- */

struct follower {
	struct api_following *following;
	CURL *curl;
	int64_t heard_us; /* steady */
};

static size_t
take_part(char *bytes, size_t one, size_t len, void *context)
{
	struct follower *follower = context;
	struct api_following *following = follower->following;
	long status = 0;

	follower->heard_us = clock_steady_us();
	(void)curl_easy_getinfo(follower->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return take_body(bytes, one, len, &following->refusal);
	return following->take(following->context, bytes, len) ? len : 0;
}

/* libcurl asks about once a second. */
static int
is_silent(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct follower *follower = context;

	return clock_steady_us() - follower->heard_us > SILENCE_US;
}

int
api_follow(const struct api_server *server, struct api_following *following, struct error *err)
{
	char *url = mem_printf("%s%s", server->url, following->path);
	struct curl_slist *headers = make_headers(server, &(struct api_request){0});
	char reason[CURL_ERROR_SIZE] = "";
	CURL *curl;
	struct follower follower = {.following = following, .heard_us = clock_steady_us()};
	CURLcode code;

	if (following->last_event_id != NULL)
		add_header(&headers, "Last-Event-ID", following->last_event_id);
	following->refusal = (struct api_reply){.body = mem_strdup("")};
	follower.curl = curl = begin(url, headers, reason);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, TIMEOUT_SECONDS);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_part);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &follower);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_silent);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &follower);
	code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &following->refusal.status);
	else
		set_lost(err, server, reason, code);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	free(url);
	return code == CURLE_OK ? 0 : -1;
}

char *
api_encode(const char *text)
{
	char *encoded = curl_easy_escape(NULL, text, (int)strlen(text)), *copy;

	if (encoded == NULL)
		mem_none(0);
	copy = mem_strdup(encoded);
	curl_free(encoded);
	return copy;
}
