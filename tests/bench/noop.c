/*
 * The baseline of the benchmark: libh2o alone. It reads POST bodies and answers 202 with hooksd's own reply, without
 * looking at them. It has as many loops (processes with a SO_REUSEPORT socket each) as hooksd has acceptors. The
 * difference to hooksd is the cost of decoding, the ring and the acknowledgement.
 *
 *   noop LOOPS    prints "port=NNNN", serves until TERM, and ends its children
 */
#include <arpa/inet.h>
#include <errno.h>
#include <h2o.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOPS_MAX 64
#define REPLY "{\"accepted\":100,\"message\":\"Events accepted\"}"

static void
die(const char *what)
{
	fprintf(stderr, "noop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
on_request(h2o_handler_t *self, h2o_req_t *req)
{
	static h2o_generator_t generator;
	h2o_iovec_t body = {.base = (char *)(uintptr_t)REPLY, .len = sizeof REPLY - 1};

	req->res.status = 202;
	req->res.reason = "Accepted";
	req->res.content_length = body.len;
	h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, H2O_STRLIT("application/json"));
	h2o_start_response(req, &generator);
	h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
	return 0;
}

static int
open_listener(uint16_t *port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0 ||
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

static void
serve(int fd)
{
	h2o_globalconf_t config;
	h2o_context_t context;
	h2o_accept_ctx_t accept_context = {.ctx = &context};
	h2o_hostconf_t *host;
	h2o_handler_t *handler;
	h2o_socket_t *listener;

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
	while (h2o_evloop_run(context.loop, INT32_MAX) == 0)
		;
	die("event loop");
}

int
main(int argc, char **argv)
{
	long loops = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	uint16_t port = 0;
	int fds[LOOPS_MAX];

	if (loops < 1 || loops > LOOPS_MAX) {
		fprintf(stderr, "usage: noop LOOPS (1 to %d)\n", LOOPS_MAX);
		return 64;
	}
	for (long i = 0; i < loops; i++)
		fds[i] = open_listener(&port);
	for (long i = 0; i < loops; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(fds[i]);
		}
	}
	printf("port=%u\n", (unsigned)port);
	fflush(stdout);
	while (wait(NULL) > 0)
		;
	return 1;
}
