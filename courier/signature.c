/* Signatures: HMAC-SHA256 over the time, the job's id if the standard includes it, and the body. */
#include "courier/signature.h"

#include <stdio.h>

#include "api/endpoint_secret.h"
#include "base/base64.h"
#include "base/crypto.h"
#include "base/format.h"

#define SIGNED_HEAD_BYTES 96 /* "<id>.<time>." */

/* The header names of a signature of the first kind. */
struct names {
	const char *timestamp, *signature;
};

static void
add_line(struct bytes *out, const char *name, const char *value)
{
	bytes_add_text(out, name);
	bytes_add_text(out, ": ");
	bytes_add_text(out, value);
	bytes_add_text(out, "\r\n");
}

static void
add_own(struct bytes *out, const struct signature_spec *spec)
{
	static const struct names names[] = {{"x-hl-timestamp", "x-hl-signature"},
	    {"x-hookline-timestamp", "x-hookline-signature"}, {"x-gp-timestamp", "x-gp-signature"}};
	struct span secret = spec->old_secret.len > 0 ? spec->old_secret : spec->secret;
	char head[SIGNED_HEAD_BYTES], timestamp[32], signature[3 + 2 * SHA256_BYTES + 1];
	uint8_t digest[SHA256_BYTES];
	int len;

	(void)snprintf(timestamp, sizeof timestamp, "%lld", (long long)(spec->now_us / 1000));
	len = snprintf(head, sizeof head, "%s.", timestamp);
	crypto_hmac_sha256(secret, (struct span){head, (size_t)len}, spec->body, digest);
	(void)snprintf(signature, sizeof signature, "v1=");
	for (size_t i = 0; i < sizeof digest; i++)
		(void)snprintf(signature + 3 + 2 * i, 3, "%02x", digest[i]);
	for (size_t i = 0; i < sizeof names / sizeof *names - (spec->legacy ? 0 : 1); i++) {
		add_line(out, names[i].timestamp, timestamp);
		add_line(out, names[i].signature, signature);
	}
}

/* Appends "v1," and the signature. */
static void
add_standard_signature(struct bytes *out, struct span secret, struct span head, struct span body)
{
	size_t prefix = strlen(ENDPOINT_SECRET_PREFIX), key_len;
	uint8_t key[ENDPOINT_SECRET_KEY_MOST], digest[SHA256_BYTES];
	char text[BASE64_TEXT_BYTES(SHA256_BYTES)];
	struct span used = secret;

	if (secret.len > prefix && memcmp(secret.base, ENDPOINT_SECRET_PREFIX, prefix) == 0 &&
	    base64_decode(
		(struct span){secret.base + prefix, secret.len - prefix}, BASE64_STANDARD, key, sizeof key, &key_len))
		used = (struct span){(const char *)key, key_len};
	crypto_hmac_sha256(used, head, body, digest);
	explicit_bzero(key, sizeof key);
	base64_encode(digest, sizeof digest, BASE64_STANDARD, text);
	bytes_add_text(out, "v1,");
	bytes_add_text(out, text);
}

static void
add_standard(struct bytes *out, const struct signature_spec *spec)
{
	char id[FORMAT_UUID_BYTES + 1] = "", timestamp[32], text[SIGNED_HEAD_BYTES];
	struct span head = {text, 0};

	format_uuid(spec->job_id, id);
	(void)snprintf(timestamp, sizeof timestamp, "%lld", (long long)(spec->now_us / 1000000));
	head.len = (size_t)snprintf(text, sizeof text, "%s.%s.", id, timestamp);
	add_line(out, "webhook-id", id);
	add_line(out, "webhook-timestamp", timestamp);
	bytes_add_text(out, "webhook-signature: ");
	add_standard_signature(out, spec->secret, head, spec->body);
	if (spec->old_secret.len > 0) {
		bytes_add_text(out, " ");
		add_standard_signature(out, spec->old_secret, head, spec->body);
	}
	bytes_add_text(out, "\r\n");
}

void
signature_add(struct bytes *out, const struct signature_spec *spec)
{
	add_own(out, spec);
	add_standard(out, spec);
}
