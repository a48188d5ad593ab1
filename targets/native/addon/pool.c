/*
 * Threads that sleep until there is a job. They start one by one, when a job finds no other at rest, and end with the process. Where jobs
 * follow each other closely, one of them looks for the next for a moment before it sleeps.
 */
#include "pool.h"
#include "processors.h"
#include "sync.h"
#include "system.h"
#include "ticks.h"

enum {
  /* Kernels keep what is large in their activations. */
  STACK_BYTES = 1 << 20,
  /*
   * For how long a thread looks for a job before it sleeps. To be woken takes 20 to 50 microseconds, more than small kernels do: to look in
   * vain for as long costs at most as much again.
   */
  LOOK_NANOSECONDS = 60000,
};

static struct {
  /* Guards all members but `wakes`. */
  int lock;
  struct glowplug_job *first, **end;
  /* At most, 0 before the first job; running; and of these, at rest and not yet called upon. */
  unsigned limit, threads, resting;
  /* Of those running, the one that looks for a job, 0 or 1; and jobs in the queue, which it sees without the lock. */
  unsigned looking, queued;
  /* When a thread last found nothing to do, and whether a job came soon after. */
  unsigned long idle_since;
  int closely;
  /* Calls that threads at rest have not yet heeded. They sleep on this. */
  int wakes;
  /* Whose threads these are: a fork has none of them. */
  int process;
  /* See the table. Nothing here reads it. */
  int busy;
} pool;

/* Sleeps until called upon. */
static void rest(void) {
  for (;;) {
    int calls = __atomic_load_n(&pool.wakes, __ATOMIC_RELAXED);
    if (calls == 0) sleep_on(&pool.wakes, 0);
    else if (__atomic_compare_exchange_n(&pool.wakes, &calls, calls - 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  }
}

/* Under the lock. */
static struct glowplug_job *take(void) {
  struct glowplug_job *const job = pool.first;
  if (!job) return 0;
  if (!(pool.first = job->next)) pool.end = &pool.first;
  __atomic_store_n(&pool.queued, pool.queued - 1, __ATOMIC_RELAXED);
  return job;
}

/* Until there is a job or the time is over, or somebody else needs the processor. */
static void look(void) {
  const unsigned long start = ticks(), limit = ticks_in(LOOK_NANOSECONDS);
  for (unsigned i = 0; __atomic_load_n(&pool.queued, __ATOMIC_RELAXED) == 0; i++) {
    if (i % 16 == 0 && (ticks() - start > limit || __atomic_load_n(&pool.busy, __ATOMIC_RELAXED) >= (int)pool.limit)) return;
    pause_briefly();
  }
}

/* Whether it pays to look: there is a processor for who looks, one for whoever submits, and one for each thread that has a job. */
static int may_look(void) {
  const unsigned others = pool.threads - pool.resting - 1;
  return pool.closely && !pool.looking && others + 2 <= pool.limit;
}

/* The next job, or none after having looked for one; whoever gets none is at rest. */
static struct glowplug_job *next(void) {
  lock(&pool.lock);
  struct glowplug_job *job = take();
  if (!job) {
    pool.idle_since = ticks();
    if (may_look()) {
      pool.looking = 1;
      unlock(&pool.lock);
      look();
      lock(&pool.lock);
      pool.looking = 0;
      job = take();
    }
  }
  if (!job) pool.resting++;
  unlock(&pool.lock);
  return job;
}

static void *attend(void *unused) {
  (void)unused;
  syscall(CALL_PRCTL, (long)PROCESS_SET_NAME, "glowplug", 0L, 0L, 0L);
  for (;;) {
    struct glowplug_job *const job = next();
    if (job) job->work(job);
    else rest();
  }
  return 0;
}

/* Signals are for the threads of the program: a thread inherits the mask of the one that starts it. */
static int start_thread(void) {
  struct thread_attributes attributes;
  struct signal_set all, before;
  unsigned long thread;
  memset(&all, 0xff, sizeof all);
  int error = pthread_attr_init(&attributes);
  if (error) return error;
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_attr_setdetachstate(&attributes, THREAD_DETACHED);
  pthread_sigmask(SIGNALS_SET, &all, &before);
  error = pthread_create(&thread, &attributes, attend, 0);
  pthread_sigmask(SIGNALS_SET, &before, 0);
  pthread_attr_destroy(&attributes);
  return error;
}

/* A fork has the memory of the pool and none of its threads, and of all threads only the one that forked: it begins anew. */
static void begin(void) {
  const int process = getpid();
  if (__atomic_load_n(&pool.process, __ATOMIC_ACQUIRE) == process) return;
  static int beginning;
  if (__atomic_load_n(&pool.process, __ATOMIC_RELAXED) != 0) beginning = 0;
  lock(&beginning);
  if (pool.process != process) {
    pool.lock = pool.wakes = pool.busy = 0;
    pool.first = 0;
    pool.end = &pool.first;
    pool.threads = pool.resting = pool.looking = pool.queued = 0;
    pool.closely = 0;
    pool.limit = glowplug_processors("");
    __atomic_store_n(&pool.process, process, __ATOMIC_RELEASE);
  }
  unlock(&beginning);
}

static int submit(struct glowplug_job *job) {
  int error = 0, call = 0;
  begin();
  lock(&pool.lock);
  pool.closely = ticks() - pool.idle_since < ticks_in(LOOK_NANOSECONDS);
  if (pool.looking > pool.queued) {
    /* It sees the job, or finds it when it stops looking. */
  } else if (pool.resting > 0) {
    pool.resting--;
    call = 1;
  } else if (pool.threads < pool.limit) {
    error = start_thread();
    if (!error) pool.threads++;
    /* Fewer threads than wished for will do. */
    else if (pool.threads > 0) error = 0;
  }
  if (!error) {
    job->next = 0;
    *pool.end = job;
    pool.end = &job->next;
    __atomic_store_n(&pool.queued, pool.queued + 1, __ATOMIC_RELAXED);
  }
  unlock(&pool.lock);
  if (call) {
    __atomic_add_fetch(&pool.wakes, 1, __ATOMIC_RELEASE);
    wake_one(&pool.wakes);
  }
  return error;
}

static int withdraw(struct glowplug_job *job) {
  int found = 0;
  begin();
  lock(&pool.lock);
  for (struct glowplug_job **place = &pool.first; *place; place = &(*place)->next)
    if (*place == job) {
      *place = job->next;
      if (!*place) pool.end = place;
      __atomic_store_n(&pool.queued, pool.queued - 1, __ATOMIC_RELAXED);
      found = 1;
      break;
    }
  unlock(&pool.lock);
  return found;
}

static unsigned threads(void) {
  begin();
  return pool.limit;
}

__attribute__((visibility("default"))) const struct glowplug_pool glowplug_pool_v1 = {
  1, sizeof(struct glowplug_pool), submit, withdraw, threads, &pool.busy,
};
