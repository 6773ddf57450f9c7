/* Records the result of OpenSSL's own verification. */
#include "courier/certificate.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/clock.h"
#include "base/utf8.h"

#define NAME_BYTES_MAX 160

/* Copies the printable part of a certificate's text. The receiver chooses that text. */
static void
copy_clean(char out[NAME_BYTES_MAX + 1], const char *text, size_t len)
{
	char *to = out;

	for (size_t at = 0, width; at<len; at += width> 0 ? width : 1) {
		width = utf8_length(text + at, len - at);
		if ((size_t)(to - out) + (width > 0 ? width : 1) > NAME_BYTES_MAX)
			break;
		if (width == 0 || (unsigned char)text[at] < ' ' || text[at] == 0x7f)
			*to++ = '?';
		else
			to = mempcpy(to, text + at, width);
	}
	*to = '\0';
}

static void
copy_name(char out[NAME_BYTES_MAX + 1], const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len = 0;

	if (bio != NULL && name != NULL &&
	    X509_NAME_print_ex(bio, name, 0, (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) | XN_FLAG_SEP_CPLUS_SPC) >= 0)
		len = BIO_get_mem_data(bio, &text);
	copy_clean(out, text != NULL ? text : "", text != NULL && len > 0 ? (size_t)len : 0);
	BIO_free(bio);
}

static void
describe(char out[CERTIFICATE_TEXT_MAX], int error, const X509 *certificate)
{
	char subject[NAME_BYTES_MAX + 1] = "?", issuer[NAME_BYTES_MAX + 1] = "?";

	if (certificate != NULL) {
		copy_name(subject, X509_get_subject_name(certificate));
		copy_name(issuer, X509_get_issuer_name(certificate));
	}
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		(void)snprintf(out, CERTIFICATE_TEXT_MAX,
		    "the chain is incomplete: the certificate of '%s', which issued that of '%s', was not sent and is "
		    "not known here",
		    issuer, subject);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		(void)snprintf(out, CERTIFICATE_TEXT_MAX,
		    "the certificate of '%s' is signed by itself and is not known here", subject);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		(void)snprintf(out, CERTIFICATE_TEXT_MAX, "the certificate of '%s' has expired", subject);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		(void)snprintf(out, CERTIFICATE_TEXT_MAX, "the certificate of '%s' is not valid yet", subject);
		break;
	default:
		(void)snprintf(out, CERTIFICATE_TEXT_MAX, "the certificate of '%s', issued by '%s': %s", subject,
		    issuer, X509_verify_cert_error_string(error));
		break;
	}
}

static int
verify(X509_STORE_CTX *context, void *argument)
{
	struct certificate_note *note = argument;
	int good = X509_verify_cert(context);

	if (good <= 0)
		describe(note->text, X509_STORE_CTX_get_error(context), X509_STORE_CTX_get_current_cert(context));
	return good;
}

bool
certificate_can_watch(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	return info->ssl_version != NULL && strncmp(info->ssl_version, "OpenSSL/3", strlen("OpenSSL/3")) == 0;
}

CURLcode
certificate_watch(CURL *easy, void *ssl_context, void *argument)
{
	struct certificate_note *note = argument;

	note->begun_us = clock_steady_us();
	SSL_CTX_set_cert_verify_callback(ssl_context, verify, note);
	return CURLE_OK;
}
