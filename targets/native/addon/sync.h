/* Sleeping and waking on a word, and a lock made of that. Nobody spins. */
#ifndef GLOWPLUG_SYNC_H
#define GLOWPLUG_SYNC_H

#include "system.h"

/* Sleeps while the word has that value; may wake for no reason. */
static inline void sleep_on(int *word, int value) { syscall(CALL_FUTEX, word, (long)FUTEX_WAIT_PRIVATE, (long)value, 0L, 0L, 0L); }

static inline void wake_one(int *word) { syscall(CALL_FUTEX, word, (long)FUTEX_WAKE_PRIVATE, 1L, 0L, 0L, 0L); }

static inline void wake_all(int *word) { syscall(CALL_FUTEX, word, (long)FUTEX_WAKE_PRIVATE, 0x7fffffffL, 0L, 0L, 0L); }

/* 0 free, 1 taken, 2 taken and perhaps waited for. */
static inline void lock(int *word) {
  int expected = 0;
  if (__atomic_compare_exchange_n(word, &expected, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0) sleep_on(word, 2);
}

static inline void unlock(int *word) {
  if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2) wake_one(word);
}

#endif
