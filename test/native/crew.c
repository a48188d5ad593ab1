/*
 * Exercises the threads of a run alone, on a pool of as many threads as the second word says. `stress`, `times`; `stress` says nothing and
 * returns 0 when all is right.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "pool.h"
#include "processors.h"
#include "team.h"

static unsigned processors;
unsigned glowplug_processors(const char *root) {
  (void)root;
  return processors;
}

enum { STEPS = 12, WIDTH = 997, CALLERS = 4, RUNS = 1500, OWN = 256 };

struct rows {
  unsigned cells[STEPS + 1][WIDTH];
  /* The step whose check fails, and what it gives. */
  unsigned fails_at;
  /* Most parts that were seen; at which steps a part began. */
  unsigned long most, begun[STEPS];
  char own[OWN];
};

static long share(long steps, unsigned long part, unsigned long parts) {
  return (long)(((unsigned long)steps * part + parts - 1) / parts);
}

/* A step reads what other parts have written in the one before: from the other end. */
static void fill(struct rows *rows, unsigned step, long from, long to) {
  for (long i = from; i < to; i++) rows->cells[step + 1][i] = rows->cells[step][WIDTH - 1 - i] * 3 + step + (unsigned)i;
}

static void expect(struct rows *rows) {
  for (unsigned step = 0; step < STEPS; step++) fill(rows, step, 0, WIDTH);
}

/* Now and then a kernel is long, so that others sleep, or join. */
static void dawdle(unsigned step, unsigned run) {
  if ((step * 7 + run * 13) % 97 == 0) usleep(300);
}

static unsigned fault_of(const struct rows *rows, unsigned step) { return rows->fails_at == step + 1 ? step + 1 : 0; }

/* As generated code: divided steps, steps of part 0, a step in two phases with storage of its own, checked steps. */
static int entry(char *constants, char *mutable, char *activations, struct glowplug_team *team) {
  struct rows *const rows = (struct rows *)mutable;
  char *const own = team->part == 0 ? rows->own : team->own;
  (void)constants;
  (void)activations;
  __atomic_add_fetch(&rows->begun[team->step], 1, __ATOMIC_RELAXED);
  for (unsigned step = 0; step < STEPS; step++) {
    if (team->step > step) continue;
    int fault = 0;
    if (step % 4 == 1) {
      if (team->part == 0) fill(rows, step, 0, WIDTH), fault = (int)fault_of(rows, step);
    } else if (step % 4 == 2) {
      memset(own, (int)team->part, OWN);
      const long half = WIDTH / 2;
      fill(rows, step, share(half, team->part, team->parts), share(half, team->part + 1, team->parts));
      team->wait(team);
      fill(rows, step, half + share(WIDTH - half, team->part, team->parts), half + share(WIDTH - half, team->part + 1, team->parts));
      for (int i = 0; i < OWN; i++)
        if (own[i] != (char)team->part) abort();
    } else {
      fill(rows, step, share(WIDTH, team->part, team->parts), share(WIDTH, team->part + 1, team->parts));
    }
    if (team->part == 0) dawdle(step, rows->cells[0][0]);
    if (team->parts > __atomic_load_n(&rows->most, __ATOMIC_RELAXED)) __atomic_store_n(&rows->most, team->parts, __ATOMIC_RELAXED);
    if (step + 1 == STEPS) return 0;
    if ((fault = team->meet(team, step + 1, fault)) != 0) return fault;
  }
  return 0;
}

static const struct glowplug_entry entries[] = {{entry, 0, 0, 0, OWN, 100000, 0, 0}};
static const struct memory memory;

struct caller {
  struct glowplug_job job;
  unsigned number, rounds;
  int done;
};

static unsigned long most;

/* Runs of a crew, which is made anew from time to time, so that some come too late. */
static void run_many(struct caller *caller) {
  struct rows *const rows = calloc(2, sizeof *rows), *const expected = rows + 1;
  struct crew *crew = 0;
  for (unsigned run = 0; run < caller->rounds; run++) {
    if (run % 50 == 0) {
      glowplug_crew_close(crew);
      crew = glowplug_crew_open(2 + (run / 50 + caller->number) % 4, OWN);
    }
    const unsigned seed = run * 2654435761u + caller->number;
    for (unsigned i = 0; i < WIDTH; i++) rows->cells[0][i] = expected->cells[0][i] = (seed + i) * 2246822519u;
    rows->fails_at = run % 5 == 0 ? 2 : run % 7 == 0 ? 10 : 0;
    expect(expected);
    const int fault = glowplug_crew_run(crew, entries, &memory, (char *)rows, 0);
    if ((unsigned)fault != rows->fails_at) {
      fprintf(stderr, "run %u of %u gave %d, not %u\n", run, caller->number, fault, rows->fails_at);
      exit(1);
    }
    const size_t known = fault ? rows->fails_at * sizeof *rows->cells : sizeof rows->cells;
    if (memcmp(rows->cells, expected->cells, known) != 0) {
      fprintf(stderr, "run %u of %u has wrong cells\n", run, caller->number);
      exit(1);
    }
    if (run % 11 == 0) usleep(200);
  }
  glowplug_crew_close(crew);
  if (rows->most > __atomic_load_n(&most, __ATOMIC_RELAXED)) __atomic_store_n(&most, rows->most, __ATOMIC_RELAXED);
  free(rows);
  __atomic_store_n(&caller->done, 1, __ATOMIC_RELEASE);
}

static void *on_thread(void *data) {
  run_many(data);
  return 0;
}

static void on_pool(struct glowplug_job *job) { run_many((struct caller *)job); }

/* Callers on threads of their own and on those of the pool, all of which share it. */
static int stress(unsigned rounds) {
  static struct caller callers[CALLERS];
  pthread_t threads[CALLERS];
  for (unsigned i = 0; i < CALLERS; i++) {
    callers[i].number = i;
    callers[i].rounds = rounds;
    callers[i].job.work = on_pool;
    if (i % 2 == 0) pthread_create(&threads[i], 0, on_thread, &callers[i]);
    else if (glowplug_shared_pool()->submit(&callers[i].job) != 0) abort();
  }
  for (unsigned i = 0; i < CALLERS; i += 2) pthread_join(threads[i], 0);
  for (unsigned i = 1; i < CALLERS; i += 2)
    while (!__atomic_load_n(&callers[i].done, __ATOMIC_ACQUIRE)) usleep(1000);
  /* Alone it has all threads to itself. */
  callers[0].done = 0;
  run_many(&callers[0]);
  if (most < 2) {
    fprintf(stderr, "no run was ever divided\n");
    return 1;
  }
  return *glowplug_busy();
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int nothing(char *constants, char *mutable, char *activations, struct glowplug_team *team) {
  (void)constants;
  (void)mutable;
  (void)activations;
  for (unsigned i = 0; i < 1000; i++)
    if (team->step <= i) team->meet(team, i + 1, 0);
  *(unsigned long *)mutable = team->parts;
  return 0;
}

/* Prints what a meeting and a run cost; for people. */
static int times(void) {
  static const struct glowplug_entry none = {nothing, 0, 0, 0, 0, 1000000, 0, 0};
  struct crew *const crew = glowplug_crew_open(processors, 0);
  unsigned long parts = 0;
  double least = 1;
  for (int i = 0; i < 2000; i++) {
    const double start = seconds();
    glowplug_crew_run(crew, &none, &memory, (char *)&parts, 0);
    const double taken = seconds() - start;
    if (parts == processors && taken < least) least = taken;
    if (i % 20 == 0) usleep(500);
  }
  printf("a run with 1000 meetings of %u: %.1f us\n", processors, least * 1e6);
  glowplug_crew_close(crew);
  return 0;
}

int main(int count, char **words) {
  processors = count > 2 ? (unsigned)atoi(words[2]) : 2;
  if (count > 1 && strcmp(words[1], "times") == 0) return times();
  return stress(count > 3 ? (unsigned)atoi(words[3]) : RUNS);
}
