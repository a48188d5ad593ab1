/* Rates of one thread, for `glowplug probe`. Built with the flags of a level.
   probe f32|int8              operations a second of nothing but multiplications and additions; 0 where there is no such instruction
   probe read BYTES            bytes a second read of so many, over and over
   probe rows BYTES FILE       bytes a second of rows picked here and there of so many, which it writes to the file and maps as bundles' weights are mapped
   The best of several short runs, of rows the median, by the time that the processor was ours. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#if defined(__AVX512F__)
enum { BYTES = 64 };
#elif defined(__AVX2__)
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
typedef float floats __attribute__((vector_size(BYTES)));
typedef int ints __attribute__((vector_size(BYTES)));
typedef long longs __attribute__((vector_size(BYTES)));
enum { STEPS = 300000, TIMES = 20 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Zeros, which compilers do not know of, nor that they are equal: else twelve sums are one. What is known of the sums would let a compiler
   leave them out. */
#define PEAK(NAME, TYPE, STEP)                                                                        \
  static double NAME(void) {                                                                          \
    static volatile TYPE z;                                                                           \
    const TYPE a = z, b = z;                                                                          \
    TYPE c0 = z, c1 = z, c2 = z, c3 = z, c4 = z, c5 = z, c6 = z, c7 = z, c8 = z, c9 = z, c10 = z, c11 = z; \
    const double begun = now();                                                                       \
    for (int i = 0; i < STEPS; i++) {                                                                 \
      STEP(c0) STEP(c1) STEP(c2) STEP(c3) STEP(c4) STEP(c5) STEP(c6) STEP(c7) STEP(c8) STEP(c9) STEP(c10) STEP(c11) \
      __asm__ volatile("" : : : "memory");                                                            \
    }                                                                                                 \
    const double seconds = now() - begun;                                                             \
    const TYPE all = c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11;                     \
    volatile float kept = (float)all[0];                                                              \
    (void)kept;                                                                                       \
    (void)a;                                                                                          \
    (void)b;                                                                                          \
    return STEPS * 12.0 / seconds;                                                                    \
  }

#define MULTIPLY(c) c = c * a + b;
PEAK(peak_f32, floats, MULTIPLY)

#if defined(__AVX512VNNI__)
#define DOT(c) __asm__("vpdpbusd %2,%1,%0" : "+v"(c) : "v"(a), "v"(b));
enum { PER_INT8 = BYTES * 2 };
PEAK(peak_int8, ints, DOT)
#elif defined(__AVX2__)
/* Pairs of 16 bits: what there is that never saturates. */
#define DOT(c) { ints p; __asm__ volatile("vpmaddwd %2,%1,%0" : "=x"(p) : "x"(a), "x"(b)); c += p; }
enum { PER_INT8 = BYTES };
PEAK(peak_int8, ints, DOT)
#else
enum { PER_INT8 = 0 };
static double peak_int8(void) { return 0; }
#endif

static double read_rate(const longs *data, size_t count, size_t passes) {
  longs s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
  const double begun = now();
  for (size_t pass = 0; pass < passes; pass++) {
    for (size_t i = 0; i + 4 <= count; i += 4) {
      s0 += data[i];
      s1 += data[i + 1];
      s2 += data[i + 2];
      s3 += data[i + 3];
    }
    __asm__ volatile("" : : : "memory");
  }
  const double seconds = now() - begun;
  const longs all = s0 + s1 + s2 + s3;
  volatile long kept = all[0];
  (void)kept;
  return (double)passes * (double)count * sizeof(longs) / seconds;
}

/* Rows as look-ups of recommendation models read them: 32 are added up, and what is AHEAD is asked for before. */
enum { ROW = 256, BAG = 32, BAGS = 1664, AHEAD = 24, LANES = ROW / BYTES };

static double rows_rate(const char *data, size_t rows) {
  static size_t picked[BAGS * BAG + AHEAD];
  static floats sums[BAGS][LANES];
  static unsigned state = 1;
  for (size_t i = 0; i < BAGS * BAG + AHEAD; i++) {
    state = state * 1664525u + 1013904223u;
    picked[i] = (size_t)(((unsigned long long)state * rows) >> 32) * ROW;
  }
  const double begun = now();
  for (size_t bag = 0; bag < BAGS; bag++) {
    floats sum[LANES] = {{0}};
    for (size_t i = bag * BAG; i < (bag + 1) * BAG; i++) {
      const char *const next = data + picked[i + AHEAD];
      for (size_t line = 0; line < ROW; line += 64) __builtin_prefetch(next + line, 0, 2);
      const floats *const row = (const floats *)(const void *)(data + picked[i]);
      for (size_t lane = 0; lane < LANES; lane++) sum[lane] += row[lane];
    }
    for (size_t lane = 0; lane < LANES; lane++) sums[bag][lane] = sum[lane];
  }
  const double seconds = now() - begun;
  volatile float kept = (float)sums[BAGS - 1][0][0];
  (void)kept;
  return (double)BAGS * BAG * ROW / seconds;
}

/* A file of numbers in the memory of the system's files, mapped; NULL where that cannot be had. */
static const char *map_rows(const char *file, size_t bytes) {
  static float piece[1 << 16];
  for (size_t i = 0; i < sizeof(piece) / sizeof(*piece); i++) piece[i] = (float)(i % 31) / 16;
  const int descriptor = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (descriptor < 0) return NULL;
  for (size_t written = 0; written < bytes; written += sizeof(piece))
    if (write(descriptor, piece, sizeof(piece)) != (ssize_t)sizeof(piece)) return NULL;
  void *const mapped = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
  close(descriptor);
  return mapped == MAP_FAILED ? NULL : mapped;
}

int main(int arguments, char **argument) {
  const char *const what = arguments > 1 ? argument[1] : "";
  double best = 0;
  if (strcmp(what, "read") == 0 && arguments > 2) {
    const size_t bytes = strtoull(argument[2], NULL, 10) & ~(size_t)255;
    longs *const data = aligned_alloc(256, bytes);
    if (!data || bytes == 0) return 1;
    memset(data, 1, bytes);
    const size_t passes = 1 + ((size_t)1 << 25) / bytes;
    for (int time = 0; time < TIMES; time++) {
      const double rate = read_rate(data, bytes / sizeof(longs), passes);
      if (rate > best) best = rate;
    }
    free(data);
  } else if (strcmp(what, "rows") == 0 && arguments > 3) {
    const size_t bytes = strtoull(argument[2], NULL, 10) & ~(((size_t)1 << 18) - 1);
    const char *const data = bytes > 0 ? map_rows(argument[3], bytes) : NULL;
    if (!data) return 1;
    /* Brings the file's pages into this process. */
    volatile char touched = 0;
    for (size_t at = 0; at < bytes; at += 4096) touched ^= data[at];
    double rates[TIMES];
    for (int time = 0; time < TIMES; time++) {
      const double rate = rows_rate(data, bytes / ROW);
      int at = time;
      for (; at > 0 && rates[at - 1] > rate; at--) rates[at] = rates[at - 1];
      rates[at] = rate;
    }
    best = rates[TIMES / 2];
  } else if (strcmp(what, "f32") == 0 || (strcmp(what, "int8") == 0 && PER_INT8 > 0)) {
    const int is_f32 = what[0] == 'f';
    for (int time = 0; time < TIMES; time++) {
      const double rate = is_f32 ? peak_f32() * (BYTES / 4 * 2) : peak_int8() * PER_INT8;
      if (rate > best) best = rate;
    }
  }
  printf("%.0f\n", best);
  return 0;
}
