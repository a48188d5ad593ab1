#ifndef GLOWPLUG_SHARED_H
#define GLOWPLUG_SHARED_H

/* A file of so many zeros, which take memory as they are touched, and which never changes its size. Returns its descriptor, or -1. */
int glowplug_shared_make(unsigned long bytes, unsigned long *detail);

/* Maps `bytes` bytes, not none, of a file from `offset`, a multiple of 65536. Returns 0 and sets `detail` to errno where it cannot. */
void *glowplug_shared_map(int file, unsigned long offset, unsigned long bytes, int writable, unsigned long *detail);

void glowplug_shared_unmap(void *, unsigned long bytes);

/* From now on the system kills this process when the thread that made it ends. Returns -1 where that is not so. */
int glowplug_end_with_parent(int parent);

#endif
