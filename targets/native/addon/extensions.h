#ifndef GLOWPLUG_EXTENSIONS_H
#define GLOWPLUG_EXTENSIONS_H

/*
 * The first of the given names, each followed by a space, that this processor or its operating system lacks: its length is returned, and
 * its start through `missing`. 0 when nothing is lacking.
 */
unsigned long glowplug_first_lacking(const char *names, const char **missing);

#endif
