/* Memory that processes share: a file without a name, which its descriptor alone leads to. */
#include "shared.h"
#include "system.h"

int glowplug_shared_make(unsigned long bytes, unsigned long *detail) {
  const long file = syscall(CALL_MEMFD_CREATE, "glowplug", (long)(MEMFD_CLOSE_ON_EXEC | MEMFD_SEALS));
  /* Nobody can take away again what others have mapped, whatever becomes of them. */
  const long seals = SEAL_SEALS | SEAL_SHRINK | SEAL_GROW;
  if (file >= 0 && ftruncate((int)file, (long)bytes) == 0 && syscall(CALL_FCNTL, file, (long)FCNTL_ADD_SEALS, seals) == 0) return (int)file;
  *detail = (unsigned long)errno;
  if (file >= 0) close((int)file);
  return -1;
}

void *glowplug_shared_map(int file, unsigned long offset, unsigned long bytes, int writable, unsigned long *detail) {
  const long found = lseek(file, 0, SEEK_TO_END);
  if (found < 0 || offset > (unsigned long)found || bytes > (unsigned long)found - offset) {
    *detail = found < 0 ? (unsigned long)errno : ERROR_INVALID;
    return 0;
  }
  const int protection = writable ? PROTECTION_READ | PROTECTION_WRITE : PROTECTION_READ;
  void *const mapping = mmap(0, bytes, protection, MAP_SHARED_WITH_OTHERS, file, (long)offset);
  if (mapping != (void *)-1) return mapping;
  *detail = (unsigned long)errno;
  return 0;
}

void glowplug_shared_unmap(void *mapping, unsigned long bytes) { munmap(mapping, bytes); }

int glowplug_end_with_parent(int parent) {
  if (syscall(CALL_PRCTL, (long)PROCESS_SET_DEATH_SIGNAL, (long)SIGNAL_KILL, 0L, 0L, 0L) != 0) return -1;
  /* It may have died before. */
  return getppid() == parent ? 0 : -1;
}
