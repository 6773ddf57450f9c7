/* Checks the files of TLS, reading them like the master. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "cli/doctor.h"

#define EXPIRES_DAYS 14

#define NEW_CERTIFICATE "put a new certificate and its key there: hooksd takes them by itself"

/* Replaces OpenSSL's own callback, which asks on the terminal. */
static int
no_passphrase(char *out, int size, int writes, void *context)
{
	return -1;
}

/* Opens the file of that option, or reports why not. */
static FILE *
open_pem(const struct doctor *doctor, enum doctor_check check, const char *option, const char *path)
{
	FILE *file = fopen(path, "re");

	if (file == NULL)
		doctor_fail(doctor->out, check, "name another file, or let the user of hooksd read it",
		    "%s=%s cannot be read: %s", option, path, strerror(errno));
	return file;
}

static X509 *
read_certificate(const struct doctor *doctor, enum doctor_check check, const char *option, const char *path)
{
	FILE *file = open_pem(doctor, check, option, path);
	X509 *certificate = NULL;

	if (file == NULL)
		return NULL;
	certificate = PEM_read_X509(file, NULL, no_passphrase, NULL);
	fclose(file);
	if (certificate == NULL)
		doctor_fail(doctor->out, check, "name a file in PEM, the certificate first",
		    "%s=%s holds no certificate", option, path);
	return certificate;
}

/* Whether the key belongs to the certificate; reports it if not. */
static bool
key_fits(const struct doctor *doctor, const X509 *certificate)
{
	const char *path = doctor->config->tls_key_file;
	FILE *file = open_pem(doctor, CHECK_TLS_CERTIFICATE, "TLS_KEY_FILE", path);
	EVP_PKEY *key = NULL;
	bool fits = false;

	if (file == NULL)
		return false;
	key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
	fclose(file);
	if (key == NULL)
		doctor_fail(doctor->out, CHECK_TLS_CERTIFICATE, "name a private key in PEM, without a passphrase",
		    "TLS_KEY_FILE=%s holds no key that can be read", path);
	else if (X509_check_private_key(certificate, key) != 1)
		doctor_fail(doctor->out, CHECK_TLS_CERTIFICATE, "name the files of one pair",
		    "TLS_KEY_FILE=%s is not the key of TLS_CERT_FILE", path);
	else
		fits = true;
	EVP_PKEY_free(key);
	return fits;
}

/* Reports how long the certificate is valid. */
static void
report_time(
    const struct doctor *doctor, enum doctor_check check, const char *option, const char *path, const X509 *certificate)
{
	int days = 0, seconds = 0, begins = X509_cmp_current_time(X509_get0_notBefore(certificate));

	(void)ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate));
	if (days < 0 || seconds < 0)
		doctor_fail(doctor->out, check, NEW_CERTIFICATE, "%s=%s has expired %d days ago", option, path, -days);
	else if (begins > 0)
		doctor_fail(doctor->out, check, "look at the clock, or take another certificate",
		    "%s=%s is not valid yet", option, path);
	else if (days < EXPIRES_DAYS)
		doctor_warn(doctor->out, check, NEW_CERTIFICATE, "%s=%s expires in %d days", option, path, days);
	else
		doctor_ok(doctor->out, check, "%s=%s is good for %d days", option, path, days);
}

void
doctor_tls(const struct doctor *doctor)
{
	const struct config *config = doctor->config;
	X509 *certificate;

	if (config->tls_cert_file == NULL)
		return;
	certificate = read_certificate(doctor, CHECK_TLS_CERTIFICATE, "TLS_CERT_FILE", config->tls_cert_file);
	if (certificate != NULL && key_fits(doctor, certificate))
		report_time(doctor, CHECK_TLS_CERTIFICATE, "TLS_CERT_FILE", config->tls_cert_file, certificate);
	X509_free(certificate);
	if (config->tls_client_ca_file == NULL)
		return;
	certificate = read_certificate(doctor, CHECK_TLS_CLIENT_CA, "TLS_CLIENT_CA_FILE", config->tls_client_ca_file);
	if (certificate != NULL)
		report_time(doctor, CHECK_TLS_CLIENT_CA, "TLS_CLIENT_CA_FILE", config->tls_client_ca_file, certificate);
	X509_free(certificate);
}
