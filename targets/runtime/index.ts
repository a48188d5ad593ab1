/** The loader of bundles: what a compiled model needs at run time, and nothing else. Needs Node alone. */
export { withBounds } from './bounded.ts'
export type { Bundle } from './bundle.ts'
export { type ErrorCode, GlowplugError } from './error.ts'
export type { InlineSource, Source } from './locate.ts'
export type {
  BucketedEntry,
  BucketedTensor,
  CodeEntry,
  EntryPoint,
  Extent,
  FileEntry,
  Manifest,
  Platform,
  StateRegion,
  StateTensor,
  StateUse,
  TensorSignature,
} from './manifest.ts'
export type { Binding, EntriesInfo, EntriesModel, Entry, Model, ModelInfo, OpenOptions, RunOptions } from './model.ts'
export { open, openBuckets, openPortable, openPortableBuckets } from './open.ts'
export type { TensorInfo } from './plan.ts'
export type { StatefulModel } from './sessions/model.ts'
export { openBucketsSessions, openPortableBucketsSessions, openPortableSessions, openSessions } from './sessions/open.ts'
export type { Session, SessionEntry } from './sessions/session.ts'
export type { InputData, InputValue, TensorArray, TensorValue } from './tensor.ts'
