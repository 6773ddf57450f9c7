/*
 * Hostile clients in given numbers. Idle ones connect and send nothing. Slow ones send the head of a request, or its
 * body, a byte a second. A client that is cut off comes again a second later. The clients have several addresses of
 * this machine, because connections that have just ended would use up the ports of one.
 *
 *   hostile --port=8080 --idle=10000 --heads=2000 --bodies=2000
 *
 * Prints "ready" when all have been connected once, and goes on until its input ends. Then it prints one object of
 * JSON: how many clients are connected, how often one was cut off, and how often with a 408 or a 503.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES 16
#define TURNS 100 /* turns a second; each client has one turn a second */

enum kind { IDLE, HEAD, BODY };

static const char *const beginnings[] = {
    [IDLE] = "",
    [HEAD] = "POST /events HTTP/1.1\r\nHost: h\r\nX-Long: ",
    [BODY] = "POST /events HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n",
};

struct client {
	int fd; /* -1: the client is not connected */
	enum kind kind;
	bool begun; /* the client has sent the beginning of its request */
	bool was_connected; /* at least once */
};

static uint16_t port;
static size_t wanted[3];
static struct client *clients;
static size_t count, connected_once;
static unsigned long thrown_out, told_408, told_503;

static void
die(const char *what)
{
	fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
join(struct client *client, size_t number)
{
	struct sockaddr_in own = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(number % ADDRESSES))};
	struct sockaddr_in service = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int on = 1;

	client->begun = false;
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		die("socket");
	(void)setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (bind(client->fd, (struct sockaddr *)&own, sizeof own) != 0)
		die("bind");
	if (connect(client->fd, (struct sockaddr *)&service, sizeof service) != 0 && errno != EINPROGRESS) {
		close(client->fd);
		client->fd = -1;
	}
}

static void
leave(struct client *client)
{
	close(client->fd);
	client->fd = -1;
	thrown_out++;
}

/* Sends the next bytes. Returns whether the client is connected. */
static bool
dawdle(struct client *client)
{
	const char *text = client->begun ? "x" : beginnings[client->kind];
	ssize_t n;

	if (client->kind == IDLE)
		n = getpeername(client->fd, &(struct sockaddr){0}, &(socklen_t){sizeof(struct sockaddr)});
	else
		n = send(client->fd, text, strlen(text), MSG_NOSIGNAL);
	client->begun = client->begun || n > 0;
	return n >= 0;
}

/* The turn of a client, once a second. */
static void
take_turn(struct client *client, size_t number)
{
	char answer[64];
	ssize_t n;

	if (client->fd < 0) {
		join(client, number);
		return;
	}
	n = recv(client->fd, answer, sizeof answer, 0);
	if (n >= 12) {
		told_408 += memcmp(answer + 9, "408", 3) == 0;
		told_503 += memcmp(answer + 9, "503", 3) == 0;
	}
	if (n >= 0 || errno == ECONNRESET || errno == ECONNREFUSED || errno == ETIMEDOUT) {
		leave(client);
		return;
	}
	if (dawdle(client) && !client->was_connected) {
		client->was_connected = true;
		connected_once++;
	}
}

static size_t
connected(void)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += clients[i].fd >= 0 && clients[i].was_connected;
	return n;
}

/* Goes on until the input ends. */
static void
run(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	bool told = false;

	for (size_t turn = 0;; turn = (turn + 1) % TURNS) {
		for (size_t i = turn; i < count; i += TURNS)
			take_turn(&clients[i], i);
		if (!told && connected_once == count) {
			told = true;
			puts("ready");
			fflush(stdout);
		}
		if (poll(&input, 1, 1000 / TURNS) > 0)
			return;
	}
}

static void
read_options(int argc, char **argv)
{
	static const struct option options[] = {{"port", required_argument, NULL, 'p'},
	    {"idle", required_argument, NULL, IDLE}, {"heads", required_argument, NULL, HEAD},
	    {"bodies", required_argument, NULL, BODY}, {0}};

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
		switch (option) {
		case 'p':
			port = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case IDLE:
		case HEAD:
		case BODY:
			wanted[option] = strtoul(optarg, NULL, 10);
			count += wanted[option];
			break;
		default:
			exit(64);
		}
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	size_t made = 0;

	read_options(argc, argv);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	clients = calloc(count, sizeof *clients);
	if (clients == NULL)
		die("start");
	for (enum kind kind = IDLE; kind <= BODY; kind++)
		for (size_t i = 0; i < wanted[kind]; i++)
			clients[made++] = (struct client){.fd = -1, .kind = kind};
	run();
	printf("{\"connected\":%zu,\"thrown_out\":%lu,\"told_408\":%lu,\"told_503\":%lu}\n", connected(), thrown_out,
	    told_408, told_503);
	return 0;
}
