/* What the addon uses of Node-API version 8, declared here so that nothing but a C compiler is needed to build it. */
#ifndef GLOWPLUG_NODE_API_H
#define GLOWPLUG_NODE_API_H

typedef __SIZE_TYPE__ size;

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_ref__ *napi_ref;
typedef struct napi_callback_info__ *napi_callback_info;
typedef struct napi_threadsafe_function__ *napi_threadsafe_function;

typedef enum { napi_ok = 0, napi_pending_exception = 10 } napi_status;
typedef enum { napi_undefined = 0, napi_function = 7 } napi_valuetype;
typedef enum { napi_uint8_array = 1 } napi_typedarray_type;
typedef enum { napi_enumerable = 2 } napi_property_attributes;
typedef enum { napi_tsfn_release = 0, napi_tsfn_abort = 1 } napi_threadsafe_function_release_mode;
typedef enum { napi_tsfn_nonblocking = 0, napi_tsfn_blocking = 1 } napi_threadsafe_function_call_mode;

typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
typedef void (*napi_finalize)(napi_env, void *data, void *hint);
typedef void (*napi_threadsafe_function_call_js)(napi_env, napi_value function, void *context, void *data);

typedef struct {
  const char *utf8name;
  napi_value name;
  napi_callback method, getter, setter;
  napi_value value;
  int attributes;
  void *data;
} napi_property_descriptor;

napi_status napi_get_undefined(napi_env, napi_value *);
napi_status napi_create_int32(napi_env, int, napi_value *);
napi_status napi_create_string_utf8(napi_env, const char *, size, napi_value *);
napi_status napi_define_properties(napi_env, napi_value, size, const napi_property_descriptor *);
napi_status napi_get_cb_info(napi_env, napi_callback_info, size *, napi_value *, napi_value *, void **);
napi_status napi_typeof(napi_env, napi_value, int *);
napi_status napi_get_boolean(napi_env, _Bool, napi_value *);
napi_status napi_get_value_bool(napi_env, napi_value, _Bool *);
napi_status napi_get_value_double(napi_env, napi_value, double *);
napi_status napi_get_value_string_utf8(napi_env, napi_value, char *, size, size *);
napi_status napi_create_external_arraybuffer(napi_env, void *, size, napi_finalize, void *hint, napi_value *);
napi_status napi_detach_arraybuffer(napi_env, napi_value);
napi_status napi_get_arraybuffer_info(napi_env, napi_value, void **, size *);
napi_status napi_get_typedarray_info(napi_env, napi_value, int *type, size *length, void **, napi_value *buffer, size *offset);
napi_status napi_create_external(napi_env, void *, napi_finalize, void *hint, napi_value *);
napi_status napi_get_value_external(napi_env, napi_value, void **);
napi_status napi_create_reference(napi_env, napi_value, unsigned, napi_ref *);
napi_status napi_delete_reference(napi_env, napi_ref);
napi_status napi_get_reference_value(napi_env, napi_ref, napi_value *);
napi_status napi_call_function(napi_env, napi_value this, napi_value function, size, const napi_value *, napi_value *);
napi_status napi_throw_error(napi_env, const char *code, const char *message);
napi_status napi_throw_type_error(napi_env, const char *code, const char *message);
napi_status napi_throw_range_error(napi_env, const char *code, const char *message);
napi_status napi_get_and_clear_last_exception(napi_env, napi_value *);
napi_status napi_fatal_exception(napi_env, napi_value);
napi_status napi_adjust_external_memory(napi_env, long long, long long *);
napi_status napi_set_instance_data(napi_env, void *, napi_finalize, void *hint);
napi_status napi_add_env_cleanup_hook(napi_env, void (*)(void *), void *);
napi_status napi_create_threadsafe_function(napi_env, napi_value function, napi_value resource, napi_value name, size limit,
                                            size threads, void *, napi_finalize, void *context,
                                            napi_threadsafe_function_call_js, napi_threadsafe_function *);
napi_status napi_call_threadsafe_function(napi_threadsafe_function, void *data, napi_threadsafe_function_call_mode);
napi_status napi_release_threadsafe_function(napi_threadsafe_function, napi_threadsafe_function_release_mode);
napi_status napi_ref_threadsafe_function(napi_env, napi_threadsafe_function);
napi_status napi_unref_threadsafe_function(napi_env, napi_threadsafe_function);

#endif
