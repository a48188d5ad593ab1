#ifndef GLOWPLUG_PROCESSORS_H
#define GLOWPLUG_PROCESSORS_H

/*
 * How many processors this process may use at once, at least 1: those it may run on, and no more than its control groups and those
 * around them grant in time, rounded up. `root` stands before the paths of /proc and /sys; "" but in tests.
 */
unsigned glowplug_processors(const char *root);

#endif
