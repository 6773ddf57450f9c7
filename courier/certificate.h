/*
 * Why a receiver's certificate is not taken, in words that name it and its issuer: libcurl tells only what kind of
 * mistake it is. Verification itself is OpenSSL's, unchanged.
 */
#ifndef COURIER_CERTIFICATE_H
#define COURIER_CERTIFICATE_H

#include <stdbool.h>

#include <curl/curl.h>

#define CERTIFICATE_TEXT_MAX 512

/* Where the words go; "" until a certificate is refused. */
struct certificate_note {
	char text[CERTIFICATE_TEXT_MAX]; /* UTF-8 without control characters */
};

/* Whether libcurl's TLS is the OpenSSL that this program has; else certificate_watch() is not to be used. */
bool certificate_can_watch(void);

/* A CURLOPT_SSL_CTX_FUNCTION with a certificate_note as its CURLOPT_SSL_CTX_DATA. Any thread. */
CURLcode certificate_watch(CURL *easy, void *ssl_context, void *note);

#endif
