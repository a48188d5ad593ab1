/* Bytes per second that one thread reads from memory, far beyond every cache: the best of several passes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef long longs __attribute__((vector_size(64)));
enum { COUNT = 4 << 20, TIMES = 6 };

/* Of a processor to ourselves: what others do meanwhile does not count. */
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(void) {
  longs *const data = aligned_alloc(64, (size_t)COUNT * 64);
  if (!data) return 1;
  memset(data, 1, (size_t)COUNT * 64);
  double best = 0;
  longs sum0 = {0}, sum1 = {0}, sum2 = {0}, sum3 = {0};
  for (int time = 0; time < TIMES; time++) {
    const double begun = now();
    for (int i = 0; i < COUNT; i += 4) {
      sum0 += data[i];
      sum1 += data[i + 1];
      sum2 += data[i + 2];
      sum3 += data[i + 3];
    }
    const double rate = (double)COUNT * 64 / (now() - begun);
    if (rate > best) best = rate;
  }
  const longs all = sum0 + sum1 + sum2 + sum3;
  volatile long kept = all[0];
  (void)kept;
  printf("%.0f\n", best);
  free(data);
  return 0;
}
