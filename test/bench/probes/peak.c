/* Operations per second of one thread: the best of several short runs of nothing but multiplications and additions. Built with the flags
   of a level; KIND is F32, INT8 or BF16. Prints 0 where the level has no such instruction. */
#include <stdio.h>
#include <time.h>

#if defined(__AVX512F__)
enum { BYTES = 64 };
#elif defined(__AVX2__)
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
typedef float floats __attribute__((vector_size(BYTES)));
typedef int ints __attribute__((vector_size(BYTES)));
enum { STEPS = 2000000, TIMES = 12, SUMS = 12 };

#if defined(F32)
typedef floats sums;
enum { OPERATIONS = BYTES / 4 * 2 };
#define STEP(c) c = c * a + b;
#elif defined(INT8) && defined(__AVX512VNNI__)
typedef ints sums;
enum { OPERATIONS = BYTES * 2 };
#define STEP(c) __asm__("vpdpbusd %2,%1,%0" : "+v"(c) : "v"(a), "v"(b));
#elif defined(INT8) && defined(__AVX2__)
/* Pairs of 16 bits: what there is that never saturates. */
typedef ints sums;
enum { OPERATIONS = BYTES };
#define STEP(c) { ints p; __asm__ volatile("vpmaddwd %2,%1,%0" : "=x"(p) : "x"(a), "x"(b)); c += p; }
#elif defined(BF16) && defined(__AVX512BF16__)
typedef floats sums;
enum { OPERATIONS = BYTES };
#define STEP(c) __asm__("vdpbf16ps %2,%1,%0" : "+v"(c) : "v"(a), "v"(b));
#else
#define NONE
#endif

#ifndef NONE
/* Of a processor to ourselves: what others do meanwhile does not count. */
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
#endif

int main(void) {
#ifdef NONE
  printf("0\n");
#else
  /* Zeros, which compilers do not know of, nor that they are equal: else twelve sums are one. */
  static volatile sums z;
  const sums a = z, b = z;
  sums c0 = z, c1 = z, c2 = z, c3 = z, c4 = z, c5 = z, c6 = z, c7 = z, c8 = z, c9 = z, c10 = z, c11 = z;
  double best = 0;
  for (int time = 0; time < TIMES; time++) {
    const double begun = now();
    for (int i = 0; i < STEPS; i++) {
      STEP(c0) STEP(c1) STEP(c2) STEP(c3) STEP(c4) STEP(c5) STEP(c6) STEP(c7) STEP(c8) STEP(c9) STEP(c10) STEP(c11)
      /* What is known of the sums would let a compiler leave them out. */
      __asm__ volatile("" : : : "memory");
    }
    const double rate = (double)STEPS * SUMS * OPERATIONS / (now() - begun);
    if (rate > best) best = rate;
  }
  const sums all = c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11;
  volatile float kept = (float)all[0];
  (void)kept;
  printf("%.0f\n", best);
#endif
  return 0;
}
