/*
 * Sets libcurl's options and has its callbacks. guard_allows() is the guard. It is asked three times: before a name's
 * addresses are used at all; for each address to connect to (decisive: libcurl connects to exactly those bytes); and
 * for each request on a reused connection.
 */
#include "courier/transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "api/network_guard.h"
#include "base/clock.h"
#include "base/mem.h"
#include "courier/endpoint_config.h"
#include "courier/failure.h"

#define CONNECT_TIMEOUT_MS 5000L
#define REPEATS_MAX 3
#define BODY_ROOM_KEPT (64 * 1024)

static void
refuse(struct transfer *transfer, const char *address)
{
	transfer->end = ATTEMPT_GUARD;
	(void)snprintf(transfer->error, sizeof transfer->error,
	    "%s has the address %s, which is not a public address: HL_ALLOW_NETWORKS can allow it",
	    transfer->spec.endpoint->host, address);
}

static bool
guard_allows(struct transfer *transfer, const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (transfer->inbox || network_allowed(&transfer->env->allowed, address))
		return true;
	if (address->sa_family == AF_INET || address->sa_family == AF_INET6) {
		const union resolver_address *known = (const union resolver_address *)address;

		(void)inet_ntop(address->sa_family,
		    address->sa_family == AF_INET ? (const void *)&known->ipv4.sin_addr : &known->ipv6.sin6_addr, text,
		    sizeof text);
	}
	refuse(transfer, text);
	return false;
}

/* ---- callbacks of libcurl ---- */

static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = context;
	int fd;

	if (purpose != CURLSOCKTYPE_IPCXN || !guard_allows(transfer, &address->addr))
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0 && errno != EAFNOSUPPORT)
		transfer->no_socket = errno;
	return fd; /* -1 is CURL_SOCKET_BAD */
}

static int
before_request(void *context, char *peer, char *own, int peer_port, int own_port)
{
	struct transfer *transfer = context;
	union resolver_address address = {.any.sa_family = AF_INET};

	if (inet_pton(AF_INET, peer, &address.ipv4.sin_addr) != 1) {
		address.any.sa_family = AF_INET6;
		if (inet_pton(AF_INET6, peer, &address.ipv6.sin6_addr) != 1)
			address.any.sa_family = AF_UNSPEC;
	}
	return guard_allows(transfer, &address.any) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static size_t
take_head(char *bytes, size_t one, size_t len, void *context)
{
	struct transfer *transfer = context;

	if (!response_head(&transfer->reply, (struct span){bytes, len}, clock_wall_us()))
		return 0;
	/* 421 (RFC 9110 section 15.5.20): end the connection, so that the next attempt gets another one. */
	return transfer->reply.complete && transfer->reply.status == 421 ? 0 : len;
}

static size_t
take_body(char *bytes, size_t one, size_t len, void *context)
{
	struct transfer *transfer = context;

	return response_body(&transfer->reply, (struct span){bytes, len}) ? len : 0;
}

/* ---- the handle ---- */

/* Sets an option that this libcurl must know. */
#define SET(option, value)                                                                                             \
	do {                                                                                                           \
		CURLcode set_code = curl_easy_setopt(transfer->easy, option, value);                                   \
                                                                                                                       \
		if (set_code != CURLE_OK)                                                                              \
			mem_none(0);                                                                                   \
	} while (0)

static void
set_constants(struct transfer *transfer)
{
	SET(CURLOPT_PRIVATE, (void *)transfer);
	SET(CURLOPT_ERRORBUFFER, transfer->detail);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for lookups of libcurl */
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, ""); /* none, also not from the environment */
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_MAXAGE_CONN, 60L);
	SET(CURLOPT_MAXLIFETIME_CONN, 300L); /* follow a name that moves */
	SET(CURLOPT_CAPATH, NULL); /* libcurl would read a directory for each connection, but caches the file */
	if (transfer->env->ca_file != NULL)
		SET(CURLOPT_CAINFO, transfer->env->ca_file);
	if (transfer->env->watches_certificates) {
		SET(CURLOPT_SSL_CTX_FUNCTION, certificate_watch);
		SET(CURLOPT_SSL_CTX_DATA, (void *)&transfer->note);
	}
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, (void *)transfer);
	SET(CURLOPT_PREREQFUNCTION, before_request);
	SET(CURLOPT_PREREQDATA, (void *)transfer);
	SET(CURLOPT_HEADERFUNCTION, take_head);
	SET(CURLOPT_HEADERDATA, (void *)transfer);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, (void *)transfer);
}

struct transfer *
transfer_new(const struct transfer_env *env)
{
	struct transfer *transfer = mem_new(1, sizeof *transfer);

	transfer->env = env;
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL)
		mem_none(0);
	set_constants(transfer);
	return transfer;
}

void
transfer_free(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	bytes_free(&transfer->body);
	bytes_free(&transfer->resolve);
	request_free(&transfer->request);
	response_free(&transfer->reply);
	free(transfer);
}

/* ---- its life ---- */

void
transfer_end(struct transfer *transfer, enum attempt_end end, const char *error)
{
	transfer->end = end;
	(void)snprintf(transfer->error, sizeof transfer->error, "%s", error);
}

enum transfer_step
transfer_begin(struct transfer *transfer, const struct attempt_spec *spec, const uint8_t attempt_id[16])
{
	struct span url = {spec->endpoint->url, strlen(spec->endpoint->url)};
	struct error err, whole;

	transfer->spec = *spec;
	memcpy(transfer->attempt_id, attempt_id, sizeof transfer->attempt_id);
	transfer->started_us = clock_wall_us();
	transfer->begun_us = clock_steady_us();
	transfer->resolved_us = 0;
	transfer->inbox = false;
	transfer->prepared_us = transfer->note.begun_us = 0;
	transfer->note.text[0] = transfer->detail[0] = transfer->error[0] = '\0';
	transfer->no_socket = 0;
	transfer->repeats = 0;
	transfer->end = ATTEMPT_FAILED;
	response_begin(&transfer->reply, spec->endpoint->keep_response);
	if (target_url_split(url, &transfer->url, &err) < 0) {
		(void)error_set(&whole, "the endpoint's URL %s", err.text);
		transfer_end(transfer, ATTEMPT_FAILED, whole.text);
		return TRANSFER_ENDED;
	}
	transfer->inbox = transfer->env->config->hl_dev_inbox &&
			  target_url_is_inbox(&transfer->url, transfer->env->config->hl_public_url);
	if (!transfer->inbox && target_url_judge(&transfer->url, &transfer->env->allowed, &err) < 0) {
		(void)error_set(&whole, "the endpoint's URL %s", err.text);
		transfer_end(transfer, ATTEMPT_GUARD, whole.text);
		return TRANSFER_ENDED;
	}
	return transfer->inbox || transfer->url.is_address ? TRANSFER_READY : TRANSFER_LOOK_UP;
}

/* Writes libcurl's "+host:port:address,address"; "+": the entry may expire. */
static void
write_addresses(struct transfer *transfer, const struct resolver_answer *answer)
{
	struct bytes *out = &transfer->resolve;
	char text[TARGET_HOST_BYTES_MAX + 16];

	out->len = 0;
	(void)snprintf(text, sizeof text, "+%s:%u:", transfer->url.host, transfer->url.port);
	bytes_add_text(out, text);
	for (uint32_t i = 0; i < answer->count; i++) {
		const union resolver_address *address = &answer->addresses[i];
		bool ipv6 = address->any.sa_family == AF_INET6;
		char written[INET6_ADDRSTRLEN] = "";

		(void)inet_ntop(address->any.sa_family,
		    ipv6 ? (const void *)&address->ipv6.sin6_addr : &address->ipv4.sin_addr, written, sizeof written);
		(void)snprintf(
		    text, sizeof text, "%s%s%s%s", i > 0 ? "," : "", ipv6 ? "[" : "", written, ipv6 ? "]" : "");
		bytes_add_text(out, text);
	}
	bytes_add(out, "", 1);
}

enum transfer_step
transfer_resolved(struct transfer *transfer, const struct resolver_answer *answer)
{
	const char *host = transfer->spec.endpoint->host;
	struct error err;

	if (answer->result == RESOLVER_ABSENT) {
		(void)error_set(&err, "the name %s does not exist, or has no address", host);
		transfer_end(transfer, ATTEMPT_FAILED, err.text);
	} else if (answer->result == RESOLVER_UNKNOWN) {
		(void)error_set(&err, "the name %s cannot be looked up: no name server answers for it", host);
		transfer_end(transfer, ATTEMPT_UNRESOLVED, err.text);
	}
	if (answer->result != RESOLVER_KNOWN)
		return TRANSFER_ENDED;
	for (uint32_t i = 0; i < answer->count; i++)
		if (!guard_allows(transfer, &answer->addresses[i].any))
			return TRANSFER_ENDED;
	write_addresses(transfer, answer);
	transfer->resolved_us = clock_steady_us();
	return TRANSFER_READY;
}

static void
set_url(struct transfer *transfer)
{
	const struct target_url *url = &transfer->url;
	char text[sizeof transfer->env->listener + TARGET_HOST_BYTES_MAX + 2], target[TARGET_URL_BYTES_MAX + 2];

	/* libcurl gets only host and port: path and query are sent byte for byte. */
	if (transfer->inbox)
		(void)snprintf(text, sizeof text, "%s/", transfer->env->listener);
	else
		(void)snprintf(text, sizeof text, "%s://%s%s%s:%u/", url->https ? "https" : "http",
		    url->is_ipv6 ? "[" : "", url->host, url->is_ipv6 ? "]" : "", url->port);
	(void)snprintf(target, sizeof target, "%s%.*s", url->target.len == 0 || url->target.base[0] != '/' ? "/" : "",
	    (int)url->target.len, url->target.base);
	SET(CURLOPT_URL, text);
	SET(CURLOPT_REQUEST_TARGET, target);
	transfer->resolve_line.data = transfer->resolve.base;
	SET(CURLOPT_RESOLVE, transfer->resolved_us != 0 ? &transfer->resolve_line : NULL);
}

void
transfer_prepare(struct transfer *transfer)
{
	const struct attempt_spec *spec = &transfer->spec;
	const struct body_spec body_spec = {
	    .kind = spec->endpoint->body,
	    .event = spec->event,
	    .transform = spec->transform,
	    .job_id = spec->job_id,
	    .attempt_id = transfer->attempt_id,
	    .number = spec->number,
	};
	int64_t left_ms = spec->endpoint->timeout_ms - (clock_steady_us() - transfer->begun_us) / 1000;
	struct span body = body_make(transfer->env->maker, &body_spec, &transfer->body);
	struct request_facts facts = {.attempt_id = transfer->attempt_id, .now_us = clock_wall_us(), .body = body};

	if (body.base != transfer->body.base && body.base != record_data(spec->event).base) {
		bytes_add(&transfer->body, body.base, body.len); /* copied: the maker's next call replaces it */
		body = facts.body = (struct span){transfer->body.base, transfer->body.len};
	}
	if (transfer->inbox)
		facts.host = transfer->url.authority;
	transfer->prepared_us = clock_steady_us();
	set_url(transfer);
	/* The service's own certificate names what clients call it, not this address. */
	SET(CURLOPT_SSL_VERIFYPEER, transfer->inbox ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, transfer->inbox ? 0L : 2L);
	SET(CURLOPT_HTTPHEADER, request_make(&transfer->request, spec, &facts));
	SET(CURLOPT_POSTFIELDS, body.base);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	transfer->body_bytes = (int64_t)body.len;
	SET(CURLOPT_FRESH_CONNECT, (long)(transfer->repeats > 0));
	SET(CURLOPT_TIMEOUT_MS, left_ms > 1 ? (long)left_ms : 1L);
}

void
transfer_clear(struct transfer *transfer)
{
	request_wipe(&transfer->request);
	transfer->body.len = 0;
	if (transfer->body.capacity > BODY_ROOM_KEPT)
		bytes_free(&transfer->body);
}

static int64_t
info_number(struct transfer *transfer, CURLINFO info)
{
	curl_off_t value = 0;

	return curl_easy_getinfo(transfer->easy, info, &value) == CURLE_OK ? (int64_t)value : 0;
}

/*
 * Whether the receiver certainly has not read the whole request, or almost certainly: it closed a reused connection
 * (RFC 9112 section 9.3.1). fresh: connections that libcurl made for the request. An HTTP/2 receiver has not processed
 * streams that it refuses, which libcurl repeats itself, nor streams that a GOAWAY leaves out (RFC 9113 section 8.7).
 * It may have processed all others.
 */
static bool
is_unread(struct transfer *transfer, CURLcode code, long fresh)
{
	bool sent = info_number(transfer, CURLINFO_SIZE_UPLOAD_T) >= transfer->body_bytes;

	switch (code) {
	case CURLE_HTTP2: /* without a detail: a GOAWAY left the stream out */
		return transfer->detail[0] == '\0' || !sent;
	case CURLE_PARTIAL_FILE: /* libcurl's code for streams of a closed connection */
	case CURLE_HTTP2_STREAM:
		return !sent;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		return !sent || fresh == 0;
	default:
		return false;
	}
}

bool
transfer_repeat(struct transfer *transfer, CURLcode code)
{
	long fresh = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &fresh);
	if (transfer->reply.head_bytes > 0 || transfer->error[0] != '\0' || transfer->no_socket != 0 ||
	    transfer->repeats == REPEATS_MAX || !is_unread(transfer, code, fresh))
		return false;
	transfer->repeats++;
	transfer->detail[0] = '\0';
	return true;
}

/* ---- the result ---- */

/* Microseconds to milliseconds, rounded. */
static int32_t
to_ms(int64_t us)
{
	return us > 0 ? (int32_t)((us + 500) / 1000) : 0;
}

/* The address of libcurl's connection; "": none. */
static const char *
peer_address(struct transfer *transfer)
{
	char *ip = NULL;

	return curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_IP, &ip) == CURLE_OK && ip != NULL ? ip : "";
}

/* Fills in the parts of the duration that were reached. A reused connection took no time to make. */
static void
fill_times(struct transfer *transfer, struct attempt_result *result)
{
	int64_t connected = info_number(transfer, CURLINFO_CONNECT_TIME_T),
		tls = info_number(transfer, CURLINFO_APPCONNECT_TIME_T);
	int64_t ready = info_number(transfer, CURLINFO_PRETRANSFER_TIME_T);
	int64_t first = info_number(transfer, CURLINFO_STARTTRANSFER_TIME_T);
	long fresh = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &fresh);
	if (fresh > 0 && connected > 0)
		result->connect_ms = to_ms(connected - info_number(transfer, CURLINFO_NAMELOOKUP_TIME_T));
	else if (transfer->note.begun_us != 0) /* TLS began; libcurl reports no connection without it */
		result->connect_ms = to_ms(transfer->note.begun_us - transfer->prepared_us);
	if (fresh > 0 && tls > 0)
		result->tls_ms = to_ms(tls - connected);
	if (first > 0 && transfer->reply.status > 0)
		result->first_byte_ms = to_ms(first - ready);
}

static void
fill_peer(struct transfer *transfer, struct attempt_result *result)
{
	const char *ip = peer_address(transfer);
	long port = 0;

	if (ip[0] == '\0')
		return;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_PORT, &port);
	(void)snprintf(result->peer, sizeof result->peer, strchr(ip, ':') != NULL ? "[%s]:%ld" : "%s:%ld", ip, port);
}

static void
fill_reply(const struct transfer *transfer, struct attempt_result *result)
{
	const struct response *reply = &transfer->reply;

	result->end = ATTEMPT_ANSWERED;
	result->http_status = reply->status;
	result->directive = reply->directive;
	result->retry_after_ms = reply->retry_after_ms;
	response_text(reply, result->response);
	if (reply->status >= 300 && reply->status <= 399)
		(void)snprintf(result->error, sizeof result->error, "%s redirects%s%s, which is not followed",
		    transfer->spec.endpoint->host, reply->redirect[0] != '\0' ? " to " : "", reply->redirect);
}

static void
fill_failure(struct transfer *transfer, CURLcode code, struct attempt_result *result)
{
	struct failure failure = {
	    .code = code,
	    .no_socket = transfer->no_socket,
	    .host = transfer->spec.endpoint->host,
	    .certificate = transfer->note.text,
	    .detail = transfer->detail,
	    .connected = peer_address(transfer)[0] != '\0',
	    .encrypted = !transfer->url.https || info_number(transfer, CURLINFO_APPCONNECT_TIME_T) > 0,
	};
	long os_error = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_error);
	failure.os_error = (int)os_error;
	failure_describe(&failure, result);
}

void
transfer_result(struct transfer *transfer, CURLcode code, struct attempt_result *result)
{
	int64_t took_us = clock_steady_us() - transfer->begun_us;

	*result = (struct attempt_result){
	    .retry_after_ms = -1,
	    .started_us = transfer->started_us,
	    .duration_ms = to_ms(took_us),
	    .dns_ms = transfer->resolved_us != 0 ? to_ms(transfer->resolved_us - transfer->begun_us) : -1,
	    .connect_ms = -1,
	    .tls_ms = -1,
	    .first_byte_ms = -1,
	};
	memcpy(result->attempt_id, transfer->attempt_id, sizeof result->attempt_id);
	if (transfer->reply.complete) {
		fill_reply(transfer, result);
	} else if (transfer->error[0] != '\0') {
		result->end = transfer->end;
		memcpy(result->error, transfer->error, sizeof result->error);
	} else {
		fill_failure(transfer, code, result);
	}
	if (transfer->prepared_us == 0)
		return;
	fill_times(transfer, result);
	fill_peer(transfer, result);
}
