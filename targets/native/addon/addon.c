/*
 * The addon as JavaScript sees it: `Addon` of targets/runtime/addon.ts. Each environment (the main thread, a worker) that loads it has a
 * state of its own; environments share nothing but the code, the pool, and the system's copy of the weights file.
 */
#include "checksum.h"
#include "code.h"
#include "crew.h"
#include "extensions.h"
#include "memory.h"
#include "node_api.h"
#include "pool.h"
#include "shared.h"
#include "sync.h"

enum { REGION_ALIGNMENT = 64 };
/* The largest ArrayBuffer that typed arrays can see all of. */
static const unsigned long MAPPED_BYTES = 0xffffffff;

/* An opened model. Its handle is an external value: half the cost of an object that wraps it, in a call of 50 nanoseconds. */
struct instance {
  /* The first member: the pool knows an instance by it. */
  struct glowplug_job job;
  /* 0 once the environment is gone. */
  struct state *state;
  struct instance *previous, *next;
  struct memory memory;
  /* Threads that run it together; 0 where it is to be run by one. */
  struct crew *crew;
  /* Of the run under way on the pool, if `busy`. References keep alive what it needs. */
  const struct glowplug_entry *entry;
  char *region;
  /* State of the session; 0 where the entry touches none. */
  char *carried;
  int fault;
  napi_ref handle_kept, region_kept, carried_kept, done_kept;
  unsigned char busy, closed;
};

/* One for each environment. All but `running` and `leaving` is of its thread alone. */
struct state {
  napi_env env;
  /* Those whose handles are alive, the last used first. */
  struct instance *instances;
  /* How threads of the pool reach this thread; 0 before the first run there. Keeps the process alive while `pending` is not 0. */
  napi_threadsafe_function finished;
  /* Runs whose end JavaScript has not been told. */
  unsigned pending;
  /* Runs that the pool may still touch; the thread that leaves sleeps on it. */
  int running;
  int leaving;
};

static napi_value fail(napi_env env, const char *code, const char *message) {
  napi_throw_error(env, code, message);
  return 0;
}

static napi_value fail_type(napi_env env, const char *message) {
  napi_throw_type_error(env, "argument", message);
  return 0;
}

static napi_value fail_range(napi_env env, const char *message) {
  napi_throw_range_error(env, "argument", message);
  return 0;
}

static napi_value undefined(napi_env env) {
  napi_value value = 0;
  napi_get_undefined(env, &value);
  return value;
}

/* The arguments of a call, filled up with undefined, and the state of the environment. */
static struct state *arguments(napi_env env, napi_callback_info info, size count, napi_value *values) {
  void *state = 0;
  return napi_get_cb_info(env, info, &count, values, 0, &state) == napi_ok ? state : 0;
}

/* A whole number from 0 to 2^53. */
static int count_of(napi_env env, napi_value value, unsigned long *count) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= 0 && number <= 9007199254740992.0)) return 0;
  *count = (unsigned long)number;
  return (double)*count == number;
}

/* Memory and weights of an instance, returned to the system. */
static void release(struct instance *instance) {
  long long unused;
  const long long bytes = (long long)instance->memory.activation_bytes;
  glowplug_crew_close(instance->crew);
  instance->crew = 0;
  glowplug_memory_close(&instance->memory);
  if (instance->state && !instance->state->leaving && bytes) napi_adjust_external_memory(instance->state->env, -bytes, &unused);
}

static void unlink_instance(struct instance *instance) {
  if (instance->previous) instance->previous->next = instance->next;
  else instance->state->instances = instance->next;
  if (instance->next) instance->next->previous = instance->previous;
}

static void link_instance(struct state *state, struct instance *instance) {
  instance->previous = 0;
  instance->next = state->instances;
  if (instance->next) instance->next->previous = instance;
  state->instances = instance;
}

/*
 * The instance of a handle, if it is open; otherwise throws and returns 0. What a handle holds is looked for among our own before it is
 * touched: it may be another addon's, or the same addon's in another environment.
 */
static struct instance *instance_of(napi_env env, struct state *state, napi_value handle) {
  void *held = 0;
  struct instance *instance = 0;
  if (napi_get_value_external(env, handle, &held) == napi_ok) {
    instance = state->instances;
    while (instance && instance != held) instance = instance->next;
  }
  if (!instance) {
    fail_type(env, "not an instance of this addon");
    return 0;
  }
  if (instance != state->instances) {
    unlink_instance(instance);
    link_instance(state, instance);
  }
  if (instance->closed) {
    fail(env, "closed", "the instance is closed");
    return 0;
  }
  return instance;
}

/* Runs of this handle that have begun keep it alive, so that none is under way. */
static void collected(napi_env env, void *data, void *hint) {
  struct instance *const instance = data;
  (void)env;
  (void)hint;
  release(instance);
  if (instance->state) unlink_instance(instance);
  free(instance);
}

/* A name for each error that a file may give; those of Node's `fs`. */
static const char *error_name(unsigned long number) {
  static const struct {
    unsigned char number;
    char name[15];
  } names[] = {
    {1, "EPERM"}, {2, "ENOENT"}, {5, "EIO"}, {9, "EBADF"}, {12, "ENOMEM"}, {13, "EACCES"}, {19, "ENODEV"}, {20, "ENOTDIR"},
    {21, "EISDIR"}, {22, "EINVAL"}, {23, "ENFILE"}, {24, "EMFILE"}, {27, "EFBIG"}, {28, "ENOSPC"}, {36, "ENAMETOOLONG"},
    {38, "ENOSYS"}, {40, "ELOOP"}, {75, "EOVERFLOW"}, {116, "ESTALE"},
  };
  for (size i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].number == number) return names[i].name;
  return "UNKNOWN";
}

/* An error of the system, by its number: its name as code, and in front of the other parts of the message. */
static napi_value fail_system(napi_env env, unsigned long number, const char *what, const char *about, const char *end) {
  char text[PATH_BYTES + 64];
  size used = 0;
  const char *const name = error_name(number);
  const char *const parts[] = {name, what, about, end};
  for (size i = 0; i < sizeof parts / sizeof *parts; i++) {
    const size length = strlen(parts[i]);
    memcpy(text + used, parts[i], length);
    used += length;
  }
  text[used] = 0;
  return fail(env, name, text);
}

static napi_value fail_open(napi_env env, int status, unsigned long detail, const char *path) {
  if (status == MEMORY_EXHAUSTED) {
    napi_throw_range_error(env, "memory", "no memory for the weights and activations of a model");
    return 0;
  }
  if (status == MEMORY_SIZE) {
    /* In decimals, from the last. */
    char text[25];
    size used = 24;
    text[used] = 0;
    do text[--used] = (char)('0' + detail % 10);
    while ((detail /= 10) > 0);
    return fail(env, "size", text + used);
  }
  return fail_system(env, detail, ": cannot map '", path, "'");
}

/* How many threads are to run an instance: those asked for, as far as there are processors, or 1 where no entry has work to divide. */
static unsigned threads_of(double asked, unsigned long *own) {
  int divisible = 0;
  *own = 0;
  for (unsigned i = 0; i < glowplug_entry_count; i++) {
    divisible |= glowplug_entries[i].nanoseconds > 0;
    if (glowplug_entries[i].own > *own) *own = glowplug_entries[i].own;
  }
  if (!(asked >= 2 && divisible)) return 1;
  const unsigned processors = glowplug_shared_pool()->threads(), most = processors < CREW_THREADS ? processors : CREW_THREADS;
  return asked < (double)most ? (unsigned)asked : most;
}

/* (path, fileBytes, offset, bytes, activations, threads) -> handle */
static napi_value open_instance(napi_env env, napi_callback_info info) {
  napi_value values[6], handle = 0;
  struct state *const state = arguments(env, info, 6, values);
  if (!state) return 0;
  char path[PATH_BYTES];
  const char *missing;
  size length = 0;
  unsigned long file_bytes, offset, bytes, activations, own, detail = 0;
  double asked;
  if (glowplug_first_lacking(glowplug_needs, &missing) > 0) return fail(env, "lacks", "this processor cannot run the code");
  if (napi_get_value_string_utf8(env, values[0], 0, 0, &length) != napi_ok) return fail_type(env, "path must be a string");
  /* Longer ones are longer than any the system takes. */
  if (length >= PATH_BYTES) return fail(env, "ENAMETOOLONG", "ENAMETOOLONG: the path is too long");
  napi_get_value_string_utf8(env, values[0], path, PATH_BYTES, &length);
  if (strlen(path) != length) return fail_type(env, "path must not hold a zero");
  if (!count_of(env, values[1], &file_bytes) || !count_of(env, values[2], &offset) || !count_of(env, values[3], &bytes) ||
      !count_of(env, values[4], &activations))
    return fail_type(env, "fileBytes, offset, bytes and activations must be whole numbers");
  if (napi_get_value_double(env, values[5], &asked) != napi_ok) asked = 1;
  if (offset > file_bytes || bytes > file_bytes - offset) return fail_range(env, "the weights must lie inside the file");
  if (offset % REGION_ALIGNMENT != 0) return fail_range(env, "offset must be a multiple of 64");
  for (unsigned i = 0; i < glowplug_entry_count; i++)
    if (glowplug_entries[i].constants > bytes || glowplug_entries[i].activations > activations)
      return fail_range(env, "the code needs larger regions");

  struct instance *const instance = calloc(1, sizeof *instance);
  if (!instance) return fail_open(env, MEMORY_EXHAUSTED, 0, path);
  const int status = glowplug_memory_open(&instance->memory, path, file_bytes, offset, bytes, activations, &detail);
  if (status != MEMORY_OK) {
    free(instance);
    return fail_open(env, status, detail, path);
  }
  const unsigned threads = threads_of(asked, &own);
  if (threads > 1 && !(instance->crew = glowplug_crew_open(threads, own))) {
    release(instance);
    free(instance);
    return fail_open(env, MEMORY_EXHAUSTED, 0, path);
  }
  if (napi_create_external(env, instance, collected, 0, &handle) != napi_ok) {
    release(instance);
    free(instance);
    return fail(env, "handle", "no handle could be made");
  }
  long long unused;
  instance->state = state;
  link_instance(state, instance);
  /* A handle is small; the collector is to know what hangs on it. */
  napi_adjust_external_memory(env, (long long)activations, &unused);
  return handle;
}

/* (region) -> bytes to its first multiple of 64 */
static napi_value lead(napi_env env, napi_callback_info info) {
  napi_value region, result = 0;
  void *start = 0;
  size bytes;
  if (!arguments(env, info, 1, &region)) return 0;
  if (napi_get_arraybuffer_info(env, region, &start, &bytes) != napi_ok) return fail_type(env, "region must be an ArrayBuffer");
  napi_create_int32(env, (int)(-(unsigned long)start % REGION_ALIGNMENT), &result);
  return result;
}

/* (state, bytes) */
static napi_value add_to_checksum(napi_env env, napi_callback_info info) {
  napi_value values[2], buffer;
  void *lanes = 0, *content = 0;
  size lane_bytes = 0, bytes = 0, offset;
  int type = -1;
  if (!arguments(env, info, 2, values)) return 0;
  if (napi_get_arraybuffer_info(env, values[0], &lanes, &lane_bytes) != napi_ok || lane_bytes != sizeof(struct checksum))
    return fail_type(env, "the state must be an ArrayBuffer of 64 bytes");
  if (napi_get_typedarray_info(env, values[1], &type, &bytes, &content, &buffer, &offset) != napi_ok || type != napi_uint8_array)
    return fail_type(env, "bytes must be a Uint8Array");
  glowplug_checksum_add(lanes, content, bytes);
  return undefined(env);
}

/* A region that starts at byte `start` of a buffer and has `needed` bytes there; 0 after throwing. */
static char *region_of(napi_env env, napi_value buffer, napi_value start_value, unsigned long needed, const char *what) {
  unsigned long start;
  void *region = 0;
  size bytes = 0;
  if (napi_get_arraybuffer_info(env, buffer, &region, &bytes) != napi_ok) {
    fail_type(env, "region must be an ArrayBuffer");
    return 0;
  }
  if (!count_of(env, start_value, &start) || start > bytes || needed > bytes - start) {
    fail_range(env, what);
    return 0;
  }
  if (((unsigned long)region + start) % REGION_ALIGNMENT != 0) {
    fail_range(env, "regions must start at an address that is a multiple of 64");
    return 0;
  }
  return (char *)region + start;
}

/*
 * Reads (instance, entry, region, start) and (state, its start), the arguments that both kinds of runs have, into the instance. Returns 0 after
 * throwing.
 */
static struct instance *prepare(napi_env env, struct state *state, const napi_value *values, const napi_value *carried_values) {
  struct instance *const instance = instance_of(env, state, values[0]);
  unsigned long index;
  if (!instance) return 0;
  if (instance->busy) {
    fail(env, "busy", "the instance is running");
    return 0;
  }
  if (!count_of(env, values[1], &index) || index >= glowplug_entry_count) {
    fail_range(env, "there is no such entry");
    return 0;
  }
  const struct glowplug_entry *const entry = &glowplug_entries[index];
  char *const region = region_of(env, values[2], values[3], entry->mutable, "inputs and outputs must lie inside the region");
  if (!region) return 0;
  char *carried = 0;
  if (entry->state > 0) {
    int type = napi_undefined;
    napi_typeof(env, carried_values[0], &type);
    if (type == napi_undefined) {
      fail(env, "state", "the entry has state: open the bundle with openSessions() and run it in a session");
      return 0;
    }
    carried = region_of(env, carried_values[0], carried_values[1], entry->state, "the state must lie inside its region");
    if (!carried) return 0;
  }
  instance->entry = entry;
  instance->region = region;
  instance->carried = carried;
  return instance;
}

static int call(const struct instance *instance) {
  const struct glowplug_entry *const entry = instance->entry;
  if (instance->crew && entry->nanoseconds > 0)
    return glowplug_crew_run(instance->crew, entry, &instance->memory, instance->region, instance->carried);
  return glowplug_run_alone(entry, &instance->memory, instance->region, instance->carried);
}

/* (instance, entry, region, start, state, its start) -> fault */
static napi_value run(napi_env env, napi_callback_info info) {
  napi_value values[6], result = 0;
  struct state *const state = arguments(env, info, 6, values);
  const struct instance *const instance = state ? prepare(env, state, values, values + 4) : 0;
  if (!instance) return 0;
  napi_create_int32(env, call(instance), &result);
  return result;
}

/* On a thread of the pool. The instance may be freed, or run again, as soon as its thread has been told. */
static void work(struct glowplug_job *job) {
  struct instance *const instance = (struct instance *)job;
  struct state *const state = instance->state;
  if (!__atomic_load_n(&state->leaving, __ATOMIC_ACQUIRE)) {
    instance->fault = call(instance);
    napi_call_threadsafe_function(state->finished, instance, napi_tsfn_nonblocking);
  }
  /* From here on the state may be freed as well; the word is only a number to the system. */
  if (__atomic_sub_fetch(&state->running, 1, __ATOMIC_RELEASE) == 0) wake_one(&state->running);
}

static napi_value let_go(napi_env env, napi_ref *kept) {
  napi_value value = 0;
  if (*kept) {
    napi_get_reference_value(env, *kept, &value);
    napi_delete_reference(env, *kept);
  }
  *kept = 0;
  return value;
}

/* After a run on the pool, or one that could not be started: the instance is at rest. Returns the function to be told, if any. */
static napi_value settle(napi_env env, struct instance *instance) {
  struct state *const state = instance->state;
  instance->busy = 0;
  if (instance->closed) release(instance);
  if (--state->pending == 0) napi_unref_threadsafe_function(env, state->finished);
  let_go(env, &instance->region_kept);
  let_go(env, &instance->carried_kept);
  let_go(env, &instance->handle_kept);
  return let_go(env, &instance->done_kept);
}

/* On the thread of the environment, or, without an environment, for what was left when it ended. */
static void tell(napi_env env, napi_value unused, void *context, void *data) {
  struct instance *const instance = data;
  (void)unused;
  (void)context;
  if (!env) return;
  const int fault = instance->fault;
  const napi_value done = settle(env, instance);
  napi_value argument, error;
  if (!done || napi_create_int32(env, fault, &argument) != napi_ok) return;
  if (napi_call_function(env, undefined(env), done, 1, &argument, 0) != napi_pending_exception) return;
  /* As what is thrown in any callback. */
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

/* The environment ends, perhaps in the middle of a run: a kernel cannot be stopped, so its thread waits for those that have begun. */
static void leave(void *data) {
  struct state *const state = data;
  const struct glowplug_pool *const pool = glowplug_shared_pool();
  __atomic_store_n(&state->leaving, 1, __ATOMIC_RELEASE);
  for (struct instance *instance = state->instances; instance; instance = instance->next)
    if (instance->busy && pool->withdraw(&instance->job)) __atomic_sub_fetch(&state->running, 1, __ATOMIC_RELAXED);
  for (int running; (running = __atomic_load_n(&state->running, __ATOMIC_ACQUIRE)) != 0;) sleep_on(&state->running, running);
  for (struct instance *instance = state->instances; instance; instance = instance->next) release(instance);
  napi_release_threadsafe_function(state->finished, napi_tsfn_abort);
}

/*
 * Before the first run on the pool. Hooks are called in the reverse order of their making: `leave` before that of the function, which
 * until then stands.
 */
static int reach_pool(napi_env env, struct state *state) {
  napi_value name;
  if (state->finished) return 1;
  if (napi_create_string_utf8(env, "glowplug", 8, &name) != napi_ok) return 0;
  if (napi_create_threadsafe_function(env, 0, 0, name, 0, 1, 0, 0, state, tell, &state->finished) != napi_ok) {
    state->finished = 0;
    return 0;
  }
  napi_unref_threadsafe_function(env, state->finished);
  napi_add_env_cleanup_hook(env, leave, state);
  return 1;
}

/* (instance, entry, region, start, done, state, its start) */
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value values[7];
  int type;
  struct state *const state = arguments(env, info, 7, values);
  struct instance *const instance = state ? prepare(env, state, values, values + 5) : 0;
  if (!instance) return 0;
  if (napi_typeof(env, values[4], &type) != napi_ok || type != napi_function) return fail_type(env, "done must be a function");
  if (!reach_pool(env, state)) return fail(env, "threads", "the thread pool cannot be reached");
  if (state->pending++ == 0) napi_ref_threadsafe_function(env, state->finished);
  instance->busy = 1;
  instance->job.work = work;
  if (napi_create_reference(env, values[0], 1, &instance->handle_kept) != napi_ok ||
      napi_create_reference(env, values[2], 1, &instance->region_kept) != napi_ok ||
      (instance->carried && napi_create_reference(env, values[5], 1, &instance->carried_kept) != napi_ok) ||
      napi_create_reference(env, values[4], 1, &instance->done_kept) != napi_ok) {
    settle(env, instance);
    return fail(env, "handle", "no reference could be made");
  }
  __atomic_add_fetch(&state->running, 1, __ATOMIC_RELAXED);
  if (glowplug_shared_pool()->submit(&instance->job) != 0) {
    __atomic_sub_fetch(&state->running, 1, __ATOMIC_RELAXED);
    settle(env, instance);
    return fail(env, "threads", "no thread could be started");
  }
  return undefined(env);
}

/* (instance) */
static napi_value close_instance(napi_env env, napi_callback_info info) {
  napi_value handle;
  struct state *const state = arguments(env, info, 1, &handle);
  struct instance *const instance = state ? instance_of(env, state, handle) : 0;
  if (!instance) return 0;
  instance->closed = 1;
  if (!instance->busy) release(instance);
  return undefined(env);
}

/* (bytes) -> descriptor */
static napi_value share_memory(napi_env env, napi_callback_info info) {
  napi_value value, result = 0;
  unsigned long bytes, detail = 0;
  if (!arguments(env, info, 1, &value)) return 0;
  if (!count_of(env, value, &bytes) || bytes == 0) return fail_type(env, "bytes must be a whole number above 0");
  const int file = glowplug_shared_make(bytes, &detail);
  if (file < 0) return fail_system(env, detail, ": cannot make memory to share", "", "");
  napi_create_int32(env, file, &result);
  return result;
}

/* What was mapped, once nobody can reach it. */
static void unmapped(napi_env env, void *data, void *hint) {
  (void)env;
  glowplug_shared_unmap(data, (unsigned long)hint);
}

/* (descriptor, offset, bytes, writable) -> ArrayBuffer */
static napi_value map_memory(napi_env env, napi_callback_info info) {
  napi_value values[4], result = 0;
  unsigned long file, offset, bytes, detail = 0;
  _Bool writable;
  if (!arguments(env, info, 4, values)) return 0;
  if (!count_of(env, values[0], &file) || file > 0x7fffffff || !count_of(env, values[1], &offset) || !count_of(env, values[2], &bytes))
    return fail_type(env, "descriptor, offset and bytes must be whole numbers");
  if (napi_get_value_bool(env, values[3], &writable) != napi_ok) return fail_type(env, "writable must be true or false");
  if (bytes == 0 || bytes > MAPPED_BYTES) return fail_range(env, "bytes must be from 1 to 4294967295");
  void *const mapping = glowplug_shared_map((int)file, offset, bytes, writable, &detail);
  if (!mapping && detail == ERROR_NO_MEMORY) {
    napi_throw_range_error(env, "memory", "no memory to map what is shared");
    return 0;
  }
  if (!mapping) return fail_system(env, detail, ": cannot map what is shared", "", "");
  if (napi_create_external_arraybuffer(env, mapping, bytes, unmapped, (void *)bytes, &result) == napi_ok) return result;
  glowplug_shared_unmap(mapping, bytes);
  return fail(env, "handle", "memory of others cannot be had here");
}

static int lies_in(const char *region, const void *start, size bytes) { return (unsigned long)region - (unsigned long)start < bytes; }

/* (memory) */
static napi_value unmap_memory(napi_env env, napi_callback_info info) {
  napi_value memory;
  void *start = 0;
  size bytes = 0;
  const struct state *const state = arguments(env, info, 1, &memory);
  if (!state) return 0;
  if (napi_get_arraybuffer_info(env, memory, &start, &bytes) != napi_ok) return fail_type(env, "memory must be an ArrayBuffer");
  for (const struct instance *instance = state->instances; instance; instance = instance->next)
    if (instance->busy && (lies_in(instance->region, start, bytes) || lies_in(instance->carried, start, bytes))) return fail(env, "busy", "an instance is running on it");
  if (napi_detach_arraybuffer(env, memory) != napi_ok) return fail_type(env, "memory must be what was mapped");
  return undefined(env);
}

/* (parent) -> whether the system will end this process with it */
static napi_value end_with_parent(napi_env env, napi_callback_info info) {
  napi_value value, result = 0;
  unsigned long parent;
  if (!arguments(env, info, 1, &value)) return 0;
  if (!count_of(env, value, &parent) || parent > 0x7fffffff) return fail_type(env, "parent must be the number of a process");
  napi_get_boolean(env, glowplug_end_with_parent((int)parent) == 0, &result);
  return result;
}

/* The last of an environment. Handles may be collected after it. */
static void ended(napi_env env, void *data, void *hint) {
  struct state *const state = data;
  (void)env;
  (void)hint;
  for (struct instance *instance = state->instances; instance; instance = instance->next) instance->state = 0;
  free(state);
}

__attribute__((visibility("default"))) int node_api_module_get_api_version_v1(void);
int node_api_module_get_api_version_v1(void) { return 8; }

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports);
napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const char *missing = "";
  napi_value lacks = undefined(env);
  const size length = glowplug_first_lacking(glowplug_needs, &missing);
  if (length > 0) napi_create_string_utf8(env, missing, length, &lacks);
  struct state *const state = calloc(1, sizeof *state);
  if (!state) return fail(env, "memory", "no memory for the state of an addon");
  state->env = env;
  if (napi_set_instance_data(env, state, ended, 0) != napi_ok) {
    free(state);
    return fail(env, "handle", "no state could be kept");
  }
  const napi_property_descriptor properties[] = {
    {.utf8name = "lacks", .value = lacks, .attributes = napi_enumerable},
    {.utf8name = "open", .method = open_instance, .attributes = napi_enumerable, .data = state},
    {.utf8name = "lead", .method = lead, .attributes = napi_enumerable, .data = state},
    {.utf8name = "addToChecksum", .method = add_to_checksum, .attributes = napi_enumerable, .data = state},
    {.utf8name = "run", .method = run, .attributes = napi_enumerable, .data = state},
    {.utf8name = "start", .method = start, .attributes = napi_enumerable, .data = state},
    {.utf8name = "close", .method = close_instance, .attributes = napi_enumerable, .data = state},
    {.utf8name = "share", .method = share_memory, .attributes = napi_enumerable, .data = state},
    {.utf8name = "map", .method = map_memory, .attributes = napi_enumerable, .data = state},
    {.utf8name = "unmap", .method = unmap_memory, .attributes = napi_enumerable, .data = state},
    {.utf8name = "endWithParent", .method = end_with_parent, .attributes = napi_enumerable, .data = state},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}
