/* Seals and opens secrets with the master keys. */
#include "api/secrets.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"

#define ENCRYPTED "enc:v1:"
#define PLAIN "plain:"

static bool
begins(struct span text, const char *with)
{
	size_t len = strlen(with);

	return text.len >= len && memcmp(text.base, with, len) == 0;
}

static void
fingerprint(const uint8_t key[CRYPTO_KEY_BYTES], char out[SECRET_FINGERPRINT_BYTES + 1])
{
	static const char purpose[] = "hookline key fingerprint:";
	uint8_t named[sizeof purpose - 1 + CRYPTO_KEY_BYTES], digest[SHA256_BYTES];

	memcpy(named, purpose, sizeof purpose - 1);
	memcpy(named + sizeof purpose - 1, key, CRYPTO_KEY_BYTES);
	crypto_sha256((struct span){(const char *)named, sizeof named}, digest);
	explicit_bzero(named, sizeof named);
	for (size_t i = 0; i < SECRET_FINGERPRINT_BYTES / 2; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

void
secrets_open(struct secrets *secrets, const struct config *config)
{
	uint8_t keys[MASTER_KEYS_MAX][MASTER_KEY_BYTES];

	_Static_assert(MASTER_KEY_BYTES == CRYPTO_KEY_BYTES, "the length of a master key");
	*secrets = (struct secrets){0};
	for (int old = 0; old < 2; old++) {
		const char *text = old ? config->hl_master_key_old : config->hl_master_key;
		size_t count = text != NULL && *text != '\0' ? master_keys_read(text, keys) : 0;

		assert(old || count <= 1);
		secrets->encrypts |= !old && count == 1;
		for (size_t i = 0; i < count; i++, secrets->count++) {
			memcpy(secrets->keys[secrets->count], keys[i], sizeof keys[i]);
			fingerprint(keys[i], secrets->fingerprints[secrets->count]);
		}
	}
	explicit_bzero(keys, sizeof keys);
}

void
secrets_close(struct secrets *secrets)
{
	explicit_bzero(secrets, sizeof *secrets);
}

void
secret_wipe(struct bytes *bytes)
{
	if (bytes->base != NULL)
		explicit_bzero(bytes->base, bytes->capacity);
	bytes_free(bytes);
}

/* The text that binds a sealed secret to its place. Tenant ids have no slash, so it is unambiguous. */
static struct bytes
bound_to(const struct secret_place *place)
{
	struct bytes bound = {0};

	bytes_add(&bound, place->tenant_id.base, place->tenant_id.len);
	bytes_add(&bound, "/", 1);
	bytes_add(&bound, place->endpoint_id.base, place->endpoint_id.len);
	bytes_add_text(&bound, place->kind == SECRET_HEADERS ? "/headers" : "/signing");
	return bound;
}

void
secret_seal(const struct secrets *secrets, const struct secret_place *place, struct span plain, struct bytes *out)
{
	struct bytes bound, sealed = {0};

	if (!secrets->encrypts) {
		if (begins(plain, ENCRYPTED) || begins(plain, PLAIN))
			bytes_add_text(out, PLAIN);
		bytes_add(out, plain.base, plain.len);
		return;
	}
	bound = bound_to(place);
	crypto_seal(secrets->keys[0], (struct span){bound.base, bound.len}, plain,
	    (uint8_t *)bytes_reserve(&sealed, plain.len + CRYPTO_SEAL_BYTES));
	sealed.len = plain.len + CRYPTO_SEAL_BYTES;
	bytes_add_text(out, ENCRYPTED);
	bytes_add_text(out, secrets->fingerprints[0]);
	bytes_add(out, ":", 1);
	out->len +=
	    base64_encode(sealed.base, sealed.len, BASE64_STANDARD, bytes_reserve(out, BASE64_TEXT_BYTES(sealed.len)));
	bytes_free(&sealed);
	bytes_free(&bound);
}

/* The index of the key that sealed the text; SIZE_MAX: it is not configured. text begins after the prefix. */
static size_t
key_of(const struct secrets *secrets, struct span text)
{
	for (size_t i = 0; i < secrets->count; i++)
		if (begins(text, secrets->fingerprints[i]))
			return i;
	return SIZE_MAX;
}

int
secret_read(const struct secrets *secrets, const struct secret_place *place, struct span stored, struct bytes *out,
    struct error *err)
{
	const size_t skip = SECRET_FINGERPRINT_BYTES + 1;
	struct span text;
	struct bytes bound, sealed = {0};
	bool good;
	size_t key;

	if (!begins(stored, ENCRYPTED)) {
		size_t plain = begins(stored, PLAIN) ? strlen(PLAIN) : 0;

		bytes_add(out, stored.base + plain, stored.len - plain);
		return 0;
	}
	text = (struct span){stored.base + strlen(ENCRYPTED), stored.len - strlen(ENCRYPTED)};
	if (text.len < skip || text.base[skip - 1] != ':')
		return error_set(err, "a stored secret is damaged");
	key = key_of(secrets, text);
	if (key == SIZE_MAX)
		return error_set(err,
		    "a stored secret was encrypted with a master key that is neither in HL_MASTER_KEY "
		    "nor in HL_MASTER_KEY_OLD: its fingerprint is %.*s",
		    SECRET_FINGERPRINT_BYTES, text.base);
	text = (struct span){text.base + skip, text.len - skip};
	bound = bound_to(place);
	good = base64_decode(text, BASE64_STANDARD, bytes_reserve(&sealed, text.len), text.len, &sealed.len) &&
	       sealed.len >= CRYPTO_SEAL_BYTES &&
	       crypto_open(secrets->keys[key], (struct span){bound.base, bound.len},
		   (struct span){sealed.base, sealed.len}, (uint8_t *)bytes_reserve(out, sealed.len));
	if (good)
		out->len += sealed.len - CRYPTO_SEAL_BYTES;
	bytes_free(&sealed);
	bytes_free(&bound);
	return good ? 0 : error_set(err, "a stored secret was changed, or belongs to another endpoint");
}

bool
secret_is_current(const struct secrets *secrets, struct span stored)
{
	if (!begins(stored, ENCRYPTED))
		return !secrets->encrypts;
	return secrets->encrypts &&
	       key_of(secrets, (struct span){stored.base + strlen(ENCRYPTED), stored.len - strlen(ENCRYPTED)}) == 0;
}

bool
secret_lacks_key(const struct secrets *secrets, struct span stored, char fingerprint[SECRET_FINGERPRINT_BYTES + 1])
{
	struct span text;

	if (!begins(stored, ENCRYPTED))
		return false;
	text = (struct span){stored.base + strlen(ENCRYPTED), stored.len - strlen(ENCRYPTED)};
	if (key_of(secrets, text) != SIZE_MAX)
		return false;
	(void)snprintf(fingerprint, SECRET_FINGERPRINT_BYTES + 1, "%.*s", (int)text.len, text.base);
	return true;
}
