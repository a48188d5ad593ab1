/*
 * A checksum against damage, of weights, at the speed of memory: cryptographic digests take ten times as long. plugin/bundle/checksum.ts
 * computes the same. A lane takes in its word by steps that lose nothing, so that one changed word always shows.
 */
#include "checksum.h"
#include "system.h"

enum { LANES = 16, STRIPE = LANES * 4 };

static inline void add_stripe(unsigned *lanes, const unsigned *words) {
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) {
    const unsigned mixed = lanes[i] ^ words[i];
    lanes[i] = (mixed << 13 | mixed >> 19) * 0x9e3779b1u;
  }
}

void glowplug_checksum_add(struct checksum *checksum, const char *bytes, unsigned long count) {
  unsigned lanes[LANES], words[LANES];
  memcpy(lanes, checksum->lanes, STRIPE);
  unsigned long done = 0;
  for (; count - done >= STRIPE; done += STRIPE) {
    memcpy(words, bytes + done, STRIPE);
    add_stripe(lanes, words);
  }
  if (done < count) {
    memset(words, 0, STRIPE);
    memcpy(words, bytes + done, count - done);
    add_stripe(lanes, words);
  }
  memcpy(checksum->lanes, lanes, STRIPE);
}
