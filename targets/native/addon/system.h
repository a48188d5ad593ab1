/*
 * What the addon uses of Linux and its C library on 64-bit machines, declared here: with no header of the system, and linked without
 * the C library, its undefined symbols carry no version, so that an old C library will do as well as the one it was built beside.
 */
#ifndef GLOWPLUG_SYSTEM_H
#define GLOWPLUG_SYSTEM_H

typedef __SIZE_TYPE__ size;

struct gp_time;

void *malloc(size);
void *calloc(size, size);
void *realloc(void *, size);
void free(void *);
void *memcpy(void *, const void *, size);
void *memset(void *, int, size);
size strlen(const char *);
int *__errno_location(void);
#define errno (*__errno_location())

long syscall(long number, ...);
int getpid(void);
int getppid(void);
int sched_getcpu(void);
/* Of generated code that is built for traces. */
int clock_gettime(int clock, struct gp_time *);
int open(const char *path, int flags, ...);
long read(int file, void *, size);
int close(int file);
long lseek(int file, long offset, int from);
int ftruncate(int file, long bytes);
void *mmap(void *, size, int protection, int flags, int file, long offset);
int munmap(void *, size);

/* Opaque and at most this large: 56 and 64 bytes of attributes, 128 of signals. */
struct thread_attributes { unsigned long words[16]; };
struct signal_set { unsigned long words[16]; };
int pthread_create(unsigned long *, const struct thread_attributes *, void *(*)(void *), void *);
int pthread_attr_init(struct thread_attributes *);
int pthread_attr_destroy(struct thread_attributes *);
int pthread_attr_setstacksize(struct thread_attributes *, size);
int pthread_attr_setdetachstate(struct thread_attributes *, int);
int pthread_sigmask(int how, const struct signal_set *, struct signal_set *);

/* The first members of a longer structure. */
struct dl_phdr_info { unsigned long address; const char *name; };
int dl_iterate_phdr(int (*)(struct dl_phdr_info *, size, void *), void *);
void *dlopen(const char *, int flags);
void *dlsym(void *, const char *);
int dlclose(void *);

enum {
  /* Of a path, its end included. */
  PATH_BYTES = 4096,
  ERROR_NO_MEMORY = 12,
  ERROR_INVALID = 22,
  OPEN_CLOSE_ON_EXEC = 02000000,
  SEEK_TO_END = 2,
  PROTECTION_READ = 1,
  PROTECTION_WRITE = 2,
  MAP_SHARED_WITH_OTHERS = 1,
  MAP_OF_ITS_OWN = 2,
  MAP_WITHOUT_FILE = 32,
  THREAD_DETACHED = 1,
  SIGNALS_SET = 2,
  LOAD_LAZY = 1,
  LOAD_NOTHING = 4,
  FUTEX_WAIT_PRIVATE = 128,
  FUTEX_WAKE_PRIVATE = 129,
  PROCESS_SET_DEATH_SIGNAL = 1,
  PROCESS_SET_NAME = 15,
  SIGNAL_KILL = 9,
  MEMFD_CLOSE_ON_EXEC = 1,
  MEMFD_SEALS = 2,
  FCNTL_ADD_SEALS = 1033,
  SEAL_SEALS = 1,
  SEAL_SHRINK = 2,
  SEAL_GROW = 4,
#if defined(__x86_64__)
  CALL_FUTEX = 202,
  CALL_FCNTL = 72,
  CALL_MEMFD_CREATE = 319,
  CALL_PRCTL = 157,
  CALL_GET_AFFINITY = 204,
  CALL_GET_THREAD = 186,
  CALL_SET_AFFINITY = 203,
#elif defined(__aarch64__)
  CALL_FUTEX = 98,
  CALL_FCNTL = 25,
  CALL_MEMFD_CREATE = 279,
  CALL_PRCTL = 167,
  CALL_GET_AFFINITY = 123,
  CALL_GET_THREAD = 178,
  CALL_SET_AFFINITY = 122,
#endif
};

#endif
