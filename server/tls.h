/*
 * TLS of the service: its certificate and key, and the authorities of client certificates. The master reads the files
 * at the start and on HUP, which it sends itself when they are replaced (master/tls_watch.h). Acceptors inherit the
 * result and open no files.
 */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

struct ssl_ctx_st;
struct ssl_st;

/* All zero: not loaded. */
struct tls {
	struct ssl_ctx_st *context; /* the caller calls tickets_use() on it */
	int64_t begins_s, ends_s; /* the certificate's validity, by the wall clock */
};

/*
 * Reads the configured files into *tls, freeing the old contents. config has TLS_CERT_FILE. Returns 0, or <0 with *tls
 * unchanged and a sentence that names the option and the remedy.
 */
int tls_load(struct tls *tls, const struct config *config, struct error *err);

/* Whether now, by the wall clock, is outside the certificate's validity; then err has a sentence with the remedy. */
bool tls_is_out_of_time(const struct tls *tls, const struct config *config, int64_t now_s, struct error *err);

/* Frees *tls and wipes the private key from this process's memory. */
void tls_free(struct tls *tls);

/* The bytes of records received, including a partial record. */
uint64_t tls_bytes_read(const struct ssl_st *ssl);

/* Whether the client of a finished handshake has an unexpired certificate signed by TLS_CLIENT_CA_FILE. */
bool tls_client_is_known(const struct ssl_st *ssl);

#endif
