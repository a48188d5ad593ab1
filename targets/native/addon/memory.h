#ifndef GLOWPLUG_MEMORY_H
#define GLOWPLUG_MEMORY_H

/* The regions of an instance that are not its caller's. All zero: nothing is held. */
struct memory {
  char *constants, *activations;
  unsigned long constant_bytes, activation_bytes;
  void *mapping;
  unsigned long mapped_bytes;
};

enum { MEMORY_OK = 0, MEMORY_SYSTEM = 1, MEMORY_SIZE = 2, MEMORY_EXHAUSTED = 3 };

/*
 * Maps `bytes` bytes from `offset` of a file read-only, if the file has `file_bytes` bytes, and reserves `activations` zeros.
 * `bytes` and `offset` lie within the file. MEMORY_SYSTEM sets `detail` to errno, MEMORY_SIZE to the size found. Holds nothing when it fails.
 */
int glowplug_memory_open(struct memory *, const char *path, unsigned long file_bytes, unsigned long offset, unsigned long bytes,
                         unsigned long activations, unsigned long *detail);

/* Does nothing when nothing is held. */
void glowplug_memory_close(struct memory *);

#endif
