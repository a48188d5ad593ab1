/* What the processor can do. Names are those of /proc/cpuinfo, where it has one. */
#include "extensions.h"
#include "system.h"

static int same(const char *name, const char *text, size length) {
  for (size i = 0; i < length; i++)
    if (name[i] != text[i]) return 0;
  return name[length] == 0;
}

#if defined(__x86_64__)

enum { EAX, EBX, ECX };
/* Registers that the operating system must save: those of SSE and AVX; of AVX-512 as well. */
enum { NO_STATE = 0, AVX_STATE = 0x06, AVX512_STATE = 0xe6 };

static const struct extension {
  char name[16];
  unsigned leaf;
  unsigned char subleaf, in, bit, state;
} extensions[] = {
  {"sse3", 1, 0, ECX, 0, NO_STATE},
  {"ssse3", 1, 0, ECX, 9, NO_STATE},
  {"fma", 1, 0, ECX, 12, AVX_STATE},
  {"cx16", 1, 0, ECX, 13, NO_STATE},
  {"sse4_1", 1, 0, ECX, 19, NO_STATE},
  {"sse4_2", 1, 0, ECX, 20, NO_STATE},
  {"movbe", 1, 0, ECX, 22, NO_STATE},
  {"popcnt", 1, 0, ECX, 23, NO_STATE},
  {"avx", 1, 0, ECX, 28, AVX_STATE},
  {"f16c", 1, 0, ECX, 29, AVX_STATE},
  {"bmi1", 7, 0, EBX, 3, NO_STATE},
  {"avx2", 7, 0, EBX, 5, AVX_STATE},
  {"bmi2", 7, 0, EBX, 8, NO_STATE},
  {"avx512f", 7, 0, EBX, 16, AVX512_STATE},
  {"avx512dq", 7, 0, EBX, 17, AVX512_STATE},
  {"avx512cd", 7, 0, EBX, 28, AVX512_STATE},
  {"avx512bw", 7, 0, EBX, 30, AVX512_STATE},
  {"avx512vl", 7, 0, EBX, 31, AVX512_STATE},
  {"avx512_vnni", 7, 0, ECX, 11, AVX512_STATE},
  {"avx512_bf16", 7, 1, EAX, 5, AVX512_STATE},
  {"lahf_lm", 0x80000001, 0, ECX, 0, NO_STATE},
  {"abm", 0x80000001, 0, ECX, 5, NO_STATE},
};

static void identify(unsigned leaf, unsigned subleaf, unsigned found[4]) {
  __asm__ volatile("cpuid" : "=a"(found[EAX]), "=b"(found[EBX]), "=c"(found[ECX]), "=d"(found[3]) : "a"(leaf), "c"(subleaf));
}

static unsigned saved_state(void) {
  unsigned found[4], low, high;
  identify(1, 0, found);
  /* OSXSAVE: xgetbv exists. */
  if (!(found[ECX] >> 27 & 1)) return 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

static int has(const struct extension *extension) {
  unsigned found[4];
  identify(extension->leaf & 0x80000000, 0, found);
  if (found[EAX] < extension->leaf) return 0;
  if (extension->subleaf > 0) {
    identify(extension->leaf, 0, found);
    if (found[EAX] < extension->subleaf) return 0;
  }
  identify(extension->leaf, extension->subleaf, found);
  return (found[extension->in] >> extension->bit & 1) && (saved_state() & extension->state) == extension->state;
}

static int has_name(const char *text, size length) {
  for (size i = 0; i < sizeof extensions / sizeof *extensions; i++)
    if (same(extensions[i].name, text, length)) return has(&extensions[i]);
  return 0;
}

#else

/* Every processor of this architecture has what the code needs: a name here is one that nobody knows. */
static int has_name(const char *text, size length) { return same("", text, length); }

#endif

unsigned long glowplug_first_lacking(const char *names, const char **missing) {
  while (*names) {
    size length = 0;
    while (names[length] != ' ') length++;
    if (!has_name(names, length)) {
      *missing = names;
      return length;
    }
    names += length + 1;
  }
  return 0;
}
