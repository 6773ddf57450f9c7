/* Loads PEM files into an OpenSSL context. Every buffer with the private key is wiped. */
#include "server/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/crypto.h"
#include "base/files.h"
#include "base/mem.h"
#include "config/options.h"

#define PEM_BYTES_MAX (1 << 20)
/*
 * For TLS 1.2: only forward secrecy and authenticated encryption. OpenSSL's default for TLS 1.3 has only such ciphers.
 */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

struct pem {
	enum option_id option; /* the option with the file's path */
	const char *path;
	char *bytes;
	size_t len;
};

static int
refuse(const struct pem *pem, struct error *err, const char *why)
{
	return option_refuse(&option_table[pem->option], pem->path, err, "%s", why);
}

/* Refuses with OpenSSL's reason for the last failure. */
static int
refuse_by_openssl(const struct pem *pem, struct error *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	return option_refuse(&option_table[pem->option], pem->path, err, "%s: %s", what,
	    reason != NULL ? reason : "OpenSSL gives no reason");
}

static int
read_file(struct pem *pem, int fd, struct error *err)
{
	struct stat file;

	if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))
		return refuse(pem, err, "is not a regular file");
	if (file.st_size > PEM_BYTES_MAX)
		return refuse(pem, err, "is larger than 1 MiB");
	pem->len = (size_t)file.st_size;
	pem->bytes = mem_new(pem->len + 1, 1);
	if (files_read_at(fd, pem->bytes, pem->len, 0) == 0)
		return 0;
	return option_refuse(&option_table[pem->option], pem->path, err, "cannot be read: %s", strerror(errno));
}

/* Reads a file. Call pem_wipe() afterwards, also after a failure. */
static int
pem_read(struct pem *pem, enum option_id option, const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc;

	*pem = (struct pem){.option = option, .path = path};
	if (fd < 0)
		return option_refuse(&option_table[option], path, err,
		    "cannot be read: %s; the master reads it, as the user that hooksd is started as", strerror(errno));
	rc = read_file(pem, fd, err);
	close(fd);
	return rc;
}

static void
pem_wipe(struct pem *pem)
{
	if (pem->bytes != NULL)
		explicit_bzero(pem->bytes, pem->len);
	free(pem->bytes);
	pem->bytes = NULL;
}

static BIO *
pem_open(const struct pem *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->bytes, (int)pem->len);

	if (bio == NULL)
		mem_none(0);
	ERR_clear_error();
	return bio;
}

/* Replaces OpenSSL's callback, which would ask on the terminal. */
static int
no_passphrase(char *out, int size, int writes, void *asked)
{
	if (asked != NULL)
		*(bool *)asked = true;
	return -1;
}

/* Calls take() for each certificate of the file, which take() borrows. */
static int
each_certificate(
    const struct pem *pem, int (*take)(SSL_CTX *context, X509 *certificate), SSL_CTX *context, struct error *err)
{
	BIO *bio = pem_open(pem);
	X509 *certificate;
	int count = 0, rc = 0;

	while (rc == 0 && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		if (take(context, certificate) != 1)
			rc = refuse_by_openssl(pem, err, "a certificate in it cannot be used");
		X509_free(certificate);
		count++;
	}
	BIO_free(bio);
	if (rc == 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		rc = refuse_by_openssl(pem, err, "a certificate in it is damaged");
	else if (rc == 0 && count == 0)
		rc =
		    refuse(pem, err, "holds no certificate in PEM, which would begin with -----BEGIN CERTIFICATE-----");
	return rc;
}

/* The first certificate is the service's own. */
static int
take_chain(SSL_CTX *context, X509 *certificate)
{
	return SSL_CTX_get0_certificate(context) == NULL ? SSL_CTX_use_certificate(context, certificate)
							 : (int)SSL_CTX_add1_chain_cert(context, certificate);
}

static int
take_authority(SSL_CTX *context, X509 *certificate)
{
	return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1 &&
	       SSL_CTX_add_client_CA(context, certificate) == 1;
}

static int
use_key(SSL_CTX *context, const struct pem *pem, struct error *err)
{
	BIO *bio = pem_open(pem);
	bool asked = false;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	int rc = 0;

	BIO_free(bio);
	if (asked)
		rc = refuse(
		    pem, err, "is encrypted, and hooksd cannot ask for a passphrase: decrypt it with openssl pkey");
	else if (key == NULL)
		rc =
		    refuse(pem, err, "holds no private key in PEM, which would begin with -----BEGIN PRIVATE KEY-----");
	else if (X509_check_private_key(SSL_CTX_get0_certificate(context), key) != 1)
		rc = refuse(pem, err,
		    "is not the key of the first certificate in TLS_CERT_FILE: name two files that belong together");
	else if (SSL_CTX_use_PrivateKey(context, key) != 1)
		rc = refuse_by_openssl(pem, err, "cannot be used");
	EVP_PKEY_free(key);
	return rc;
}

static int
load_own(SSL_CTX *context, const struct config *config, struct error *err)
{
	struct pem pem;
	int rc = pem_read(&pem, OPTION_TLS_CERT_FILE, config->tls_cert_file, err);

	if (rc == 0)
		rc = each_certificate(&pem, take_chain, context, err);
	pem_wipe(&pem);
	if (rc != 0)
		return rc;
	rc = pem_read(&pem, OPTION_TLS_KEY_FILE, config->tls_key_file, err);
	if (rc == 0)
		rc = use_key(context, &pem, err);
	pem_wipe(&pem);
	return rc;
}

/*
 * Asks clients for certificates and verifies them; auth.c decides what a client without one may do. A session can be
 * resumed only with the same authorities.
 */
static int
load_authorities(SSL_CTX *context, const struct config *config, struct error *err)
{
	uint8_t authorities[SHA256_BYTES];
	struct pem pem = {0};
	int rc = 0;

	if (config->tls_client_ca_file != NULL) {
		rc = pem_read(&pem, OPTION_TLS_CLIENT_CA_FILE, config->tls_client_ca_file, err);
		if (rc == 0)
			rc = each_certificate(&pem, take_authority, context, err);
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	}
	crypto_sha256((struct span){pem.bytes != NULL ? pem.bytes : "", pem.len}, authorities);
	(void)SSL_CTX_set_session_id_context(context, authorities, sizeof authorities);
	pem_wipe(&pem);
	return rc;
}

static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
    unsigned offered_len, void *unused)
{
	static const unsigned char spoken[] = "\x08http/1.1";
	unsigned char *chosen;
	int rc = SSL_select_next_proto(&chosen, out_len, spoken, sizeof spoken - 1, offered, offered_len);

	*out = chosen;
	return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *
new_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(context, CIPHERS) != 1)
		mem_none(0);
	(void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* Do not send the clients' authorities as the service's chain. Free the buffers of resting connections. */
	(void)SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* acceptors could not share it */
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	return context;
}

static int64_t
seconds_of(const ASN1_TIME *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

int
tls_load(struct tls *tls, const struct config *config, struct error *err)
{
	struct tls loaded = {.context = new_context()};
	int rc = load_own(loaded.context, config, err);

	if (rc == 0)
		rc = load_authorities(loaded.context, config, err);
	ERR_clear_error();
	if (rc != 0) {
		tls_free(&loaded);
		return rc;
	}
	loaded.begins_s = seconds_of(X509_get0_notBefore(SSL_CTX_get0_certificate(loaded.context)));
	loaded.ends_s = seconds_of(X509_get0_notAfter(SSL_CTX_get0_certificate(loaded.context)));
	tls_free(tls);
	*tls = loaded;
	return 0;
}

bool
tls_is_out_of_time(const struct tls *tls, const struct config *config, int64_t now_s, struct error *err)
{
	bool early = now_s < tls->begins_s;
	time_t at = (time_t)(early ? tls->begins_s : tls->ends_s);
	char when[32] = "";
	struct tm parts;

	if (!early && now_s < tls->ends_s)
		return false;
	if (gmtime_r(&at, &parts) != NULL)
		(void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &parts);
	(void)option_refuse(&option_table[OPTION_TLS_CERT_FILE], config->tls_cert_file, err,
	    early ? "the certificate is good from %s on only: see to the clock, or use another one"
		  : "the certificate has expired at %s: get a new one, and send HUP to a hooksd that runs",
	    when);
	return true;
}

void
tls_free(struct tls *tls)
{
	SSL_CTX_free(tls->context);
	*tls = (struct tls){0};
}

uint64_t
tls_bytes_read(const SSL *ssl)
{
	return BIO_number_read(SSL_get_rbio(ssl));
}

bool
tls_client_is_known(const struct ssl_st *ssl)
{
	const X509 *certificate = SSL_get0_peer_certificate(ssl);

	/* A resumed session includes the certificate, which was verified when the session began. */
	return certificate != NULL && SSL_get_verify_result(ssl) == X509_V_OK &&
	       X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}
