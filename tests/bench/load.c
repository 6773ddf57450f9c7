/*
 * The client of the benchmark: one process that keeps N keep-alive connections to the service and posts events over
 * them, one request at a time on each. It posts as fast as the replies come (closed loop), or at a rate, at equal
 * distances, on any free connection.
 *
 * Prints one object of JSON: the counts of answers, the CPU time of this process, and two times of requests: "sent"
 * from sending to the reply, and "due" from when the request should have been sent to the reply. "due" includes the
 * time for which requests wait for a free connection while the service stands still. Without a rate both are the same.
 *
 * With --ledger the ids of acknowledged published events are written to a file, 16 bytes each.
 *
 *   load --port=8080 --connections=16 --seconds=5 --events=100 --bytes=470 ...    see options[]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bodies.h"
#include "tests/bench/histogram.h"

#define SECOND UINT64_C(1000000000) /* the unit of all times here is a nanosecond */
#define SLOT (SECOND / 10)
#define PATIENCE (30 * SECOND) /* how long the last replies are waited for */
#define REPLY_MAX 32768 /* for a reply with the ids of 100 published events and of their jobs */
#define READY_MAX 256
#define ID "\"id\":\"" /* the text before the id of an event in a reply */

struct connection {
	int fd;
	bool is_free; /* no reply is outstanding */
	struct body *body; /* while it is being sent */
	size_t sent;
	size_t received;
	uint64_t due_at, sent_at;
	struct connection *next_free;
	char reply[REPLY_MAX];
};

static struct body_spec spec = {
    .path = "/events/batch", .events = 100, .event_bytes = 470, .ids = IDS_ORDERED, .topics = 1};
static uint64_t duration = 5 * SECOND, requests_max = UINT64_MAX, accepted_max = UINT64_MAX, rate, connections = 16;
static bool with_slots;
static FILE *ledger;

static int epoll_fd;
static struct connection *free_connections, *last_free; /* the longest unused one first */
static uint64_t begun_at, next_due, started, ended, in_flight;
static uint64_t accepted, refused, failed;
static struct histogram sent_times, due_times;
static uint64_t *slots; /* for each tenth of a second the longest "due" of its requests */
static uint64_t slots_max;

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void
watch(struct connection *c, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};

	if (epoll_ctl(epoll_fd, operation, c->fd, &event) != 0)
		die("epoll_ctl");
}

/* A service that is being restarted refuses connections. Nothing else happens until it accepts them. */
static void
open_connection(struct connection *c)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(spec.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	uint64_t deadline = now_ns() + PATIENCE;
	int on = 1;

	c->received = 0;
	while ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
	       connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) {
		if (c->fd < 0 || now_ns() > deadline)
			die("connect");
		close(c->fd);
		(void)nanosleep(&pause, NULL);
	}
	if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
		die("setsockopt");
	watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static void
set_free(struct connection *c)
{
	c->is_free = true;
	c->next_free = NULL;
	if (free_connections == NULL)
		free_connections = c;
	else
		last_free->next_free = c;
	last_free = c;
}

/* Ends the connection and opens a new one. Counts a reply that was outstanding. */
static void
give_up(struct connection *c)
{
	if (c->body != NULL)
		bodies_give(c->body);
	c->body = NULL;
	close(c->fd);
	open_connection(c);
	if (c->is_free)
		return;
	failed++;
	in_flight--;
	set_free(c);
}

static void
send_more(struct connection *c)
{
	bool waited = c->sent > 0;
	ssize_t n;

	while (c->sent < c->body->bytes) {
		n = send(c->fd, c->body->request + c->sent, c->body->bytes - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			if (!waited)
				watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			return;
		}
		if (n < 0) {
			give_up(c);
			return;
		}
		c->sent += (size_t)n;
	}
	if (waited)
		watch(c, EPOLL_CTL_MOD, EPOLLIN);
	bodies_give(c->body);
	c->body = NULL;
}

static bool
sends_more(uint64_t now)
{
	return started < requests_max && accepted < accepted_max && now < begun_at + duration;
}

/* Sends as many requests as are due and have a connection. */
static void
send_due(uint64_t now)
{
	while (free_connections != NULL && sends_more(now) && (rate == 0 || next_due <= now)) {
		struct connection *c = free_connections;

		free_connections = c->next_free;
		c->is_free = false;
		started++;
		in_flight++;
		c->body = bodies_take();
		c->sent = 0;
		c->sent_at = now_ns();
		c->due_at = rate == 0 ? c->sent_at : next_due;
		next_due = begun_at + (uint64_t)((double)started * (double)SECOND / (double)(rate == 0 ? 1 : rate));
		send_more(c);
	}
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
write_ids(const struct connection *c)
{
	const char *at = c->reply;
	uint8_t id[16];

	for (uint32_t i = 0; i < spec.events; i++) {
		at = strstr(at, ID);
		if (at == NULL)
			die("a reply without the id of an event");
		at += sizeof ID - 1;
		for (size_t n = 0; n < sizeof id; at += 2) {
			if (*at == '-')
				at++;
			if (digit(at[0]) < 0 || digit(at[1]) < 0)
				die("an id that is none");
			id[n++] = (uint8_t)(digit(at[0]) << 4 | digit(at[1]));
		}
		if (fwrite(id, sizeof id, 1, ledger) != 1)
			die("ledger");
	}
}

static void
count_reply(const struct connection *c)
{
	uint64_t slot = (c->due_at - begun_at) / SLOT;

	ended = now_ns();
	if (c->reply[9] == '2') {
		accepted++;
		if (ledger != NULL)
			write_ids(c);
	} else {
		refused++;
	}
	histogram_add(&sent_times, ended - c->sent_at);
	histogram_add(&due_times, ended - c->due_at);
	if (with_slots && slot < slots_max && ended - c->due_at > slots[slot])
		slots[slot] = ended - c->due_at;
}

/* The bytes of the reply, head and body, if it is complete; otherwise 0. */
static size_t
reply_length(const struct connection *c)
{
	const char *end = memmem(c->reply, c->received, "\r\n\r\n", 4);
	size_t length;

	if (end == NULL)
		return 0;
	length = (size_t)(end - c->reply) + 4;
	for (const char *at = c->reply; at < end; at = strstr(at, "\r\n") + 2) {
		if (strncasecmp(at, "content-length:", 15) == 0)
			return length + strtoul(at + 15, NULL, 10);
	}
	return length;
}

static void
receive(struct connection *c)
{
	size_t length;
	ssize_t n = recv(c->fd, c->reply + c->received, sizeof c->reply - 1 - c->received, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		give_up(c);
		return;
	}
	c->received += (size_t)n;
	c->reply[c->received] = '\0';
	length = reply_length(c);
	if (length > sizeof c->reply - 1 || (length > 0 && (c->body != NULL || c->received > length))) {
		give_up(c); /* longer than any reply of hooksd, or sent before the request was complete */
		return;
	}
	if (length == 0 || c->received < length)
		return;
	count_reply(c);
	c->received = 0;
	in_flight--;
	set_free(c);
}

/* Waits until a connection is ready or the next request is due. */
static int
wait_ready(struct epoll_event *ready, uint64_t now)
{
	uint64_t until = now + SLOT;
	struct timespec timeout = {0};

	if (rate != 0 && free_connections != NULL && next_due < until)
		until = next_due > now ? next_due : now;
	timeout.tv_nsec = (long)(until - now);
	return epoll_pwait2(epoll_fd, ready, READY_MAX, &timeout, NULL);
}

static void
run(void)
{
	struct epoll_event ready[READY_MAX];
	uint64_t now, deadline;

	begun_at = next_due = ended = now = now_ns();
	deadline = begun_at + duration + PATIENCE;
	for (send_due(now); in_flight > 0 || sends_more(now); now = now_ns()) {
		int n = wait_ready(ready, now);

		if (n < 0 && errno != EINTR)
			die("epoll_pwait2");
		for (int i = 0; i < n; i++) {
			struct connection *c = ready[i].data.ptr;

			if (ready[i].events & EPOLLOUT && c->body != NULL)
				send_more(c);
			if (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				receive(c);
			send_due(now_ns());
		}
		send_due(now_ns());
		if (now > deadline) {
			failed += in_flight;
			return;
		}
	}
}

static void
print_times(const char *name, const struct histogram *h)
{
	printf(", \"%s\": {\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}", name,
	    (double)histogram_quantile(h, 0.5) / 1e3, (double)histogram_quantile(h, 0.99) / 1e3,
	    (double)histogram_quantile(h, 0.999) / 1e3, (double)h->max / 1e3);
}

static void
print_results(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("{\"requests\": %lu, \"accepted\": %lu, \"refused\": %lu, \"failed\": %lu, \"seconds\": %.6f, "
	       "\"cpu_us\": %ld",
	    accepted + refused + failed, accepted, refused, failed, (double)(ended - begun_at) / 1e9,
	    (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
		usage.ru_stime.tv_usec);
	print_times("sent", &sent_times);
	print_times("due", &due_times);
	if (with_slots) {
		printf(", \"slots_us\": [");
		for (uint64_t i = 0; i < slots_max; i++)
			printf("%s%lu", i == 0 ? "" : ", ", slots[i] / 1000);
		printf("]");
	}
	printf("}\n");
}

static const struct option options[] = {
    {"port", required_argument, NULL, 'p'},
    {"path", required_argument, NULL, 'P'},
    {"connections", required_argument, NULL, 'c'},
    {"seconds", required_argument, NULL, 's'}, /* at most so many */
    {"requests", required_argument, NULL, 'r'}, /* at most so many */
    {"accepted", required_argument, NULL, 'a'}, /* ends when so many events were acknowledged */
    {"rate", required_argument, NULL, 'R'}, /* requests a second, 0: closed loop */
    {"events", required_argument, NULL, 'e'}, /* in a request */
    {"bytes", required_argument, NULL, 'b'}, /* of an event */
    {"ids", required_argument, NULL, 'i'}, /* none, ordered, random */
    {"seed", required_argument, NULL, 'S'},
    {"known", required_argument, NULL, 'k'}, /* ids that an earlier run with the same seed has sent */
    {"duplicates", required_argument, NULL, 'd'}, /* percent of events with a known id */
    {"topic", required_argument, NULL, 't'}, /* published events, with the key in HL_API_KEY */
    {"topics", required_argument, NULL, 'T'}, /* so many, "TOPIC.0" and so on */
    {"ledger", required_argument, NULL, 'L'}, /* the file of ids */
    {"slots", no_argument, NULL, 'l'}, /* print the longest time of every tenth of a second */
    {NULL, 0, NULL, 0},
};

static enum body_ids
parse_ids(const char *text)
{
	return strcmp(text, "none") == 0 ? IDS_NONE : strcmp(text, "random") == 0 ? IDS_RANDOM : IDS_ORDERED;
}

static void
read_options(int argc, char **argv)
{
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		uint64_t number = option != 'l' && optarg != NULL ? strtoull(optarg, NULL, 10) : 0;

		switch (option) {
		case 'p':
			spec.port = (uint16_t)number;
			break;
		case 'P':
			spec.path = optarg;
			break;
		case 'c':
			connections = number;
			break;
		case 's':
			duration = (uint64_t)(strtod(optarg, NULL) * (double)SECOND);
			break;
		case 'r':
			requests_max = number;
			break;
		case 'a':
			accepted_max = number;
			break;
		case 'L':
			ledger = fopen(optarg, "w");
			if (ledger == NULL)
				die(optarg);
			break;
		case 'R':
			rate = number;
			break;
		case 'e':
			spec.events = (uint32_t)number;
			break;
		case 'b':
			spec.event_bytes = (uint32_t)number;
			break;
		case 'i':
			spec.ids = parse_ids(optarg);
			break;
		case 'S':
			spec.seed = number;
			break;
		case 'k':
			spec.known = number;
			break;
		case 'd':
			spec.duplicates_percent = (uint32_t)number;
			break;
		case 't':
			spec.topic = optarg;
			break;
		case 'T':
			spec.topics = (uint32_t)number;
			break;
		case 'l':
			with_slots = true;
			break;
		default:
			exit(64);
		}
	}
	if (spec.events == 0 || spec.event_bytes < BODIES_MIN_EVENT || connections == 0 ||
	    (spec.duplicates_percent > 0 && spec.known == 0)) {
		fprintf(stderr, "load: nothing to send, or events below %d bytes, or nothing known to repeat\n",
		    BODIES_MIN_EVENT);
		exit(64);
	}
	if (spec.topic != NULL &&
	    (spec.event_bytes < BODIES_FULL_EVENT || spec.topics == 0 || strlen(spec.topic) > BODIES_TOPIC_MAX ||
		(spec.key != NULL && strlen(spec.key) > BODIES_KEY_MAX))) {
		fprintf(stderr, "load: published events below %d bytes, or a topic or key that is too long\n",
		    BODIES_FULL_EVENT);
		exit(64);
	}
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	struct connection *all;

	spec.key = getenv("HL_API_KEY");
	read_options(argc, argv);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	slots_max = duration / SLOT;
	all = calloc(connections, sizeof *all);
	slots = calloc(slots_max + 1, sizeof *slots);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (all == NULL || slots == NULL || epoll_fd < 0)
		die("start");
	bodies_init(&spec);
	for (uint64_t i = 0; i < connections; i++) {
		open_connection(&all[i]);
		set_free(&all[i]);
	}
	run();
	if (ledger != NULL && fclose(ledger) != 0)
		die("ledger");
	print_results();
	return 0;
}
