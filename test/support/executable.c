/*
 * Runs generated code once as a program of its own, by one thread or by PARTS of them. Standard input: five counts (bytes of constants, of inputs and outputs, of
 * activations; holes; 0), then the holes as (region, offset, bytes), then constants, then inputs and outputs. Standard output: the
 * fault, then inputs and outputs. Regions are allocated to the byte; with an address sanitizer no hole may be touched.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PARTS
/* PARTS threads run the entry as a team, each with OWN_BYTES of working storage of its own. */
#include <pthread.h>
#include "team.h"

int entry(char *constants, char *mutable, char *activations, struct glowplug_team *team);

static pthread_barrier_t barrier;
static int faults[PARTS];
static char **team_regions;

static void team_wait(struct glowplug_team *team) {
  (void)team;
  pthread_barrier_wait(&barrier);
}

static int team_meet(struct glowplug_team *team, unsigned step, int fault) {
  (void)step;
  faults[team->part] = fault;
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < PARTS; i++) fault = faults[i] > fault ? faults[i] : fault;
  pthread_barrier_wait(&barrier);
  return fault;
}

static void *team_run(void *given) {
  struct glowplug_team *team = given;
  faults[team->part] = entry(team_regions[0], team_regions[1], team_regions[2], team);
  return 0;
}

static char *reserve(size_t bytes);

static int run_entry(char **regions) {
  pthread_t threads[PARTS];
  struct glowplug_team teams[PARTS];
  team_regions = regions;
  pthread_barrier_init(&barrier, 0, PARTS);
  for (int i = 0; i < PARTS; i++) {
    char *own = i == 0 ? 0 : reserve(OWN_BYTES);
    if (own) memset(own, 0xa5, OWN_BYTES);
    teams[i] = (struct glowplug_team){i, PARTS, own, 0, team_wait, team_meet};
    if (i > 0 && pthread_create(&threads[i], 0, team_run, &teams[i]) != 0) exit(6);
  }
  team_run(&teams[0]);
  for (int i = 1; i < PARTS; i++) pthread_join(threads[i], 0), free(teams[i].own);
  return faults[0];
}
#else
int entry(char *constants, char *mutable, char *activations);

static int run_entry(char **regions) { return entry(regions[0], regions[1], regions[2]); }
#endif

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESSES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESSES 1
#endif
#endif
#ifdef ADDRESSES
void __asan_poison_memory_region(void const volatile *from, size_t bytes);
void __asan_unpoison_memory_region(void const volatile *from, size_t bytes);
#else
#define __asan_poison_memory_region(from, bytes) (void)0
#define __asan_unpoison_memory_region(from, bytes) (void)0
#endif

static void get(void *to, size_t bytes) {
  if (bytes > 0 && fread(to, 1, bytes, stdin) != bytes) exit(9);
}

static char *reserve(size_t bytes) {
  void *region = 0;
  if (posix_memalign(&region, 64, bytes) != 0) exit(8);
  return region;
}

int main(void) {
  uint64_t counts[5];
  get(counts, sizeof counts);
  char *regions[3];
  for (int i = 0; i < 3; i++) regions[i] = reserve(counts[i]);
  uint64_t(*holes)[3] = malloc((counts[3] + 1) * sizeof *holes);
  get(holes, counts[3] * sizeof *holes);
  get(regions[0], counts[0]);
  get(regions[1], counts[1]);
#ifndef UNINITIALISED
  memset(regions[2], 0xa5, counts[2]);
#endif
  char *given = malloc(counts[0] + 1);
  memcpy(given, regions[0], counts[0]);
  for (uint64_t i = 0; i < counts[3]; i++) __asan_poison_memory_region(regions[holes[i][0]] + holes[i][1], holes[i][2]);
  const int64_t fault = run_entry(regions);
  for (uint64_t i = 0; i < counts[3]; i++) __asan_unpoison_memory_region(regions[holes[i][0]] + holes[i][1], holes[i][2]);
  if (memcmp(given, regions[0], counts[0]) != 0) {
    fputs("the constants have changed\n", stderr);
    return 7;
  }
  fwrite(&fault, sizeof fault, 1, stdout);
  fwrite(regions[1], 1, counts[1], stdout);
  for (int i = 0; i < 3; i++) free(regions[i]);
  free(given);
  free(holes);
  return 0;
}
