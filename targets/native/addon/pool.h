/*
 * The thread pool that all addons of a process share. Each brings one; all use that of the addon loaded first, which they find by the
 * name of its table. What stands here is therefore a border between addons built years apart: members are only ever added at the end,
 * under a larger `bytes`; what cannot be so extended becomes a new table, `glowplug_pool_v2`, beside this one.
 */
#ifndef GLOWPLUG_POOL_H
#define GLOWPLUG_POOL_H

/* Work for one thread. Belongs to whoever submits it, who also keeps it in place until `work` is called or it was withdrawn. */
struct glowplug_job {
  struct glowplug_job *next;
  /* Called once on a thread of the pool, which does not touch the job afterwards: it may be submitted again or freed. */
  void (*work)(struct glowplug_job *);
};

struct glowplug_pool {
  /* 1 */
  unsigned version;
  /* Of this structure. */
  unsigned bytes;
  /* Queues a job; jobs start in the order of their submission. Returns 0, or an error number where not one thread can be started. */
  int (*submit)(struct glowplug_job *);
  /* Takes a job out of the queue if no thread has it yet; returns whether it did. */
  int (*withdraw)(struct glowplug_job *);
  /* Threads at most. */
  unsigned (*threads)(void);
  /*
   * Threads that compute at present, whether the pool's or a program's: those who wait for each other do not spin while there are more of
   * them than processors. Tables of fewer bytes end before it.
   */
  int *busy;
};

/* This addon's own. */
extern const struct glowplug_pool glowplug_pool_v1;

/* That of the process. */
const struct glowplug_pool *glowplug_shared_pool(void);

/* Its `busy`, or a count of this addon alone where the pool is one that has none. */
int *glowplug_busy(void);

#endif
