/* What the code of an entry knows of the threads that run it together: all of them call its function, each with a view of its own. */
#ifndef GLOWPLUG_TEAM_H
#define GLOWPLUG_TEAM_H
/* One of the threads that run an entry together, as it sees itself. */
struct glowplug_team {
  /* Its number, and how many there are: both stay as they are while a kernel runs. Part 0 is the caller of the entry. */
  unsigned long part, parts;
  /* Working storage of its own, 64-byte aligned; unused by part 0, whose own lies among the activations. */
  char *own;
  /* The step at which it begins. */
  unsigned step;
  /* Returns when all parts have called it: what each did before is seen by all. */
  void (*wait)(struct glowplug_team *);
  /*
   * The same between kernels, for the step that follows: parts may have been added when it returns, so that the numbers change. Returns
   * the largest fault that any part brought; 0 is none.
   */
  int (*meet)(struct glowplug_team *, unsigned step, int fault);
};
#endif
