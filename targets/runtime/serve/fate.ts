import { fail, GlowplugError } from '../error.ts'
import type { RequestOptions } from './api.ts'
import { longestTimer } from './options.ts'

const abortedError = (model: string, signal: AbortSignal) =>
  new GlowplugError('run-aborted', `model '${model}' aborted a run`, signal.reason)

/** Checks what stands for itself in the options of a request. Errors: `bad-option`, `run-aborted`. */
export function checkRequest(model: string, { priority, deadline, signal }: RequestOptions<any>): void {
  if (signal && !signal.addEventListener) fail('bad-option', 'signal is no AbortSignal')
  if (priority !== undefined && !Number.isFinite(priority)) fail('bad-option', `priority must be a number, got ${priority}`)
  if (deadline !== undefined && !(deadline > 0)) fail('bad-option', `deadline must be above 0 milliseconds, got ${deadline}`)
  if (signal?.aborted) throw abortedError(model, signal)
}

const nothing = () => {}

/** Has `cancel` called when the signal of a request fires or its deadline passes, until the function that it returns is called. */
export function watchFate(
  model: string,
  { deadline, signal }: RequestOptions<any>,
  cancel: (error: GlowplugError) => void,
): () => void {
  if (!signal && deadline === undefined) return nothing
  const abort = () => cancel(abortedError(model, signal!))
  signal?.addEventListener('abort', abort)
  const timer =
    deadline !== undefined && deadline <= longestTimer
      ? setTimeout(
          () => cancel(new GlowplugError('deadline-exceeded', `model '${model}' has not answered in ${deadline} ms`)),
          deadline,
        )
      : undefined
  return () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}
