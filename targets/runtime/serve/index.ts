/** Models served on cards: `glowplug/serve`. Needs Node alone. */
export { type ErrorCode, GlowplugError, type ServeErrorCode } from '../error.ts'
export type {
  BatchInfo,
  CardInfo,
  KernelTime,
  Observe,
  RequestOptions,
  ServedEntry,
  ServeEvent,
  ServeOptions,
  Server,
  ServerInfo,
  ServerStatistics,
  TimeStatistics,
} from './api.ts'
export type { BatchOptions } from './batch/batcher.ts'
export type { CardState } from './card.ts'
export {
  createHost,
  type HostCardInfo,
  type HostOptions,
  type NetworkInfo,
  type NetworkOptions,
  type ServeHost,
} from './manager/host.ts'
export type { Swapped } from './manager/swap.ts'
export { openServed } from './module.ts'
export type { Placement } from './placement.ts'
export type { InlinePlacement, PlacedModel, ServedModule, ServeSource } from './readPlacement.ts'
export { serve } from './serve.ts'
export type { Session, SessionOptions } from './session/session.ts'
export { watchEventLoop } from './watch/eventLoop.ts'
export { type KeptRequest, keepFailed } from './watch/keep.ts'
export { metricsText } from './watch/metrics.ts'
export type { Overhead } from './watch/overhead.ts'
export { type CardFailure, type RequestFailure, type ServerPlugin, watchWith } from './watch/plugins.ts'
export { type SpanApi, type SpanOptionsOfServer, type SpanTracer, watchSpans } from './watch/spans.ts'
export {
  mergeTraces,
  recordTrace,
  type TracedRequest,
  type TraceEvent,
  type TraceFile,
  type TraceOptions,
  type TraceRecording,
  traceLevels,
  watchTrace,
} from './watch/trace.ts'
