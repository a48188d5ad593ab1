/* Calls threads of the pool, admits them to a run, and has them meet: bounded spinning, then sleep. */
#include "crew.h"
#include "pool.h"
#include "sync.h"
#include "system.h"
#include "team.h"
#include "ticks.h"

enum {
  /* Of cache lines, two of which processors may fetch at once. */
  APART = 128,
  /* Of seats. AT_WORK: its thread has taken the job; CALLED_AGAIN: and a run has begun meanwhile; AWAITED: and the crew is being closed. */
  AT_REST = 0,
  QUEUED = 1,
  AT_WORK = 2,
  CALLED_AGAIN = 3,
  AWAITED = 4,
  /* Of a run: who applied for it is counted below this bit, its number stands above. */
  CLOSED = 1 << 15,
  RUN_SHIFT = 16,
  /* Of sets of processors: 8192 of them. */
  MASK_WORDS = 128,
};

/* A place for one thread of the pool. */
struct seat {
  /* The first member: the pool knows a seat by it. */
  struct glowplug_job job;
  struct view {
    /* The first member: generated code knows a view by it. */
    struct glowplug_team team;
    struct crew *crew;
    /* Where the part was last seen, -1 while it has none in a run; whether it moved in this one. */
    int processor, moved;
    /* The processors that its thread may run on, where it is kept from those of others; no bytes where it is not. */
    long mask_bytes;
    unsigned long mask[MASK_WORDS];
  } view;
  int state;
  /* The thread that came last, of which process. */
  int thread, process;
} __attribute__((aligned(APART)));

struct crew {
  struct seat *seats;
  unsigned long seat_count;
  /* Processors of this process, and its threads that compute. */
  long processors;
  int *busy;
  /* Of its mapping, in which seats and working storage stand behind it. */
  unsigned long mapped_bytes;
  /* Of the run under way. Written by the caller before it opens the door. */
  const struct glowplug_entry *entry;
  const struct memory *memory;
  char *region, *state;
  struct view caller;
  /* Ticks for which the caller has waited in it. */
  unsigned long waited;
  /* Runs that the caller is to do alone, and how many they were when it last had to. */
  unsigned alone, penalty;
  /* When the last run ended, and whether this one followed it closely: then its parts linger for another. */
  unsigned long ended;
  int closely;
  /* Where threads apply: the number of the run, whether it is closed, and how many have applied. */
  unsigned long door __attribute__((aligned(APART)));
  /* The number of the run and of its parts: a part is in when its own number is smaller. */
  unsigned long admitted;
  /* Where those begin that were admitted last. */
  unsigned step;
  /* What was brought to this meeting, and what came of the last: a part that is slow to leave one may still read the second. */
  int brought, fault;
  /* Parts that have come to this meeting. */
  unsigned arrived __attribute__((aligned(APART)));
  /* Meetings so far, and threads that sleep until the next. */
  int bell __attribute__((aligned(APART))), sleepers;
  /* Parts that have left the run, and whether the caller sleeps until the last does. */
  int left __attribute__((aligned(APART))), caller_sleeps;
};

/*
 * How long a thread spins before it sleeps. To fall asleep and be woken takes 20 to 50 microseconds: to wait in vain for as long costs at
 * most as much again, and layers are shorter.
 */
enum { SPIN_NANOSECONDS = 40000 };

/* The same between runs, and between which of them. */
enum { LINGER_NANOSECONDS = 100000 };

/* Whether more threads are at work than there are processors: then one that spins keeps another from what it waits for. */
static int crowded(const struct crew *crew) { return __atomic_load_n(crew->busy, __ATOMIC_RELAXED) > crew->processors; }

static int note_processor(struct view *view) {
  const int here = sched_getcpu();
  __atomic_store_n(&view->processor, here, __ATOMIC_RELAXED);
  return here;
}

static int seen_on(const struct view *view) { return __atomic_load_n(&view->processor, __ATOMIC_RELAXED); }

/* Whether another part was last seen on a processor. */
static int taken(const struct crew *crew, const struct view *view, int processor) {
  if (view != &crew->caller && seen_on(&crew->caller) == processor) return 1;
  for (unsigned long i = 0; i < crew->seat_count; i++)
    if (view != &crew->seats[i].view && seen_on(&crew->seats[i].view) == processor) return 1;
  return 0;
}

/* Narrows the processors that a thread, 0 for the calling one, may run on to those on which no part but `view`'s was seen. Returns the bytes of
 * `all`, which it may run on otherwise, or 0 where there is no other. */
static long narrow(const struct crew *crew, const struct view *view, int thread, unsigned long *all) {
  unsigned long others[MASK_WORDS];
  const long bytes = syscall(CALL_GET_AFFINITY, (long)thread, MASK_WORDS * sizeof *all, all);
  int any = 0;
  for (long i = 0; i < bytes / (long)sizeof *all; i++) {
    others[i] = 0;
    for (int bit = 0; bit < 64; bit++)
      if ((all[i] >> bit & 1) && !taken(crew, view, (int)(64 * i) + bit)) others[i] |= 1UL << bit, any = 1;
  }
  return any && syscall(CALL_SET_AFFINITY, (long)thread, bytes, others) == 0 ? bytes : 0;
}

/*
 * Moves the calling thread of the pool to a processor on which no part was seen, if it may run on one, and keeps it from theirs until it leaves
 * the crew. Two that take turns on one processor would stay there: neither runs long enough for the system to move it, nor is an idle one looked
 * for while the machine seems busy; and a thread that sleeps and is woken is often brought back to who woke it.
 */
static void move_apart(const struct crew *crew, struct view *view) {
  if (view->mask_bytes == 0) view->mask_bytes = narrow(crew, view, 0, view->mask);
}

/* Lets the calling thread run wherever it might before. */
static void roam(struct view *view) {
  if (view->mask_bytes > 0) syscall(CALL_SET_AFFINITY, 0L, view->mask_bytes, view->mask);
  view->mask_bytes = 0;
}

/*
 * Whether a part that waits keeps another from the processor. One of the pool's moves away then, once in a run; the caller's thread is the
 * program's and stays, and is to sleep.
 */
static int in_the_way(const struct crew *crew, struct view *view) {
  const int here = note_processor(view);
  if (here < 0 || !taken(crew, view, here)) return 0;
  if (view == &crew->caller || view->moved) return 1;
  view->moved = 1;
  /* The caller may have been moved meanwhile. */
  roam(view);
  move_apart(crew, view);
  note_processor(view);
  return 0;
}

/* Spins while `*word` is `value`, for a bounded time and unless that keeps others from running; returns whether the word has changed. */
static int spin(struct view *view, const int *word, int value, unsigned long nanoseconds) {
  const struct crew *const crew = view->crew;
  const unsigned long start = ticks(), limit = ticks_in(nanoseconds);
  for (unsigned i = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) == value; i++) {
    if (i % 16 == 0 && (ticks() - start > limit || crowded(crew))) return 0;
    if (i % 64 == 32 && in_the_way(crew, view)) return 0;
    pause_briefly();
  }
  return 1;
}

/* Returns when the bell has rung since it was read. */
static void wait_for_bell(struct view *view, int bell) {
  struct crew *const crew = view->crew;
  if (__atomic_load_n(&crew->bell, __ATOMIC_ACQUIRE) != bell || spin(view, &crew->bell, bell, SPIN_NANOSECONDS)) return;
  __atomic_add_fetch(&crew->sleepers, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&crew->bell, __ATOMIC_SEQ_CST) == bell) sleep_on(&crew->bell, bell);
  __atomic_sub_fetch(&crew->sleepers, 1, __ATOMIC_RELAXED);
}

/* The same for a part; of the caller it is known how long it waits. */
static void wait_as(struct view *view, int bell) {
  const int is_caller = view == &view->crew->caller;
  const unsigned long start = is_caller ? ticks() : 0;
  note_processor(view);
  wait_for_bell(view, bell);
  if (is_caller) view->crew->waited += ticks() - start;
}

static void ring(struct crew *crew) {
  __atomic_add_fetch(&crew->bell, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&crew->sleepers, __ATOMIC_SEQ_CST) > 0) wake_all(&crew->bell);
}

static void wait_for_parts(struct glowplug_team *team) {
  struct crew *const crew = ((struct view *)team)->crew;
  if (team->parts == 1) return;
  const int bell = __atomic_load_n(&crew->bell, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&crew->arrived, 1, __ATOMIC_ACQ_REL) != team->parts) {
    wait_as((struct view *)team, bell);
    return;
  }
  __atomic_store_n(&crew->arrived, 0, __ATOMIC_RELAXED);
  ring(crew);
}

/* By the last part to come to a meeting: all who have applied become parts. Returns whether anybody did. */
static int admit(struct crew *crew, unsigned long parts, unsigned step) {
  const unsigned long door = __atomic_load_n(&crew->door, __ATOMIC_RELAXED), applied = door & (CLOSED - 1);
  if (applied + 1 == parts) return 0;
  crew->step = step;
  __atomic_store_n(&crew->admitted, door >> RUN_SHIFT << RUN_SHIFT | (applied + 1), __ATOMIC_RELEASE);
  return 1;
}

static unsigned long parts_of(const struct crew *crew) {
  return __atomic_load_n(&crew->admitted, __ATOMIC_RELAXED) & ((1 << RUN_SHIFT) - 1);
}

static int meet(struct glowplug_team *team, unsigned step, int fault) {
  struct crew *const crew = ((struct view *)team)->crew;
  if (team->parts == 1) {
    /* Its fault ends the run: nobody else is to see it. */
    if (fault == 0 && admit(crew, 1, step)) {
      team->parts = parts_of(crew);
      ring(crew);
    }
    return fault;
  }
  if (fault != 0) __atomic_store_n(&crew->brought, fault, __ATOMIC_RELAXED);
  const int bell = __atomic_load_n(&crew->bell, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&crew->arrived, 1, __ATOMIC_ACQ_REL) == team->parts) {
    crew->fault = __atomic_load_n(&crew->brought, __ATOMIC_RELAXED);
    if (crew->fault == 0) admit(crew, team->parts, step);
    __atomic_store_n(&crew->arrived, 0, __ATOMIC_RELAXED);
    ring(crew);
  } else wait_as((struct view *)team, bell);
  team->parts = parts_of(crew);
  return crew->fault;
}

static int call_entry(const struct glowplug_entry *entry, const struct memory *memory, char *region, char *state,
                      struct glowplug_team *team) {
  if (entry->call_with_state) return entry->call_with_state(memory->constants, region, memory->activations, state, team);
  return entry->call(memory->constants, region, memory->activations, team);
}

static int call_part(const struct crew *crew, struct view *view) {
  return call_entry(crew->entry, crew->memory, crew->region, crew->state, &view->team);
}

/* Applies for the run that is open, if any, and takes part in it once admitted. */
static void take_part(struct crew *crew, struct view *view) {
  view->moved = 0;
  in_the_way(crew, view);
  int bell = __atomic_load_n(&crew->bell, __ATOMIC_ACQUIRE);
  unsigned long door = __atomic_fetch_add(&crew->door, 1, __ATOMIC_ACQ_REL);
  const unsigned long run = door >> RUN_SHIFT, part = (door & (CLOSED - 1)) + 1;
  while (!(door & CLOSED) && door >> RUN_SHIFT == run) {
    const unsigned long admitted = __atomic_load_n(&crew->admitted, __ATOMIC_ACQUIRE);
    if (admitted >> RUN_SHIFT == run && (admitted & ((1 << RUN_SHIFT) - 1)) > part) break;
    wait_for_bell(view, bell);
    bell = __atomic_load_n(&crew->bell, __ATOMIC_ACQUIRE);
    door = __atomic_load_n(&crew->door, __ATOMIC_ACQUIRE);
  }
  const unsigned long admitted = __atomic_load_n(&crew->admitted, __ATOMIC_ACQUIRE);
  if (admitted >> RUN_SHIFT != run || (admitted & ((1 << RUN_SHIFT) - 1)) <= part) return;
  view->team.part = part;
  view->team.parts = admitted & ((1 << RUN_SHIFT) - 1);
  view->team.step = crew->step;
  call_part(crew, view);
  __atomic_add_fetch(&crew->left, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&crew->caller_sleeps, __ATOMIC_SEQ_CST)) wake_one(&crew->left);
}

/*
 * Between runs that follow each other closely a thread spins for a while: to be woken takes longer. Not where others need the processor.
 * Returns when the seat is no longer just at work, or the time is over.
 */
static void linger(struct crew *crew, const struct seat *seat) {
  if (!__atomic_load_n(&crew->closely, __ATOMIC_RELAXED)) return;
  const unsigned long start = ticks(), limit = ticks_in(LINGER_NANOSECONDS);
  for (unsigned i = 0; __atomic_load_n(&seat->state, __ATOMIC_RELAXED) == AT_WORK; i++) {
    if (i % 16 == 0 && (ticks() - start > limit || __atomic_load_n(crew->busy, __ATOMIC_RELAXED) >= crew->processors)) return;
    pause_briefly();
  }
}

/* On a thread of the pool. The seat and its crew may be freed as soon as it is at rest; its address is only a number to the system. */
static void attend_seat(struct glowplug_job *job) {
  struct seat *const seat = (struct seat *)job;
  struct crew *const crew = seat->view.crew;
  __atomic_store_n(&seat->thread, (int)syscall(CALL_GET_THREAD), __ATOMIC_RELAXED);
  __atomic_store_n(&seat->process, getpid(), __ATOMIC_RELAXED);
  __atomic_store_n(&seat->state, AT_WORK, __ATOMIC_RELEASE);
  for (;;) {
    __atomic_add_fetch(crew->busy, 1, __ATOMIC_RELAXED);
    take_part(crew, &seat->view);
    __atomic_store_n(&seat->view.processor, -1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(crew->busy, 1, __ATOMIC_RELAXED);
    linger(crew, seat);
    int state = AT_WORK;
    if (__atomic_load_n(&seat->state, __ATOMIC_RELAXED) != CALLED_AGAIN) roam(&seat->view);
    if (__atomic_compare_exchange_n(&seat->state, &state, AT_REST, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return;
    if (state == AWAITED) {
      roam(&seat->view);
      __atomic_store_n(&seat->state, AT_REST, __ATOMIC_RELEASE);
      wake_one(&seat->state);
      return;
    }
    __atomic_store_n(&seat->state, AT_WORK, __ATOMIC_RELEASE);
  }
}

/* Asks the pool for threads; those who are still here from the run before are told that there is another. */
static void recruit(struct crew *crew) {
  const struct glowplug_pool *const pool = glowplug_shared_pool();
  for (unsigned long i = 0; i < crew->seat_count; i++) {
    struct seat *const seat = &crew->seats[i];
    int state = AT_WORK;
    if (__atomic_compare_exchange_n(&seat->state, &state, CALLED_AGAIN, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) continue;
    if (state != AT_REST) continue;
    __atomic_store_n(&seat->state, QUEUED, __ATOMIC_RELAXED);
    if (pool->submit(&seat->job) != 0) __atomic_store_n(&seat->state, AT_REST, __ATOMIC_RELAXED);
  }
}

/* Takes back what no thread has begun. */
static void dismiss(struct crew *crew) {
  for (unsigned long i = 0; i < crew->seat_count; i++) {
    struct seat *const seat = &crew->seats[i];
    if (__atomic_load_n(&seat->state, __ATOMIC_ACQUIRE) == QUEUED && glowplug_shared_pool()->withdraw(&seat->job))
      __atomic_store_n(&seat->state, AT_REST, __ATOMIC_RELAXED);
  }
}

/* Those who were called and do not come may have been woken to wait for this very processor: moves the threads that came the last time. */
static void send_away(const struct crew *crew) {
  enum { MOST = 8 };
  const int self = (int)syscall(CALL_GET_THREAD), process = getpid();
  for (unsigned long i = 0; i < crew->seat_count && i < MOST; i++) {
    const struct seat *const seat = &crew->seats[i];
    const int thread = __atomic_load_n(&seat->thread, __ATOMIC_RELAXED), state = __atomic_load_n(&seat->state, __ATOMIC_RELAXED);
    if (state != QUEUED && state != CALLED_AGAIN) continue;
    if (thread == self || __atomic_load_n(&seat->process, __ATOMIC_RELAXED) != process) continue;
    unsigned long all[MASK_WORDS];
    const long bytes = narrow(crew, &seat->view, thread, all);
    if (bytes > 0) syscall(CALL_SET_AFFINITY, (long)thread, bytes, all);
  }
}

/*
 * Waits for those who can be expected, as there are processors for them: to begin without them costs more than a little patience, unless
 * the whole run is short.
 */
static void gather_parts(struct crew *crew, unsigned long nanoseconds) {
  enum { PATIENCE_NANOSECONDS = 50000 };
  const long idle = crew->processors - __atomic_load_n(crew->busy, __ATOMIC_RELAXED), seats = (long)crew->seat_count;
  const long expected = idle < seats ? idle : seats;
  const unsigned long patience = nanoseconds / 8 < PATIENCE_NANOSECONDS ? nanoseconds / 8 : PATIENCE_NANOSECONDS;
  const unsigned long start = ticks(), limit = ticks_in(patience);
  int sent = 0;
  for (unsigned long passed; (long)(__atomic_load_n(&crew->door, __ATOMIC_RELAXED) & (CLOSED - 1)) < expected;) {
    if ((passed = ticks() - start) > limit) break;
    if (!sent && passed > limit / 2) sent = 1, send_away(crew);
    pause_briefly();
  }
  meet(&crew->caller.team, 0, 0);
}

/* Returns when all other parts have left the run. */
static void wait_for_leavers(struct crew *crew, int others) {
  const unsigned long start = ticks();
  for (int left; (left = __atomic_load_n(&crew->left, __ATOMIC_ACQUIRE)) != others;) {
    if (spin(&crew->caller, &crew->left, left, SPIN_NANOSECONDS)) continue;
    __atomic_store_n(&crew->caller_sleeps, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&crew->left, __ATOMIC_SEQ_CST) == left) sleep_on(&crew->left, left);
  }
  crew->waited += ticks() - start;
}

/*
 * After a run that took `total` ticks. Where another process has the processors, a part may lose its own in the middle of a kernel, and all
 * others wait for it: layer by layer that adds up to far more than the threads save. Alone the caller would have computed what all its parts
 * did: if it waited longer, it does the next runs alone, more of them each time that it has to.
 */
static void judge(struct crew *crew, unsigned long total) {
  enum { LONGEST_PENALTY = 15 };
  const unsigned long others = crew->caller.team.parts - 1, computed = total > crew->waited ? total - crew->waited : 0;
  crew->penalty = crew->waited <= others * computed ? 0 : crew->penalty < LONGEST_PENALTY ? 2 * crew->penalty + 1 : LONGEST_PENALTY;
  crew->alone = crew->penalty;
}

int glowplug_crew_run(struct crew *crew, const struct glowplug_entry *entry, const struct memory *memory, char *region, char *state) {
  if (crew->alone > 0) {
    crew->alone--;
    return glowplug_run_alone(entry, memory, region, state);
  }
  struct view *const caller = &crew->caller;
  const unsigned long run = (__atomic_load_n(&crew->door, __ATOMIC_RELAXED) >> RUN_SHIFT) + 1;
  crew->entry = entry;
  crew->memory = memory;
  crew->region = region;
  crew->state = state;
  crew->brought = 0;
  crew->left = 0;
  /* One that left the last run may still ask. */
  __atomic_store_n(&crew->caller_sleeps, 0, __ATOMIC_RELAXED);
  caller->team.parts = 1;
  note_processor(caller);
  __atomic_store_n(&crew->closely, ticks() - crew->ended < ticks_in(LINGER_NANOSECONDS), __ATOMIC_RELAXED);
  __atomic_add_fetch(crew->busy, 1, __ATOMIC_RELAXED);
  __atomic_store_n(&crew->admitted, run << RUN_SHIFT | 1, __ATOMIC_RELEASE);
  __atomic_store_n(&crew->door, run << RUN_SHIFT, __ATOMIC_RELEASE);
  recruit(crew);
  gather_parts(crew, entry->nanoseconds);
  crew->waited = 0;
  const unsigned long start = ticks();
  const int fault = call_part(crew, caller);
  const unsigned long door = __atomic_fetch_or(&crew->door, CLOSED, __ATOMIC_ACQ_REL);
  wait_for_leavers(crew, (int)caller->team.parts - 1);
  crew->ended = ticks();
  judge(crew, crew->ended - start);
  if ((door & (CLOSED - 1)) + 1 > caller->team.parts) ring(crew);
  dismiss(crew);
  __atomic_sub_fetch(crew->busy, 1, __ATOMIC_RELAXED);
  return fault;
}

static void nothing_to_wait_for(struct glowplug_team *team) { (void)team; }

static int own_fault(struct glowplug_team *team, unsigned step, int fault) {
  (void)team;
  (void)step;
  return fault;
}

int glowplug_run_alone(const struct glowplug_entry *entry, const struct memory *memory, char *region, char *state) {
  /* Nobody writes to it. */
  static struct glowplug_team alone = {.parts = 1, .wait = nothing_to_wait_for, .meet = own_fault};
  return call_entry(entry, memory, region, state, &alone);
}

struct crew *glowplug_crew_open(unsigned threads, unsigned long own) {
  const unsigned long seats = threads - 1, own_apart = (own + APART - 1) / APART * APART;
  const unsigned long bytes = sizeof(struct crew) + seats * (sizeof(struct seat) + own_apart);
  char *const mapping = mmap(0, bytes, PROTECTION_READ | PROTECTION_WRITE, MAP_OF_ITS_OWN | MAP_WITHOUT_FILE, -1, 0);
  if (mapping == (char *)-1) return 0;
  struct crew *const crew = (struct crew *)mapping;
  crew->mapped_bytes = bytes;
  crew->seats = (struct seat *)(mapping + sizeof *crew);
  crew->seat_count = seats;
  crew->processors = (long)glowplug_shared_pool()->threads();
  crew->busy = glowplug_busy();
  crew->door = CLOSED;
  crew->caller.team = (struct glowplug_team){.wait = wait_for_parts, .meet = meet};
  crew->caller.crew = crew;
  crew->caller.processor = -1;
  for (unsigned long i = 0; i < seats; i++) {
    crew->seats[i].job.work = attend_seat;
    crew->seats[i].view = crew->caller;
    crew->seats[i].view.team.own = (char *)(crew->seats + seats) + i * own_apart;
  }
  return crew;
}

void glowplug_crew_close(struct crew *crew) {
  if (!crew) return;
  for (unsigned long i = 0; i < crew->seat_count; i++) {
    int *const state = &crew->seats[i].state;
    for (int seen; (seen = __atomic_load_n(state, __ATOMIC_ACQUIRE)) != AT_REST;) {
      /* A thread that has just taken the job will say so. */
      if (seen == QUEUED) dismiss(crew), pause_briefly();
      else if (seen == AWAITED) sleep_on(state, AWAITED);
      else __atomic_compare_exchange_n(state, &seen, AWAITED, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
  }
  munmap(crew, crew->mapped_bytes);
}
