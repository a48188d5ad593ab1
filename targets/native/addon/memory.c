/* Weights as a mapping of their file, which all instances and processes share, and activations. */
#include "memory.h"
#include "system.h"

/* A multiple of every page size in use, as offsets of mappings must be. */
enum { LARGEST_PAGE = 65536 };

static char *const failed = (char *)-1;

static int map_weights(struct memory *memory, int file, unsigned long file_bytes, unsigned long offset, unsigned long bytes,
                       unsigned long *detail) {
  const long found = lseek(file, 0, SEEK_TO_END);
  if (found < 0 || (unsigned long)found != file_bytes) {
    *detail = found < 0 ? (unsigned long)errno : (unsigned long)found;
    return found < 0 ? MEMORY_SYSTEM : MEMORY_SIZE;
  }
  if (bytes == 0) return MEMORY_OK;
  const unsigned long before = offset % LARGEST_PAGE;
  char *const mapping = mmap(0, before + bytes, PROTECTION_READ, MAP_OF_ITS_OWN, file, (long)(offset - before));
  if (mapping == failed) {
    *detail = (unsigned long)errno;
    return *detail == ERROR_NO_MEMORY ? MEMORY_EXHAUSTED : MEMORY_SYSTEM;
  }
  memory->mapping = mapping;
  memory->mapped_bytes = before + bytes;
  memory->constants = mapping + before;
  memory->constant_bytes = bytes;
  return MEMORY_OK;
}

int glowplug_memory_open(struct memory *memory, const char *path, unsigned long file_bytes, unsigned long offset, unsigned long bytes,
                         unsigned long activations, unsigned long *detail) {
  const int file = open(path, OPEN_CLOSE_ON_EXEC);
  if (file < 0) {
    *detail = (unsigned long)errno;
    return MEMORY_SYSTEM;
  }
  const int status = map_weights(memory, file, file_bytes, offset, bytes, detail);
  close(file);
  if (status != MEMORY_OK || activations == 0) return status;
  char *const reserved = mmap(0, activations, PROTECTION_READ | PROTECTION_WRITE, MAP_OF_ITS_OWN | MAP_WITHOUT_FILE, -1, 0);
  if (reserved == failed) {
    glowplug_memory_close(memory);
    return MEMORY_EXHAUSTED;
  }
  memory->activations = reserved;
  memory->activation_bytes = activations;
  return MEMORY_OK;
}

void glowplug_memory_close(struct memory *memory) {
  if (memory->mapping) munmap(memory->mapping, memory->mapped_bytes);
  if (memory->activations) munmap(memory->activations, memory->activation_bytes);
  memset(memory, 0, sizeof *memory);
}
