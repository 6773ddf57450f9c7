/*
 * libcurl's sockets and the resolver's descriptor are in one epoll set. A transfer is in one of four lists: spare,
 * waiting for an address, at libcurl, ended.
 */
#include "courier/http.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/probes.h"
#include "base/uuid.h"
#include "courier/endpoint_config.h"
#include "courier/resolver.h"
#include "courier/transfer.h"

#define EVENTS_MAX 128
#define SPARE_MAX 256
#define CONNECTIONS_LEAST 64l /* kept even under a low limit of descriptors */
#define CONNECTIONS_MOST 4096l
#define CA_CACHE_SECONDS 3600l /* the file of authorities is read again after this */
#define NEVER INT64_MAX

/* Marks the resolver's descriptor in an event's data; other values are sockets of libcurl. */
#define EVENT_RESOLVER (UINT64_C(1) << 32)

struct http {
	struct transfer_env env;
	attempt_done *done;
	void *context;
	CURLM *multi;
	struct resolver *resolver;
	struct uuid_source ids;
	int epoll_fd;
	int64_t curl_due_us, waiting_due_us; /* when to call libcurl; when a waiting transfer is due */
	struct transfer *spare, *waiting, *running, *ended;
	uint32_t spare_count, in_flight;
};

/* ---- lists ---- */

static void
unlink_transfer(struct transfer *transfer)
{
	if (transfer->link == NULL)
		return;
	*transfer->link = transfer->next;
	if (transfer->next != NULL)
		transfer->next->link = transfer->link;
	transfer->link = NULL;
}

static void
move(struct transfer *transfer, struct transfer **list)
{
	unlink_transfer(transfer);
	transfer->next = *list;
	transfer->link = list;
	if (*list != NULL)
		(*list)->link = &transfer->next;
	*list = transfer;
}

/* ---- callbacks of libcurl ---- */

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
	struct http *http = context;
	struct epoll_event event = {.data.u64 = (uint32_t)fd};

	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(http->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		(void)curl_multi_assign(http->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(http->epoll_fd, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0)
		return -1;
	(void)curl_multi_assign(http->multi, fd, http);
	return 0;
}

static int
set_timer(CURLM *multi, long ms, void *context)
{
	struct http *http = context;

	http->curl_due_us = ms < 0 ? NEVER : clock_steady_us() + ms * 1000;
	return 0;
}

/* ---- attempts ---- */

static void
start(struct http *http, struct transfer *transfer)
{
	transfer_prepare(transfer);
	move(transfer, &http->running);
	if (curl_multi_add_handle(http->multi, transfer->easy) == CURLM_OK)
		return;
	transfer_end(transfer, ATTEMPT_INTERNAL, "no attempt could be made: libcurl takes no more");
	move(transfer, &http->ended);
}

static void
go_on(struct http *http, struct transfer *transfer, enum transfer_step step)
{
	if (step == TRANSFER_READY)
		start(http, transfer);
	else
		move(transfer, &http->ended);
}

/* Asks for the address. false: the transfer waits for it. */
static bool
resolve(struct http *http, struct transfer *transfer, bool waited)
{
	const struct resolver_answer *answer = resolver_ask(http->resolver, transfer->url.host, waited);

	if (answer == NULL) {
		if (transfer->wait_until_us < http->waiting_due_us)
			http->waiting_due_us = transfer->wait_until_us;
		return false;
	}
	go_on(http, transfer, transfer_resolved(transfer, answer));
	return true;
}

void
http_begin(struct http *http, const struct attempt_spec *spec)
{
	struct transfer *transfer = http->spare != NULL ? http->spare : transfer_new(&http->env);
	int64_t timeout_us = spec->endpoint->timeout_ms * INT64_C(1000);
	uint8_t attempt_id[16];
	enum transfer_step step;

	http->spare_count -= http->spare != NULL;
	http->in_flight++;
	uuid_v7(&http->ids, clock_wall_us(), attempt_id);
	PROBE_ATTEMPT_BEGIN(transfer, spec->number);
	step = transfer_begin(transfer, spec, spec->attempt_id != NULL ? spec->attempt_id : attempt_id);
	transfer->wait_until_us = transfer->begun_us + (timeout_us < RESOLVER_WAIT_US ? timeout_us : RESOLVER_WAIT_US);
	if (step != TRANSFER_LOOK_UP)
		go_on(http, transfer, step);
	else if (!resolve(http, transfer, false))
		move(transfer, &http->waiting);
}

/* Ends a transfer that libcurl no longer has, and calls done(). */
static void
finish(struct http *http, struct transfer *transfer, CURLcode code)
{
	void *attempt_context = transfer->spec.context;
	struct attempt_result result;

	transfer_result(transfer, code, &result);
	PROBE_ATTEMPT_END(transfer, result.http_status, result.duration_ms);
	transfer_clear(transfer);
	unlink_transfer(transfer);
	if (http->spare_count < SPARE_MAX) {
		move(transfer, &http->spare);
		http->spare_count++;
	} else {
		transfer_free(transfer);
	}
	http->in_flight--;
	http->done(http->context, attempt_context, &result);
}

static void
take_finished(struct http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		CURLcode code = message->data.result;
		struct transfer *transfer = NULL;

		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		(void)curl_multi_remove_handle(http->multi, transfer->easy);
		if (transfer_repeat(transfer, code))
			start(http, transfer);
		else
			finish(http, transfer, code);
	}
	while (http->ended != NULL)
		finish(http, http->ended, CURLE_OK);
}

/* Goes on with transfers whose name is known now, or that have waited long enough. */
static void
look_at_waiting(struct http *http)
{
	int64_t now_us = clock_steady_us();

	http->waiting_due_us = NEVER;
	for (struct transfer *next, *at = http->waiting; at != NULL; at = next) {
		next = at->next;
		(void)resolve(http, at, now_us >= at->wait_until_us);
	}
}

static void
take_event(struct http *http, const struct epoll_event *event)
{
	int ignored, mask = 0;

	if (event->data.u64 == EVENT_RESOLVER) {
		resolver_run(http->resolver);
		look_at_waiting(http);
	} else {
		/* A reply may be readable: a receiver that refuses the body answers before it closes. */
		if (event->events & (EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR))
			mask |= CURL_CSELECT_IN;
		if (event->events & EPOLLOUT)
			mask |= CURL_CSELECT_OUT;
		(void)curl_multi_socket_action(http->multi, (curl_socket_t)event->data.u64, mask, &ignored);
	}
}

void
http_run(struct http *http)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(http->epoll_fd, events, EVENTS_MAX, 0), ignored;

	for (int i = 0; i < count; i++)
		take_event(http, &events[i]);
	if (clock_steady_us() >= http->curl_due_us) {
		http->curl_due_us = NEVER;
		(void)curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &ignored);
	}
	if (clock_steady_us() >= http->waiting_due_us)
		look_at_waiting(http);
	take_finished(http);
}

int
http_fd(const struct http *http)
{
	return http->epoll_fd;
}

int64_t
http_due_us(const struct http *http)
{
	if (http->ended != NULL)
		return 0;
	return http->curl_due_us < http->waiting_due_us ? http->curl_due_us : http->waiting_due_us;
}

static struct transfer *
find(struct transfer *list, const void *attempt_context)
{
	while (list != NULL && list->spec.context != attempt_context)
		list = list->next;
	return list;
}

void
http_cut(struct http *http, const void *attempt_context)
{
	struct transfer *transfer = find(http->running, attempt_context);

	if (transfer != NULL)
		(void)curl_multi_remove_handle(http->multi, transfer->easy);
	else
		transfer = find(http->waiting, attempt_context);
	if (transfer != NULL)
		transfer_end(transfer, ATTEMPT_INTERNAL, "this node may not be the one that sends any more");
	else
		transfer = find(http->ended, attempt_context);
	assert(transfer != NULL);
	finish(http, transfer, CURLE_OK);
}

void
http_cancel(struct http *http)
{
	struct transfer *cancelled = NULL;

	while (http->running != NULL) {
		(void)curl_multi_remove_handle(http->multi, http->running->easy);
		move(http->running, &cancelled);
	}
	while (http->waiting != NULL)
		move(http->waiting, &cancelled);
	for (struct transfer *at = cancelled; at != NULL; at = at->next)
		transfer_end(at, ATTEMPT_INTERNAL, "the service stopped before there was a reply");
	while (http->ended != NULL)
		move(http->ended, &cancelled);
	while (cancelled != NULL)
		finish(http, cancelled, CURLE_OK);
}

/* ---- opening ---- */

/* The service's own listener as the beginning of a URL: a wildcard address becomes the loopback address. */
static void
name_listener(struct http *http, const struct config *config)
{
	const char *host = config->host;
	bool ipv6 = strchr(host, ':') != NULL;

	if (strcmp(host, "0.0.0.0") == 0)
		host = "127.0.0.1";
	else if (strcmp(host, "::") == 0)
		host = "::1";
	(void)snprintf(http->env.listener, sizeof http->env.listener, "%s://%s%s%s:%u",
	    config->tls_cert_file != NULL ? "https" : "http", ipv6 ? "[" : "", host, ipv6 ? "]" : "", config->port);
}

/* Connections to keep: half of the process's limit of descriptors. */
static long
connections_kept(void)
{
	struct rlimit limit;
	long half;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 > (rlim_t)CONNECTIONS_MOST)
		return CONNECTIONS_MOST;
	half = (long)(limit.rlim_cur / 2);
	return half < CONNECTIONS_LEAST ? CONNECTIONS_LEAST : half;
}

static int
watch(struct http *http, int fd, uint64_t what, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};

	return epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? error_errno(err, "cannot use epoll") : 0;
}

static int
open_all(struct http *http, struct error *err)
{
	if (!networks_read(http->env.config->hl_allow_networks, &http->env.allowed))
		return error_set(err, "HL_ALLOW_NETWORKS is no list of networks");
	http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (http->epoll_fd < 0)
		return error_errno(err, "cannot make a descriptor for events");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (http->multi = curl_multi_init()) == NULL)
		return error_set(err, "libcurl cannot be used");
	http->env.watches_certificates = certificate_can_watch();
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, (void *)http);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, (void *)http);
	(void)curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, connections_kept());
	if (resolver_open(&http->resolver, err) < 0)
		return -1;
	return watch(http, resolver_fd(http->resolver), EVENT_RESOLVER, err);
}

int
http_open(struct http **http, const struct config *config, attempt_done *done, void *context, struct error *err)
{
	*http = mem_new(1, sizeof **http);
	**http = (struct http){
	    .env = {.config = config, .maker = body_maker_new(), .ca_file = getenv("SSL_CERT_FILE")},
	    .done = done,
	    .context = context,
	    .epoll_fd = -1,
	    .curl_due_us = NEVER,
	    .waiting_due_us = NEVER,
	};
	uuid_source_init(&(*http)->ids);
	name_listener(*http, config);
	if (open_all(*http, err) == 0)
		return 0;
	http_close(*http);
	return -1;
}

void
http_close(struct http *http)
{
	struct transfer *transfer;

	assert(http->in_flight == 0);
	while ((transfer = http->spare) != NULL) {
		unlink_transfer(transfer);
		transfer_free(transfer);
	}
	if (http->multi != NULL)
		(void)curl_multi_cleanup(http->multi);
	if (http->resolver != NULL)
		resolver_close(http->resolver);
	body_maker_free(http->env.maker);
	if (http->epoll_fd >= 0)
		close(http->epoll_fd);
	free(http);
}
