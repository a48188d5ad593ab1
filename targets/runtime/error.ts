import type { Plan } from './plan.ts'

/**
 * Everything that can go wrong with a bundle or a run, by a code that stays the same across versions.
 *
 * | code | means |
 * | --- | --- |
 * | `bundle-missing-file` | a file that the manifest names, or the manifest itself, is not there |
 * | `bundle-unreadable` | a file is there but cannot be read |
 * | `bundle-truncated` | a file has another size than the manifest says |
 * | `bundle-digest` | a file has other contents than the manifest says |
 * | `bundle-format` | the bundle was made by a version of glowplug with another format |
 * | `bundle-malformed` | the manifest is damaged or was not made by glowplug |
 * | `target-unavailable` | the bundle has no code for the wanted target, or this process cannot run it |
 * | `input-missing` `input-unknown` | the names of the inputs are not those of the model |
 * | `input-type` `input-length` `input-value` | an input has the wrong type, the wrong shape or number of elements, or an element that does not fit |
 * | `input-too-long` `input-too-short` | a dimension of several sizes is above the largest of them, or below the least that the model takes |
 * | `input-sizes` | inputs disagree about the size of a dimension, or none of them tells it |
 * | `output-unknown` `output-type` `output-length` | the same for the arrays given as `into` |
 * | `entry-missing` | the model has several entries: call one of them |
 * | `bad-option` | an option of open() or run() is out of range |
 * | `not-ready` | runSync() or bind() came before the code could be loaded; await ready() first |
 * | `out-of-memory` | the model's regions cannot be allocated |
 * | `run-fault` | the model itself refused its input, such as an index outside a table |
 * | `run-crashed` | the code trapped or its worker died; the worker is started anew |
 * | `run-aborted` | the signal fired; `cause` is its reason |
 * | `queue-full` | more requests wait than `queue` allows |
 * | `closed` | the model has been closed |
 * | `session-needed` | the entry has state: run it in a session, `model.session()` |
 * | `session-lost` | the state of the session is gone, or half renewed by a run that failed: `reset()` begins anew |
 * | `session-busy` | runSync() came while runs of the session were under way |
 * | `session-elsewhere` | runSync() came where the state is on a worker since an earlier run(): await run(), or reset() first |
 * | `session-closed` | the session has been closed |
 *
 * Of `glowplug/serve` alone:
 *
 * | code | means |
 * | --- | --- |
 * | `placement-malformed` | the placement file is damaged, or does not fit its bundles |
 * | `placement-missing` | the model has a part for a card that is not there |
 * | `request-refused` | as many requests wait as may, or as many sessions are open |
 * | `deadline-exceeded` | the request was not answered in time |
 * | `card-lost` | a card died or hung with the request on it, and so did the one that tried it again, or there was none |
 * | `card-unavailable` | no card stands on which the request could run |
 * | `card-full` | the model does not fit in what is left of the memory of a card |
 * | `network-missing` `network-exists` `network-busy` | no model has this name, one has, or it has requests under way |
 * | `draining` | no more requests are taken |
 * | `no-sync` | a model on cards cannot run on the calling thread; await run() |
 * | `input-index` `input-lengths` `input-offsets` | what picks rows of tables picks none that exists, or does not agree with its indices |
 */
export type ErrorCode =
  | 'bundle-missing-file'
  | 'bundle-unreadable'
  | 'bundle-truncated'
  | 'bundle-digest'
  | 'bundle-format'
  | 'bundle-malformed'
  | 'target-unavailable'
  | 'input-missing'
  | 'input-unknown'
  | 'input-type'
  | 'input-length'
  | 'input-value'
  | 'input-too-long'
  | 'input-too-short'
  | 'input-sizes'
  | 'output-unknown'
  | 'output-type'
  | 'output-length'
  | 'entry-missing'
  | 'bad-option'
  | 'not-ready'
  | 'out-of-memory'
  | 'run-fault'
  | 'run-crashed'
  | 'run-aborted'
  | 'queue-full'
  | 'closed'
  | 'session-needed'
  | 'session-lost'
  | 'session-busy'
  | 'session-elsewhere'
  | 'session-closed'
  | ServeErrorCode

export type ServeErrorCode =
  | 'placement-malformed'
  | 'placement-missing'
  | 'request-refused'
  | 'deadline-exceeded'
  | 'card-lost'
  | 'card-unavailable'
  | 'card-full'
  | 'network-missing'
  | 'network-exists'
  | 'network-busy'
  | 'draining'
  | 'no-sync'
  | 'input-index'
  | 'input-lengths'
  | 'input-offsets'

/** The one class of errors that the loader throws and rejects with. */
export class GlowplugError extends Error {
  override name = 'GlowplugError'
  declare readonly code: ErrorCode
  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, (cause && { cause }) as ErrorOptions)
    this.code = code
  }
}

export function fail(code: ErrorCode, message: string, cause?: unknown): never {
  throw new GlowplugError(code, message, cause)
}

/** A trap in the code of a model, or a dead worker, unless the error says itself what it is. `about` words a sentence about the model. */
export const crash = (about: (text: string) => string, error: { readonly message: string }): GlowplugError =>
  error instanceof GlowplugError ? error : new GlowplugError('run-crashed', about(`crashed: ${error.message}`), error)

/** Words what went wrong with a file, or with an instance that reads it; the error may come from a worker, as plain data. */
export function explain(
  error: any,
  { place, bytes, weights, mutable, activations }: Pick<Plan, 'place'> & Partial<Plan>,
): GlowplugError {
  const { code, message, name } = error
  if (error instanceof GlowplugError) return error
  const words: Record<string, readonly [ErrorCode, string, string?]> = {
    size: ['bundle-truncated', `has ${message} bytes, not ${bytes}; copy it again`],
    digest: ['bundle-digest', 'is damaged; copy it again'],
    ENOENT: ['bundle-missing-file', 'is missing; copy the folder'],
    RangeError: [
      'out-of-memory',
      `takes ${weights ? weights.bytes + mutable! + activations! : message} bytes: have fewer or smaller`,
      'an instance',
    ],
    SyntaxError: ['bundle-malformed', `is damaged: ${message}`],
  }
  const [as, text, what = typeof place === 'string' ? place : 'a bundle file'] = words[code] ??
    words[name] ?? [code ? 'bundle-unreadable' : 'target-unavailable', `cannot be loaded: ${message}`]
  return new GlowplugError(as, `${what} ${text}`, error)
}
