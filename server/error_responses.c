/*
 * An output filter replaces the plain-text body of libh2o's own errors by reply_error_tree(). libh2o closes the
 * connection right after them, so the filter makes it linger.
 */
#include "server/error_responses.h"

#include "server/acceptor.h"
#include "server/h2o_internals.h"
#include "server/reply.h"
#include "shm/counters.h"

struct error_filter {
	h2o_filter_t super;
	struct acceptor *acceptor;
};

/* The output stream that replaces an error's body. */
struct error_ostream {
	h2o_ostream_t super;
	struct acceptor *acceptor;
};

/* The text of libh2o's error, or a better one. */
static cJSON *
error_tree(const struct acceptor *acceptor, const h2o_req_t *req, const libh2o_vector *vectors, size_t count)
{
	char text[256];
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < vectors[i].len && len + 1 < sizeof text; k++)
			text[len++] = libh2o_vector_bytes(&vectors[i])[k];
	text[len] = '\0';
	return reply_error_tree(req, req->res.status,
	    req->res.status == 413 ? reply_body_too_large_text(acceptor->config->max_body_bytes, false) : text);
}

/* The only send of an error body: it is small, so libh2o sends it whole. */
static void
send_as_json(h2o_ostream_t *self, h2o_req_t *req, libh2o_vector *vectors, size_t count, h2o_send_state_t state)
{
	struct acceptor *acceptor = ((struct error_ostream *)self)->acceptor;
	cJSON *tree = error_tree(acceptor, req, vectors, count);
	char *json = cJSON_PrintUnformatted(tree);
	libh2o_vector body = libh2o_vector_of(h2o_strdup(&req->pool, json, SIZE_MAX));

	cJSON_free(json);
	cJSON_Delete(tree);
	counter_add(acceptor->slot, req->res.status == 413 ? COUNTER_REJECTED_BODY_SIZE : COUNTER_REJECTED_HTTP, 1);
	req->res.content_length = body.len;
	h2o_ostream_send_next(self, req, &body, count > 0 ? 1 : 0, state); /* 0: the answer to a HEAD */
	if (!libh2o_keeps_open(req))
		connection_linger(connection_of(req));
}

static void
on_setup(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
	ssize_t at = h2o_find_header(&req->res.headers, H2O_TOKEN_CONTENT_TYPE, -1);

	/* The errors of this service are JSON already: an error in plain text is libh2o's. */
	if (req->res.status >= 400 && at != -1 && req->res.headers.entries[at].value.len >= 10 &&
	    h2o_memis(req->res.headers.entries[at].value.base, 10, H2O_STRLIT("text/plain"))) {
		struct error_ostream *ostream = (void *)libh2o_add_ostream(req, sizeof *ostream, slot);

		req->res.headers.entries[at].value = h2o_iovec_init(H2O_STRLIT("application/json"));
		ostream->acceptor = ((struct error_filter *)filter)->acceptor;
		ostream->super.do_send = send_as_json;
		slot = &ostream->super.next;
	}
	h2o_setup_next_ostream(req, slot);
}

void
error_responses_register(struct acceptor *acceptor, h2o_hostconf_t *host)
{
	struct error_filter *filter = (void *)h2o_create_filter(&host->fallback_path, sizeof *filter);

	filter->super.on_setup_ostream = on_setup;
	filter->acceptor = acceptor;
}
