/** The loader of bundles: what a compiled model needs at run time, and nothing else. Needs Node alone. */
export type { Bundle } from './bundle.ts'
export { checkManifest } from './check.ts'
export { type ErrorCode, GlowplugError } from './error.ts'
export type { TensorInfo } from './load.ts'
export type { InlineSource, Source } from './locate.ts'
export type { CodeEntry, EntryPoint, FileEntry, Manifest, TensorSignature } from './manifest.ts'
export { type Binding, type Model, type ModelInfo, type OpenOptions, open, type RunOptions } from './open.ts'
export type { InputData, InputValue, TensorArray, TensorValue } from './tensor.ts'
