/** The loader for browsers: the model API over WebAssembly that is fetched. Needs no `unsafe-eval`, no other file, nothing of Node. */
import { type BrowserSource, createBrowserHost } from './browserHost.ts'
import { withBuckets } from './buckets.ts'
import { createModel, type Model, type OpenOptions } from './model.ts'
import type { InputValue, TensorValue } from './tensor.ts'

export { withBounds } from './bounded.ts'
export type { BrowserSource } from './browserHost.ts'
export { type ErrorCode, GlowplugError } from './error.ts'
export type { Binding, EntriesModel, Entry, Model, ModelInfo, OpenOptions, RunOptions } from './model.ts'
export { openBucketsSessions, openSessions } from './sessions/browser.ts'
export type { StatefulModel } from './sessions/model.ts'
export type { Session, SessionEntry } from './sessions/session.ts'
export type { InputData, InputValue, TensorArray, TensorValue } from './tensor.ts'

/**
 * Opens a bundle. Fetches nothing before `ready` or the first `run`; `runSync` and `bind` need `ready` before. Errors are
 * `GlowplugError`s with a code.
 */
export const open = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: BrowserSource,
  options: OpenOptions = {},
): Model<I, O> => createModel(createBrowserHost(source, options), options)

/** `open` for any bundle, those included whose entries have dimensions of several sizes: a run takes the smallest that fits. */
export const openBuckets = <I = Record<string, InputValue>, O = Record<string, TensorValue>>(
  source: BrowserSource,
  options: OpenOptions = {},
): Model<I, O> => {
  const host = createBrowserHost(source, options)
  return withBuckets(createModel(host, options), host.manifest)
}
