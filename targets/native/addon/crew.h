/*
 * The threads that run the entries of one instance together: the caller, and those of the pool that come. Where a run finds parts absent it
 * begins without them; who comes later joins where the parts meet. Nobody ever waits for a thread that has not come, so that teams of
 * several instances, on a pool smaller than all of them together, cannot wait for each other.
 */
#ifndef GLOWPLUG_CREW_H
#define GLOWPLUG_CREW_H

#include "code.h"
#include "memory.h"

enum { CREW_THREADS = 64 };

struct crew;

/*
 * For up to `threads` threads, of 2 to CREW_THREADS, each but the caller with `own` bytes of working storage. 0 without memory. Starts none
 * and takes none from the pool: a run does.
 */
struct crew *glowplug_crew_open(unsigned threads, unsigned long own);

/*
 * Runs an entry on the calling thread and whoever comes; returns its fault when all have left it. One run of a crew at a time. `state` is 0 where
 * there is none.
 */
int glowplug_crew_run(struct crew *, const struct glowplug_entry *, const struct memory *, char *region, char *state);

/* After the last run. Waits for those that came too late for it, who leave at once. 0 is no crew. */
void glowplug_crew_close(struct crew *);

/* The same by the calling thread alone. */
int glowplug_run_alone(const struct glowplug_entry *, const struct memory *, char *region, char *state);

#endif
