#ifndef GLOWPLUG_CHECKSUM_H
#define GLOWPLUG_CHECKSUM_H

/* Begins with zeros. */
struct checksum {
  unsigned lanes[16];
};

/* Takes in so many bytes: multiples of 64, but for the last time, where zeros are thought behind them. */
void glowplug_checksum_add(struct checksum *, const char *bytes, unsigned long count);

#endif
