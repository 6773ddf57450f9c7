/*
 * The receiver of the case delivery. libh2o answers every POST with 202, and notes how long ago the event was sent
 * ("sent":"NNN", nanoseconds of CLOCK_MONOTONIC in 20 digits, as tests/bench/load writes them).
 *
 *   receiver [FILE]   prints "port=NNNN", serves in one loop until TERM. FILE gets the deliveries: for each 202 the
 *                     event's id, 16 bytes, and the last character of the path
 *   GET /             the figures since the last GET /, as an object of JSON; then they begin anew
 *   GET /so-far       the same, and the figures go on; the file has all deliveries then
 *   POST /refuse/...  is answered with 503 for one event in a thousand, always the same ones
 */
#include <arpa/inet.h>
#include <errno.h>
#include <h2o.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/bench/histogram.h"

#define SENT "\"sent\":\""
#define SENT_DIGITS 20

static struct histogram ages;
static FILE *ledger;
static uint64_t unread; /* requests without a readable time */
static uint64_t first_at, last_at; /* arrivals */

static void
die(const char *what)
{
	fprintf(stderr, "receiver: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* The time at which the event was sent; 0: it has none. */
static uint64_t
sent_at(h2o_iovec_t body)
{
	const char *at = memmem(body.base, body.len, SENT, sizeof SENT - 1);
	uint64_t sent = 0;

	if (at == NULL || body.len - (size_t)(at - body.base) < sizeof SENT - 1 + SENT_DIGITS)
		return 0;
	at += sizeof SENT - 1;
	for (int i = 0; i < SENT_DIGITS; i++) {
		if (at[i] < '0' || at[i] > '9')
			return 0;
		sent = sent * 10 + (uint64_t)(at[i] - '0');
	}
	return sent;
}

static void
record(h2o_iovec_t body)
{
	uint64_t now = now_ns(), sent = sent_at(body);

	if (first_at == 0)
		first_at = now;
	last_at = now;
	if (sent == 0 || sent > now)
		unread++;
	else
		histogram_add(&ages, now - sent);
}

/* Reads the id from "x-hookline-event-id". */
static void
read_id(h2o_req_t *req, uint8_t id[16])
{
	ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("x-hookline-event-id"), SIZE_MAX);
	char text[37] = "";
	size_t digits = 0;

	if (at < 0 || req->headers.entries[at].value.len != 36)
		die("no id of an event");
	for (size_t i = 0; i < 36; i++)
		if (req->headers.entries[at].value.base[i] != '-')
			text[digits++] = req->headers.entries[at].value.base[i];
	for (size_t i = 0; i < 16; i++)
		if (sscanf(text + 2 * i, "%2hhx", &id[i]) != 1)
			die("the id of an event");
}

/* Notes the event. Returns whether it is accepted. */
static bool
enter(h2o_req_t *req)
{
	uint8_t entry[17];
	uint32_t hash = 0;

	read_id(req, entry);
	for (size_t i = 0; i < 16; i++)
		hash = hash * 31 + entry[i];
	if (req->path.len >= 8 && memcmp(req->path.base, "/refuse/", 8) == 0 && hash % 1000 == 0)
		return false;
	entry[16] = (uint8_t)req->path.base[req->path.len - 1];
	if (fwrite(entry, sizeof entry, 1, ledger) != 1)
		die("the file");
	return true;
}

/* The text stays valid until the next call. */
static h2o_iovec_t
report(void)
{
	static char bytes[512];
	h2o_iovec_t text = {.base = bytes};
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	text.len = (size_t)snprintf(bytes, sizeof bytes,
	    "{\"arrived\": %lu, \"unread\": %lu, \"seconds\": %.6f, \"cpu_us\": %ld, "
	    "\"p50_us\": %.1f, \"p95_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}\n",
	    ages.total + unread, unread, (double)(last_at - first_at) / 1e9,
	    (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec,
	    (double)histogram_quantile(&ages, 0.5) / 1e3, (double)histogram_quantile(&ages, 0.95) / 1e3,
	    (double)histogram_quantile(&ages, 0.99) / 1e3, (double)ages.max / 1e3);
	return text;
}

static void
begin_anew(void)
{
	memset(&ages, 0, sizeof ages);
	unread = first_at = last_at = 0;
}

static int
on_request(h2o_handler_t *self, h2o_req_t *req)
{
	static h2o_generator_t generator;
	h2o_iovec_t body = {0};

	if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET"))) {
		body = report();
		if (req->path.len == 1)
			begin_anew();
		if (ledger != NULL && fflush(ledger) != 0)
			die("the file");
		req->res.status = 200;
		req->res.reason = "OK";
	} else if (ledger != NULL && !enter(req)) {
		req->res.status = 503;
		req->res.reason = "Service Unavailable";
	} else {
		record(req->entity);
		req->res.status = 202;
		req->res.reason = "Accepted";
	}
	req->res.content_length = body.len;
	h2o_start_response(req, &generator);
	h2o_send(req, &body, body.len > 0, H2O_SEND_STATE_FINAL);
	return 0;
}

static int
open_listener(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		die("listen");
	*port = ntohs(address.sin_port);
	return fd;
}

static void
on_connect(h2o_socket_t *listener, const char *err)
{
	h2o_socket_t *socket;

	while (err == NULL && (socket = h2o_evloop_socket_accept(listener)) != NULL)
		h2o_accept(listener->data, socket);
}

int
main(int argc, char **argv)
{
	h2o_globalconf_t config;
	h2o_context_t context;
	h2o_accept_ctx_t accept_context = {.ctx = &context};
	h2o_hostconf_t *host;
	h2o_handler_t *handler;
	h2o_socket_t *listener;
	uint16_t port = 0;
	int fd = open_listener(&port);

	if (argc > 1 && (ledger = fopen(argv[1], "w")) == NULL)
		die(argv[1]);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	h2o_config_init(&config);
	config.http1.upgrade_to_http2 = 0;
	host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	handler = h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof *handler);
	handler->on_req = on_request;
	h2o_context_init(&context, h2o_evloop_create(), &config);
	accept_context.hosts = config.hosts;
	listener = h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
	listener->data = &accept_context;
	h2o_socket_read_start(listener, on_connect);
	printf("port=%u\n", (unsigned)port);
	fflush(stdout);
	while (h2o_evloop_run(context.loop, INT32_MAX) == 0)
		;
	die("event loop");
	return 1;
}
