/* A clock for short times, and what a thread does while it spins. */
#ifndef GLOWPLUG_TICKS_H
#define GLOWPLUG_TICKS_H

/* Ticks of a clock that all threads read in a few nanoseconds. */
static inline unsigned long ticks(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  unsigned long now;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
  return now;
#endif
}

static inline unsigned long ticks_in(unsigned long nanoseconds) {
#if defined(__x86_64__)
  /* The rate is not told to programs: processors count two to four in a nanosecond. */
  return nanoseconds * 3;
#else
  unsigned long rate;
  __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(rate));
  return nanoseconds * (rate / 1000) / 1000000;
#endif
}

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  __asm__ volatile("isb" ::: "memory");
#endif
}

#endif
