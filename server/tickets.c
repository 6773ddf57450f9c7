/*
 * One process writes, many read. The valid keys have the numbers newest and newest - 1. The writer puts the next key
 * into an unused place and then stores its number. A reader copies a key and then checks that the number is unchanged.
 */
#include "server/tickets.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "base/crypto.h"

#define NAME_BYTES 16 /* OpenSSL's size */
#define IV_BYTES 16 /* of AES */
#define KEYS_GOOD 2
#define PLACES 4 /* the valid ones, the next one, and a spare so that PLACES divides 2^32 */

struct ticket_key {
	uint8_t name[NAME_BYTES]; /* sent in the ticket */
	uint8_t cipher[32], mac[32];
};

struct tickets {
	uint32_t newest; /* number of the key that makes tickets */
	int64_t since_us; /* steady: when that key was made; only the master uses it */
	struct ticket_key keys[PLACES]; /* indexed by number % PLACES */
};

static void
make_key(struct tickets *tickets, int64_t now_us)
{
	uint32_t number = tickets->newest + 1;

	crypto_random(&tickets->keys[number % PLACES], sizeof *tickets->keys);
	__atomic_store_n(&tickets->newest, number, __ATOMIC_RELEASE);
	explicit_bzero(&tickets->keys[(number - KEYS_GOOD) % PLACES], sizeof *tickets->keys);
	tickets->since_us = now_us;
}

struct tickets *
tickets_new(int64_t now_us, struct error *err)
{
	struct tickets *tickets =
	    mmap(NULL, sizeof *tickets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (tickets == MAP_FAILED) {
		(void)error_errno(err, "cannot map memory for the keys of session tickets");
		return NULL;
	}
	(void)madvise(tickets, sizeof *tickets, MADV_DONTDUMP);
	(void)mlock(tickets, sizeof *tickets); /* out of swap space, if permitted */
	/* Fill all valid places: anybody could make tickets for a key of zeros. */
	for (int i = 0; i < KEYS_GOOD; i++)
		make_key(tickets, now_us);
	return tickets;
}

void
tickets_free(struct tickets *tickets)
{
	if (tickets != NULL)
		(void)munmap(tickets, sizeof *tickets);
}

void
tickets_rotate(struct tickets *tickets, int64_t now_us)
{
	if (now_us - tickets->since_us >= (int64_t)TICKET_SECONDS * 1000000)
		make_key(tickets, now_us);
}

/* Copies the key of that name, or the newest for NULL. *age: 0 for the newest. Returns false if there is none. */
static bool
copy_key(const struct tickets *tickets, const uint8_t *name, struct ticket_key *key, uint32_t *age)
{
	uint32_t newest = __atomic_load_n(&tickets->newest, __ATOMIC_ACQUIRE);

	for (*age = 0; *age < KEYS_GOOD; (*age)++) {
		memcpy(key, &tickets->keys[(newest - *age) % PLACES], sizeof *key);
		if (name != NULL && memcmp(key->name, name, NAME_BYTES) != 0)
			continue;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		/* If it changed, the copied key may have been overwritten. */
		return __atomic_load_n(&tickets->newest, __ATOMIC_RELAXED) == newest;
	}
	return false;
}

static bool
begin_cipher(const struct ticket_key *key, const uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	char digest[] = "SHA256";
	uint8_t mac_key[sizeof key->mac];
	const OSSL_PARAM parameters[] = {
	    OSSL_PARAM_construct_octet_string(
		OSSL_MAC_PARAM_KEY, memcpy(mac_key, key->mac, sizeof mac_key), sizeof mac_key),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end(),
	};
	bool begun = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, encrypt) == 1 &&
		     EVP_MAC_CTX_set_params(mac, parameters) == 1;

	explicit_bzero(mac_key, sizeof mac_key);
	return begun;
}

/* The callback of SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 0 means no ticket, 2 a valid one to be renewed. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	const struct tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key key;
	uint32_t age = 0;
	int answer = 0;

	if (copy_key(tickets, encrypt ? NULL : name, &key, &age)) {
		if (encrypt) {
			memcpy(name, key.name, NAME_BYTES);
			crypto_random(iv, IV_BYTES);
		}
		if (begin_cipher(&key, iv, cipher, mac, encrypt))
			answer = age == 0 ? 1 : 2;
	}
	explicit_bzero(&key, sizeof key);
	return answer;
}

void
tickets_use(struct tickets *tickets, struct ssl_ctx_st *context)
{
	SSL_CTX_set_app_data(context, tickets);
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
	(void)SSL_CTX_set_timeout(context, TICKET_SECONDS);
}
