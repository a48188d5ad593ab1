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
 * | `output-unknown` `output-type` `output-length` | the same for the arrays given as `into` |
 * | `bad-option` | an option of open() or run() is out of range |
 * | `not-ready` | runSync() or bind() came before the code could be loaded; await ready() first |
 * | `out-of-memory` | the model's regions cannot be allocated |
 * | `run-fault` | the model itself refused its input, such as an index outside a table |
 * | `run-crashed` | the code trapped or its worker died; the worker is started anew |
 * | `run-aborted` | the signal fired; `cause` is its reason |
 * | `queue-full` | more requests wait than `queue` allows |
 * | `closed` | the model has been closed |
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
  | 'output-unknown'
  | 'output-type'
  | 'output-length'
  | 'bad-option'
  | 'not-ready'
  | 'out-of-memory'
  | 'run-fault'
  | 'run-crashed'
  | 'run-aborted'
  | 'queue-full'
  | 'closed'

/** The one class of errors that the loader throws and rejects with. */
export class GlowplugError extends Error {
  override name = 'GlowplugError'
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause ? { cause } : undefined)
    this.code = code
  }
}

export function fail(code: ErrorCode, message: string, cause?: unknown): never {
  throw new GlowplugError(code, message, cause)
}

/** Words what went wrong with a file, or with an instance that reads it; the error may come from a worker, as plain data. */
export function explain(
  error: any,
  { place, bytes }: { readonly place: string | Uint8Array; readonly bytes?: number },
): GlowplugError {
  const { code, message, name } = error
  const file = typeof place === 'string' ? place : 'a bundle file'
  const say = (as: ErrorCode, text: string) => new GlowplugError(as, text, error)
  if (name === 'GlowplugError') return error
  if (code === 'size') return say('bundle-truncated', `${file} has ${message} bytes, not ${bytes}; copy it again`)
  if (code === 'digest') return say('bundle-digest', `${file} is damaged; copy or build it again`)
  if (code === 'ENOENT') return say('bundle-missing-file', `${file} is missing; copy the whole folder`)
  if (name === 'RangeError') return say('out-of-memory', `model too large: ${message}`)
  if (name === 'SyntaxError') return say('bundle-malformed', `${file} is damaged: ${message}`)
  return say(code ? 'bundle-unreadable' : 'target-unavailable', `${code ? file : 'the code'} cannot be loaded: ${message}`)
}
