import { withBuckets } from './buckets.ts'
import { createHost, type Drivers } from './load.ts'
import type { Source } from './locate.ts'
import { createModel, type Model, type OpenOptions } from './model.ts'
import { native } from './native.ts'
import type { InputValue, TensorValue } from './tensor.ts'
import { threads } from './threads.ts'

/**
 * Opens a bundle. Does nothing before the first use: a missing or damaged file is an error of `ready`, `run`, `runSync` or `bind`, and of
 * `info`, `entries` and `name` as far as they read. Errors are `GlowplugError`s with a code.
 */
export const open = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: Source,
  options: OpenOptions = {},
): Model<I, O> => createModel(createHost(source, options, { wasm: threads, module: threads, addon: native }), options)

/** The same without what runs native code, for programs whose bundles have none: bundlers leave it away. */
export const openPortable = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: Source,
  options: OpenOptions = {},
): Model<I, O> => createModel(createHost(source, options, { wasm: threads, module: threads }), options)

const openWith = (drivers: Drivers, source: Source, options: OpenOptions): Model<any, any> => {
  const host = createHost(source, options, drivers)
  return withBuckets(createModel(host, options), host.manifest)
}

/** `open` for any bundle, those included whose entries have dimensions of several sizes: a run takes the smallest that fits. */
export const openBuckets = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: Source,
  options: OpenOptions = {},
): Model<I, O> => openWith({ wasm: threads, module: threads, addon: native }, source, options)

/** The same without what runs native code. */
export const openPortableBuckets = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: Source,
  options: OpenOptions = {},
): Model<I, O> => openWith({ wasm: threads, module: threads }, source, options)
