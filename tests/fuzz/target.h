/* The entry point of a fuzz target, for libFuzzer and replay_main.c. */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Runs the code under test on one input, and aborts when it breaks a rule of the target. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
