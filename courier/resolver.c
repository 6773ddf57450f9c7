/*
 * The cache is a tree by name and belongs to the loop's thread. A lookup goes through two lists under a lock: to a
 * thread, and back with its answer.
 */
#include "courier/resolver.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define SECOND_US INT64_C(1000000)
#define THREADS 8
#define THREADS_FOR_UNPROVEN 6 /* most threads for names without a quick lookup before */
#define THREADS_FOR_SLOW 2 /* of these, most for slow names */
#define THREADS_A_ZONE 2 /* of these, most for one zone: a dead zone may have many new names */
#define SLOW_US (1 * SECOND_US)
#define KNOWN_US (30 * SECOND_US) /* how long an answer is fresh */
#define FAILED_US (5 * SECOND_US) /* how long an answer without addresses is fresh */
#define BESIDE_US (60 * SECOND_US) /* how old addresses may be during a new lookup */
#define STALE_US (300 * SECOND_US) /* how old they may be while lookups fail */
#define UNUSED_US (600 * SECOND_US) /* an unused name is forgotten after this */
#define SWEEP_LEAST 1024 /* fewer names are not swept */

/* The pace of a name's last lookup. NEW: none yet. */
enum pace { PACE_NEW, PACE_QUICK, PACE_SLOW };

struct lookup {
	struct lookup *next;
	enum pace pace; /* a new name gets SLOW if its zone's last name was slow */
	bool is_first; /* of its name */
	int64_t took_us;
	struct resolver_answer answer;
	char host[];
};

struct name {
	struct resolver_answer answer;
	int64_t known_us; /* when its addresses were found, if it has some */
	int64_t fresh_until_us, used_us;
	bool looked_up; /* a lookup is under way */
	enum pace pace; /* of a zone: the pace of its last name */
	const char *host; /* behind the struct */
};

struct list {
	struct lookup *first, **end;
};

/* Shared by threads and loop. The last user frees it. */
struct shared {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list wanted, done;
	bool first_ones_turn; /* among slow lookups */
	const struct lookup *running[THREADS]; /* NULL: an idle thread */
	uint32_t users;
	bool closed;
	int fd;
};

struct resolver {
	struct shared *shared;
	void *names; /* tsearch(3), of struct name by host */
	uint32_t count, sweep_at;
};

static const struct resolver_answer unknown = {.result = RESOLVER_UNKNOWN};

/* ---- threads ---- */

static void
append(struct list *list, struct lookup *lookup)
{
	lookup->next = NULL;
	*list->end = lookup;
	list->end = &lookup->next;
}

static void
free_all(struct list *list)
{
	for (struct lookup *next, *at = list->first; at != NULL; at = next) {
		next = at->next;
		free(at);
	}
}

static void
release_shared(struct shared *shared)
{
	bool last;

	pthread_mutex_lock(&shared->lock);
	last = --shared->users == 0;
	pthread_mutex_unlock(&shared->lock);
	if (!last)
		return;
	free_all(&shared->wanted);
	free_all(&shared->done);
	(void)pthread_mutex_destroy(&shared->lock);
	(void)pthread_cond_destroy(&shared->changed);
	close(shared->fd);
	free(shared);
}

/* The last two labels of a name: names below them are likely to have the same name servers. */
static const char *
zone_of(const char *host)
{
	int dots = 0;

	for (const char *at = host + strlen(host); at > host; at--)
		if (at[-1] == '.' && ++dots == 2)
			return at;
	return host;
}

static bool
same_zone(const struct lookup *lookup, const char *host)
{
	return strcasecmp(zone_of(lookup->host), zone_of(host)) == 0;
}

static bool
may_begin(const struct shared *shared, const struct lookup *lookup)
{
	uint32_t unproven = 0, slow = 0, zone = 0;

	if (lookup->pace == PACE_QUICK)
		return true;
	for (int i = 0; i < THREADS; i++) {
		const struct lookup *other = shared->running[i];

		if (other == NULL || other->pace == PACE_QUICK)
			continue;
		unproven++;
		slow += other->pace == PACE_SLOW;
		zone += same_zone(other, lookup->host);
	}
	return unproven < THREADS_FOR_UNPROVEN && zone < THREADS_A_ZONE &&
	       (lookup->pace == PACE_NEW || slow < THREADS_FOR_SLOW);
}

/*
 * The link to the oldest lookup from `link` on that may begin. slow_first: only a slow one that is the first of its
 * name.
 */
static struct lookup **
find_wanted(const struct shared *shared, struct lookup **link, bool slow_first)
{
	for (; *link != NULL; link = &(*link)->next)
		if ((!slow_first || ((*link)->pace == PACE_SLOW && (*link)->is_first)) && may_begin(shared, *link))
			break;
	return link;
}

/*
 * Unlinks and returns the lookup to begin next, or NULL. Names that were slow themselves come again and again. They
 * leave every second turn to names that only their zone makes slow: the zone may be a suffix that strangers share.
 */
static struct lookup *
next_wanted(struct shared *shared)
{
	struct lookup **link = find_wanted(shared, &shared->wanted.first, false), **other, *lookup = *link;

	if (lookup == NULL)
		return NULL;
	if (lookup->pace == PACE_SLOW && !lookup->is_first && shared->first_ones_turn) {
		other = find_wanted(shared, link, true);
		link = *other != NULL ? other : link;
		lookup = *link;
	}
	if (lookup->pace == PACE_SLOW)
		shared->first_ones_turn = !lookup->is_first;
	*link = lookup->next;
	if (*link == NULL)
		shared->wanted.end = link;
	return lookup;
}

/* Expects waiting new names of a slow name's zone to be slow. */
static void
mark_zone(struct shared *shared, const struct lookup *slow)
{
	for (struct lookup *at = shared->wanted.first; at != NULL; at = at->next)
		if (at->pace == PACE_NEW && same_zone(at, slow->host))
			at->pace = PACE_SLOW;
}

static void
take_addresses(struct resolver_answer *answer, const struct addrinfo *found)
{
	for (; found != NULL && answer->count < RESOLVER_ADDRESSES_MAX; found = found->ai_next)
		if ((found->ai_family == AF_INET || found->ai_family == AF_INET6) &&
		    found->ai_addrlen <= sizeof answer->addresses[0])
			memcpy(&answer->addresses[answer->count++], found->ai_addr, found->ai_addrlen);
	answer->result = answer->count > 0 ? RESOLVER_KNOWN : RESOLVER_ABSENT;
}

static void
look_up(struct lookup *lookup)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	int64_t begun_us = clock_steady_us();
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(lookup->host, NULL, &hints, &found);

	lookup->took_us = clock_steady_us() - begun_us;
	lookup->answer = unknown;
	if (rc == 0) {
		take_addresses(&lookup->answer, found);
		freeaddrinfo(found);
	} else if (rc == EAI_NONAME || rc == EAI_NODATA || rc == EAI_ADDRFAMILY) {
		lookup->answer.result = RESOLVER_ABSENT;
	}
}

static void *
work(void *argument)
{
	struct shared *shared = argument;
	struct lookup *lookup = NULL;
	int place;

	pthread_mutex_lock(&shared->lock);
	for (;;) {
		while (!shared->closed && (lookup = next_wanted(shared)) == NULL)
			(void)pthread_cond_wait(&shared->changed, &shared->lock);
		if (shared->closed)
			break;
		assert(lookup != NULL);
		for (place = 0; shared->running[place] != NULL; place++)
			;
		shared->running[place] = lookup;
		pthread_mutex_unlock(&shared->lock);
		look_up(lookup);
		pthread_mutex_lock(&shared->lock);
		shared->running[place] = NULL;
		if (lookup->took_us >= SLOW_US)
			mark_zone(shared, lookup);
		append(&shared->done, lookup);
		(void)eventfd_write(shared->fd, 1);
		(void)pthread_cond_signal(&shared->changed); /* another lookup of its kind may now begin */
	}
	pthread_mutex_unlock(&shared->lock);
	release_shared(shared);
	return NULL;
}

int
resolver_open(struct resolver **resolver, struct error *err)
{
	struct shared *shared = mem_new(1, sizeof *shared);
	pthread_attr_t detached;
	pthread_t thread;

	shared->wanted.end = &shared->wanted.first;
	shared->done.end = &shared->done.first;
	(void)pthread_mutex_init(&shared->lock, NULL);
	(void)pthread_cond_init(&shared->changed, NULL);
	shared->users = 1;
	shared->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	*resolver = mem_new(1, sizeof **resolver);
	(*resolver)->shared = shared;
	(*resolver)->sweep_at = SWEEP_LEAST;
	if (shared->fd < 0) {
		(void)error_errno(err, "cannot make an eventfd");
		resolver_close(*resolver);
		return -1;
	}
	(void)pthread_attr_init(&detached);
	(void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < THREADS; i++) {
		pthread_mutex_lock(&shared->lock);
		shared->users++;
		pthread_mutex_unlock(&shared->lock);
		errno = pthread_create(&thread, &detached, work, shared);
		if (errno != 0) {
			(void)error_errno(err, "cannot start a thread for name lookups");
			release_shared(shared);
			resolver_close(*resolver);
			(void)pthread_attr_destroy(&detached);
			return -1;
		}
	}
	(void)pthread_attr_destroy(&detached);
	return 0;
}

/* ---- the cache ---- */

static int
compare(const void *a, const void *b)
{
	return strcasecmp(((const struct name *)a)->host, ((const struct name *)b)->host);
}

/* Some of the unused names, to remove after the walk: a walk must not remove. */
struct sweep {
	struct name *unused[64];
	uint32_t count;
	int64_t now_us;
};

static void
find_unused(const void *node, VISIT visit, void *argument)
{
	struct sweep *sweep = argument;
	struct name *name = *(struct name *const *)node;

	if ((visit == postorder || visit == leaf) && !name->looked_up && sweep->now_us - name->used_us > UNUSED_US &&
	    sweep->count < sizeof sweep->unused / sizeof *sweep->unused)
		sweep->unused[sweep->count++] = name;
}

static void
forget_unused(struct resolver *resolver, int64_t now_us)
{
	struct sweep sweep = {.now_us = now_us};

	do {
		sweep.count = 0;
		twalk_r(resolver->names, find_unused, &sweep);
		for (uint32_t i = 0; i < sweep.count; i++) {
			(void)tdelete(sweep.unused[i], &resolver->names, compare);
			free(sweep.unused[i]);
		}
		resolver->count -= sweep.count;
	} while (sweep.count > 0);
	resolver->sweep_at = 2 * resolver->count > SWEEP_LEAST ? 2 * resolver->count : SWEEP_LEAST;
}

/* NULL: it is not cached. */
static struct name *
find(const struct resolver *resolver, const char *host)
{
	const struct name key = {.host = host};
	struct name *const *found = tfind(&key, &resolver->names, compare);

	return found != NULL ? *found : NULL;
}

/* Finds or makes the name. */
static struct name *
get(struct resolver *resolver, const char *host, int64_t now_us)
{
	struct name *name = find(resolver, host);
	size_t bytes = strlen(host) + 1;

	if (name != NULL)
		return name;
	if (resolver->count >= resolver->sweep_at)
		forget_unused(resolver, now_us);
	name = mem_new(1, sizeof *name + bytes);
	name->host = memcpy(name + 1, host, bytes);
	name->used_us = now_us;
	if (tsearch(name, &resolver->names, compare) == NULL)
		mem_none(sizeof *name);
	resolver->count++;
	return name;
}

static void
begin_lookup(struct resolver *resolver, struct name *name)
{
	size_t bytes = strlen(name->host) + 1;
	struct lookup *lookup = mem_new(1, sizeof *lookup + bytes);
	const struct name *zone = find(resolver, zone_of(name->host));

	memcpy(lookup->host, name->host, bytes);
	lookup->pace = name->pace == PACE_NEW && zone != NULL && zone->pace == PACE_SLOW ? PACE_SLOW : name->pace;
	lookup->is_first = name->pace == PACE_NEW;
	name->looked_up = true;
	pthread_mutex_lock(&resolver->shared->lock);
	append(&resolver->shared->wanted, lookup);
	(void)pthread_cond_signal(&resolver->shared->changed);
	pthread_mutex_unlock(&resolver->shared->lock);
}

/* Whether it has addresses younger than age_us. */
static bool
has_addresses(const struct name *name, int64_t age_us, int64_t now_us)
{
	return name->answer.count > 0 && now_us - name->known_us < age_us;
}

const struct resolver_answer *
resolver_ask(struct resolver *resolver, const char *host, bool waited)
{
	int64_t now_us = clock_steady_us();
	struct name *name = get(resolver, host, now_us);

	name->used_us = now_us;
	if (now_us < name->fresh_until_us)
		return &name->answer;
	if (!name->looked_up)
		begin_lookup(resolver, name);
	if (has_addresses(name, waited ? STALE_US : BESIDE_US, now_us))
		return &name->answer;
	return waited ? &unknown : NULL;
}

int
resolver_fd(const struct resolver *resolver)
{
	return resolver->shared->fd;
}

static void
take_answer(struct resolver *resolver, const struct lookup *lookup, int64_t now_us)
{
	struct name *name = get(resolver, lookup->host, now_us), *zone;
	enum resolver_result result = lookup->answer.result;

	name->pace = lookup->took_us >= SLOW_US ? PACE_SLOW : PACE_QUICK;
	zone =
	    name->pace == PACE_SLOW ? get(resolver, zone_of(name->host), now_us) : find(resolver, zone_of(name->host));
	if (zone != NULL)
		zone->pace = name->pace;
	name->looked_up = false; /* only now: making the zone may forget names */
	name->fresh_until_us = now_us + (result == RESOLVER_KNOWN ? KNOWN_US : FAILED_US);
	if (result == RESOLVER_UNKNOWN && has_addresses(name, STALE_US, now_us))
		return;
	name->answer = lookup->answer;
	name->known_us = now_us;
}

void
resolver_run(struct resolver *resolver)
{
	struct shared *shared = resolver->shared;
	int64_t now_us = clock_steady_us();
	struct list done;
	eventfd_t ignored;

	(void)eventfd_read(shared->fd, &ignored);
	pthread_mutex_lock(&shared->lock);
	done = shared->done;
	shared->done = (struct list){.end = &shared->done.first};
	pthread_mutex_unlock(&shared->lock);
	for (const struct lookup *at = done.first; at != NULL; at = at->next)
		take_answer(resolver, at, now_us);
	free_all(&done);
}

void
resolver_close(struct resolver *resolver)
{
	pthread_mutex_lock(&resolver->shared->lock);
	resolver->shared->closed = true;
	(void)pthread_cond_broadcast(&resolver->shared->changed);
	pthread_mutex_unlock(&resolver->shared->lock);
	release_shared(resolver->shared);
	tdestroy(resolver->names, free);
	free(resolver);
}
