/* What generated code gives to the addon it is linked with. Stands at the end of that code and in the addon. */
#ifndef GLOWPLUG_CODE_H
#define GLOWPLUG_CODE_H

struct glowplug_team;

struct glowplug_entry {
  /* Returns 0, or the number of a fault. All threads of a team call it. */
  int (*call)(char *constants, char *mutable, char *activations, struct glowplug_team *team);
  /* Bytes of each region. */
  unsigned long constants, mutable, activations;
  /* Bytes of working storage that each thread but the first needs for itself. */
  unsigned long own;
  /* What the work that threads can divide takes one of them, about; 0 where none is worth calling. */
  unsigned long nanoseconds;
  /* In place of `call` where the model has state. */
  int (*call_with_state)(char *constants, char *mutable, char *activations, char *state, struct glowplug_team *team);
  /* Bytes of the state that the entry must be given; 0 where it touches none. */
  unsigned long state;
};

/* In the order of the manifest. */
extern const struct glowplug_entry glowplug_entries[];
extern const unsigned glowplug_entry_count;
/* What the processor must have to run it, as names from extensions.c, each followed by a space. */
extern const char glowplug_needs[];

#endif
