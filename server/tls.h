/*
 * TLS of the service: its certificate and key, and the authorities of client certificates. The master reads the files,
 * at the start and on HUP, which it sends itself when they are replaced (master/tls_watch.h); acceptors inherit what it
 * has made of them, and open none.
 */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

struct ssl_ctx_st;
struct ssl_st;

/* All zero: nothing has been read. */
struct tls {
	struct ssl_ctx_st *context; /* made for tickets_use(), which is the caller's to call */
	int64_t begins_s, ends_s; /* the certificate's time, by the wall clock */
};

/*
 * Reads the files that the configuration names, which has TLS_CERT_FILE, into *tls. What was there before is freed.
 * Returns 0, or <0 with a sentence that names the option and what to do; *tls is as it was then.
 */
int tls_load(struct tls *tls, const struct config *config, struct error *err);

/* Whether now, by the wall clock, is outside the certificate's time. err says so, and what to do. */
bool tls_is_out_of_time(const struct tls *tls, const struct config *config, int64_t now_s, struct error *err);

/* Frees it; the private key is wiped from this process's memory. */
void tls_free(struct tls *tls);

/* How many bytes of records have come, those of a record that has come in part included. */
uint64_t tls_bytes_read(const struct ssl_st *ssl);

/* Whether the client of a finished handshake has a certificate of TLS_CLIENT_CA_FILE which has not expired since. */
bool tls_client_is_known(const struct ssl_st *ssl);

#endif
