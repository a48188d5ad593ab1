/* Exercises the thread pool alone. `stress`, `closely`, `order`, `fork`, or `processors ROOT`; says nothing and returns 0 when all is right. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"
#include "processors.h"

enum { SUBMITTERS = 4, JOBS = 20000 };

struct task {
  struct glowplug_job job;
  int number, runs;
};

static struct task tasks[SUBMITTERS][JOBS];
static int finished;

static void count(struct glowplug_job *job) {
  struct task *task = (struct task *)job;
  __atomic_add_fetch(&task->runs, 1, __ATOMIC_RELAXED);
  __atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
}

static void wait_for(int number) {
  for (int i = 0; __atomic_load_n(&finished, __ATOMIC_ACQUIRE) < number; i++) {
    if (i > 100000) {
      fprintf(stderr, "%d of %d jobs finished\n", finished, number);
      exit(1);
    }
    usleep(200);
  }
}

static int withdrawn;

static void *submit_all(void *data) {
  struct task *own = data;
  const struct glowplug_pool *pool = glowplug_shared_pool();
  for (int i = 0; i < JOBS; i++) {
    own[i].job.work = count;
    if (pool->submit(&own[i].job) != 0) abort();
    if (i % 3 == 0 && pool->withdraw(&own[i].job)) {
      own[i].runs++;
      __atomic_add_fetch(&withdrawn, 1, __ATOMIC_RELAXED);
    }
    /* From time to time all threads come to rest. */
    if (i % 500 == 0) usleep(300);
  }
  return 0;
}

static int stress(void) {
  pthread_t threads[SUBMITTERS];
  for (int i = 0; i < SUBMITTERS; i++) pthread_create(&threads[i], 0, submit_all, tasks[i]);
  for (int i = 0; i < SUBMITTERS; i++) pthread_join(threads[i], 0);
  wait_for(SUBMITTERS * JOBS - withdrawn);
  for (int i = 0; i < SUBMITTERS; i++)
    for (int k = 0; k < JOBS; k++)
      if (tasks[i][k].runs != 1) {
        fprintf(stderr, "job %d of %d ran %d times\n", k, i, tasks[i][k].runs);
        return 1;
      }
  return 0;
}

/* Each job a moment after the one before has ended: while a thread looks for it, as it stops looking, or when it sleeps. */
static int closely(void) {
  for (int i = 0; i < JOBS; i++) {
    tasks[0][i].job.work = count;
    if (glowplug_shared_pool()->submit(&tasks[0][i].job) != 0) abort();
    for (long turns = 0; __atomic_load_n(&finished, __ATOMIC_ACQUIRE) <= i; turns++)
      if (turns > 1000) usleep(10);
    for (volatile int wait = 0; wait < i % 50 * 1000; wait += 1) {
    }
  }
  for (int i = 0; i < JOBS; i++)
    if (tasks[0][i].runs != 1) {
      fprintf(stderr, "job %d ran %d times\n", i, tasks[0][i].runs);
      return 1;
    }
  return 0;
}

static void in_order(struct glowplug_job *job) {
  struct task *task = (struct task *)job;
  if (task->number != finished) {
    fprintf(stderr, "job %d ran after %d\n", task->number, finished);
    exit(1);
  }
  /* Later jobs pile up behind the first. */
  if (task->number == 0) usleep(20000);
  __atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
}

/* Where there is one thread. */
static int order(void) {
  if (glowplug_shared_pool()->threads() != 1) return 2;
  for (int i = 0; i < 1000; i++) {
    tasks[0][i] = (struct task){.job = {.work = in_order}, .number = i};
    glowplug_shared_pool()->submit(&tasks[0][i].job);
  }
  wait_for(1000);
  return 0;
}

static int after_fork(void) {
  tasks[0][0].job.work = count;
  tasks[0][1].job.work = count;
  glowplug_shared_pool()->submit(&tasks[0][0].job);
  wait_for(1);
  const int child = fork();
  if (child == 0) {
    glowplug_shared_pool()->submit(&tasks[0][1].job);
    wait_for(2);
    _exit(tasks[0][1].runs == 1 ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  return status != 0;
}

int main(int count_of_arguments, char **arguments) {
  const char *mode = count_of_arguments > 1 ? arguments[1] : "";
  if (strcmp(mode, "stress") == 0) return stress();
  if (strcmp(mode, "closely") == 0) return closely();
  if (strcmp(mode, "order") == 0) return order();
  if (strcmp(mode, "fork") == 0) return after_fork();
  if (strcmp(mode, "processors") == 0 && count_of_arguments > 2) return printf("%u\n", glowplug_processors(arguments[2])) < 0;
  return 2;
}
