/* How many threads make sense: in a container with half a processor of a machine with 64, one. */
#include "processors.h"
#include "system.h"

enum { TEXT_BYTES = 4096 };

/* Reads the start of a file; its length, 0 when there is none. */
static size read_text(const char *path, char text[TEXT_BYTES]) {
  size length = 0;
  const int file = open(path, OPEN_CLOSE_ON_EXEC);
  if (file >= 0) {
    for (long count = 1; count > 0 && length < TEXT_BYTES - 1; length += count > 0 ? (size)count : 0)
      count = read(file, text + length, TEXT_BYTES - 1 - length);
    close(file);
  }
  text[length] = 0;
  return length;
}

/* Joins parts to a path; returns 0 when it becomes too long. */
static int join(char path[PATH_BYTES], const char *const parts[], size count) {
  size used = 0;
  for (size i = 0; i < count; i++) {
    const size length = strlen(parts[i]);
    if (used + length >= PATH_BYTES) return 0;
    memcpy(path + used, parts[i], length);
    used += length;
  }
  path[used] = 0;
  return 1;
}

/* A decimal number at the text, which is moved behind it; -1 when there is none. */
static long number(const char **text) {
  long value = -1;
  while (**text == ' ') ++*text;
  for (; **text >= '0' && **text <= '9' && value < 1L << 50; ++*text) value = (value < 0 ? 0 : value * 10) + (**text - '0');
  return value;
}

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* Time of processors per time, rounded up. */
static unsigned share(long quota, long period) {
  if (quota <= 0 || period <= 0) return ~0u;
  const long processors = (quota + period - 1) / period;
  return processors < 65536 ? (unsigned)processors : ~0u;
}

/* What the group in a folder grants: `cpu.max` holds both numbers, or the older files one each. Without a limit a word or -1 stands there. */
static unsigned granted_in(const char *root, const char *mount, const char *group) {
  char path[PATH_BYTES], text[TEXT_BYTES];
  const char *rest = text;
  if (join(path, (const char *const[]){root, mount, group, "/cpu.max"}, 4) && read_text(path, text) > 0) {
    const long quota = number(&rest);
    return share(quota, number(&rest));
  }
  if (!join(path, (const char *const[]){root, mount, group, "/cpu.cfs_quota_us"}, 4) || read_text(path, text) == 0) return ~0u;
  const long quota = number(&rest);
  if (!join(path, (const char *const[]){root, mount, group, "/cpu.cfs_period_us"}, 4) || read_text(path, text) == 0) return ~0u;
  rest = text;
  return share(quota, number(&rest));
}

/* The least of what a group and those around it grant. In a container the outer ones may not be there to be read. */
static unsigned granted_from(const char *root, const char *mount, char *group) {
  unsigned processors = ~0u;
  for (size length = strlen(group);; length--) {
    if (length == 0 || group[length] == '/' || group[length] == 0) {
      group[length] = 0;
      processors = least(processors, granted_in(root, mount, group));
    }
    if (length == 0) return processors;
  }
}

/* A line is `number:controllers:group`; with version 2 the controllers are empty. */
static int names_processors(const char *controllers, size length) {
  if (length == 0) return 1;
  for (size i = 0; i + 3 <= length; i++)
    if ((i == 0 || controllers[i - 1] == ',') && controllers[i] == 'c' && controllers[i + 1] == 'p' && controllers[i + 2] == 'u' &&
        (i + 3 == length || controllers[i + 3] == ','))
      return 1;
  return 0;
}

static unsigned granted(const char *root) {
  char path[PATH_BYTES], text[TEXT_BYTES];
  unsigned processors = ~0u;
  if (!join(path, (const char *const[]){root, "/proc/self/cgroup"}, 2)) return processors;
  read_text(path, text);
  for (char *line = text; *line;) {
    char *end = line, *first = line, *second;
    while (*end && *end != '\n') end++;
    char *const next = *end ? end + 1 : end;
    *end = 0;
    while (*first && *first != ':') first++;
    second = *first ? first + 1 : first;
    while (*second && *second != ':') second++;
    if (*second && names_processors(first + 1, (size)(second - first - 1))) {
      const int version2 = second == first + 1;
      processors = least(processors, granted_from(root, version2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu", second + 1));
    }
    line = next;
  }
  return processors;
}

static unsigned allowed(void) {
  unsigned long mask[1024] = {0};
  unsigned processors = 0;
  /* The number of bytes that the kernel wrote. */
  const long bytes = syscall(CALL_GET_AFFINITY, 0L, sizeof mask, mask);
  for (long i = 0; i < bytes / (long)sizeof *mask; i++)
    for (unsigned long word = mask[i]; word; word &= word - 1) processors++;
  return processors;
}

unsigned glowplug_processors(const char *root) {
  const unsigned processors = least(allowed(), granted(root));
  return processors > 0 ? processors : 1;
}
