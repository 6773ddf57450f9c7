/* CRC32C (RFC 3720 appendix B.4): the checksum of records, ring pages and spool headers. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of len bytes, by the CPU's instruction if it has one. Any process. */
uint32_t crc32c(const void *bytes, size_t len);

#endif
