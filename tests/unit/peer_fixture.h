/* For tests of control's side of the frames: an acceptor at the other end of a channel, and a worker. */
#ifndef PEER_FIXTURE_H
#define PEER_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/peer.h"

#define CONTROL 7u /* start counts */
#define ACCEPTOR 3u

extern struct workers workers;
extern struct peers peers;
extern struct peer peer;
extern struct process_slot slot;
extern int ends[2];

/* Set-up and tear-down of a test. */
int peer_fixture_begin(void **state);
int peer_fixture_end(void **state);

/* ---- the acceptor ---- */

void say(struct frame frame);

/* Returns whether a frame has come. Its bytes are in a buffer of the fixture. */
bool hear(struct frame *frame);
void turn(void);
void shake_hands(void);
void request(uint32_t number, uint32_t sender, uint32_t receiver, bool has_body);
void credit(uint32_t number, uint32_t bytes);

/* ---- the worker ---- */

struct call *take(void);
void answer(struct call *call, size_t bytes);

#define PEER_TEST(test) cmocka_unit_test_setup_teardown(test, peer_fixture_begin, peer_fixture_end)

#endif
