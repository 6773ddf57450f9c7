/*
 * Why a receiver's certificate is refused, in words that name it and its issuer: libcurl reports only the kind of
 * error. Verification itself is OpenSSL's, unchanged.
 */
#ifndef COURIER_CERTIFICATE_H
#define COURIER_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#define CERTIFICATE_TEXT_MAX 512

/* What is noted about a connection. */
struct certificate_note {
	int64_t begun_us; /* when its TLS began: steady clock */
	/* Why a certificate was refused, UTF-8 without control characters; "": it was accepted. */
	char text[CERTIFICATE_TEXT_MAX];
};

/* Whether libcurl uses the same OpenSSL as this program. If not, do not use certificate_watch(). */
bool certificate_can_watch(void);

/* A CURLOPT_SSL_CTX_FUNCTION with a certificate_note as its CURLOPT_SSL_CTX_DATA. Any thread. */
CURLcode certificate_watch(CURL *easy, void *ssl_context, void *note);

#endif
