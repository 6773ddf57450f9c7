/*
 * CRC32C (Castagnoli, reflected polynomial 0x82f63b78), the checksum of records on the ring and in the spool. The CPU's
 * instruction does 8 bytes at a time on x86-64 with SSE4.2, and on arm64 where the compiler may use it (armv8-a+crc); a
 * table does the rest of the world.
 */
#include <string.h>

#include "shm/record.h"

static uint32_t table[256];

static void __attribute__((constructor)) make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
		table[i] = crc;
	}
}

static uint32_t
crc32c_table(uint32_t crc, const unsigned char *p, size_t len)
{
	while (len-- > 0)
		crc = (crc >> 8) ^ table[(crc ^ *p++) & 0xff];
	return crc;
}

#if defined(__x86_64__)
#define HAVE_CRC_INSTRUCTION __builtin_cpu_supports("sse4.2")
#define CRC_TARGET __attribute__((target("sse4.2")))
#define CRC_STEP(crc, word) ((uint32_t)__builtin_ia32_crc32di((crc), (word)))
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define HAVE_CRC_INSTRUCTION 1
#define CRC_TARGET
#define CRC_STEP(crc, word) __crc32cd((crc), (word))
#endif

#ifdef HAVE_CRC_INSTRUCTION
CRC_TARGET static uint32_t
crc32c_cpu(uint32_t crc, const unsigned char *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word;

		memcpy(&word, p, sizeof word);
		crc = CRC_STEP(crc, word);
	}
	return crc32c_table(crc, p, len);
}
#endif

uint32_t
crc32c(const void *bytes, size_t len)
{
#ifdef HAVE_CRC_INSTRUCTION
	if (HAVE_CRC_INSTRUCTION)
		return ~crc32c_cpu(UINT32_MAX, bytes, len);
#endif
	return ~crc32c_table(UINT32_MAX, bytes, len);
}
