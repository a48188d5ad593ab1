/*
 * Which pool of those in the process is the one. Objects stand in the list of loaded objects in the order in which they were loaded, and
 * addons are never unloaded: whoever asks at whatever time, on whatever thread, finds the same addon first.
 */
#include "pool.h"
#include "system.h"

struct names {
  char *text;
  size used, reserved;
};

/* Names are copied: whatever is none of ours may be unloaded meanwhile. */
static int collect(struct dl_phdr_info *object, size bytes, void *data) {
  struct names *const names = data;
  (void)bytes;
  const size length = object->name ? strlen(object->name) + 1 : 0;
  if (length <= 1) return 0;
  if (names->used + length > names->reserved) {
    const size reserved = (names->used + length) * 2;
    char *const text = realloc(names->text, reserved);
    if (!text) return 1;
    names->text = text;
    names->reserved = reserved;
  }
  memcpy(names->text + names->used, object->name, length);
  names->used += length;
  return 0;
}

/* Of the first tables of this version. What was added since, an elected one may not have. */
enum { FIRST_BYTES = __builtin_offsetof(struct glowplug_pool, busy) };

static const struct glowplug_pool *elect(void) {
  struct names names = {0, 0, 0};
  const struct glowplug_pool *elected = 0;
  dl_iterate_phdr(collect, &names);
  for (size at = 0; at < names.used && !elected; at += strlen(names.text + at) + 1) {
    /* Waits until an object that another thread is loading is ready, or gone. Opens none that is not loaded. */
    void *const object = dlopen(names.text + at, LOAD_LAZY | LOAD_NOTHING);
    if (!object) continue;
    const struct glowplug_pool *const pool = dlsym(object, "glowplug_pool_v1");
    if (pool && pool->version == 1 && pool->bytes >= FIRST_BYTES) elected = pool;
    dlclose(object);
  }
  free(names.text);
  return elected ? elected : &glowplug_pool_v1;
}

const struct glowplug_pool *glowplug_shared_pool(void) {
  static const struct glowplug_pool *shared;
  const struct glowplug_pool *pool = __atomic_load_n(&shared, __ATOMIC_ACQUIRE);
  if (pool) return pool;
  pool = elect();
  __atomic_store_n(&shared, pool, __ATOMIC_RELEASE);
  return pool;
}

int *glowplug_busy(void) {
  static int own;
  const struct glowplug_pool *const pool = glowplug_shared_pool();
  return pool->bytes > FIRST_BYTES ? pool->busy : &own;
}
