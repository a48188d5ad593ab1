import { builtin } from '../../plan.ts'
import type { RequestFailure, ServerPlugin } from './plugins.ts'

/** What a kept request says of itself, in `failure.json` of its folder; a change of meaning raises `format`. */
export interface KeptRequest {
  readonly format: 1
  readonly glowplug: string
  readonly model: string
  readonly bundle: string
  readonly entry: string
  readonly request: number
  /** ISO 8601. */
  readonly time: string
  readonly error: { readonly code: string; readonly message: string }
  readonly cards: RequestFailure['cards']
  /** Little-endian elements lie in `file`. */
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[]; readonly file: string }[]
}

/** Codes of what callers have brought about themselves: there is nothing to find out. */
const ownDoing = new Set<string>(['run-aborted', 'closed', 'draining', 'deadline-exceeded'])

/**
 * A plug-in that keeps requests that failed, each in a folder of its own in `folder`, for `glowplug replay`: inputs, error, cards, hash of the bundle. `limit` bounds how many;
 * default 20. Requests that were aborted, came too late, or met the end of the server are not kept. Weights are not: the bundle has them.
 */
export function keepFailed(folder: string, { limit = 20 }: { readonly limit?: number | undefined } = {}): ServerPlugin {
  let kept = 0
  return {
    name: 'keepFailed',
    requestFailed(failure) {
      if (ownDoing.has(failure.code) || kept >= limit) return
      kept++
      const { model, bundle, glowplug, entry, request, error, cards, time } = failure
      const values = Object.entries(failure.inputs())
      const about: KeptRequest = {
        ...{ format: 1, glowplug, model, bundle, entry, request, time: new Date(time).toISOString() },
        error: { code: error.code, message: error.message },
        cards,
        // Names of inputs are no names of files.
        inputs: values.map(([name, { shape }], i) => ({ name, shape, file: `input${i}.bin` })),
      }
      return write(
        folder,
        about,
        values.map(([, { data }]) => data),
      ) as never
    },
  }
}

/** Whole or not at all: under another name at first. */
async function write(folder: string, about: KeptRequest, arrays: readonly ArrayBufferView[]): Promise<void> {
  const { mkdir, writeFile, rename } = builtin('fs').promises
  const { join } = builtin('path')
  const name = `${about.time.replace(/[^\dTZ]/g, '')}-${process.pid}-${about.request}`
  const made = join(folder, `.${name}`)
  await mkdir(made, { recursive: true })
  for (const [i, { file }] of about.inputs.entries()) {
    const { buffer, byteOffset, byteLength } = arrays[i]!
    await writeFile(join(made, file), new Uint8Array(buffer, byteOffset, byteLength))
  }
  await writeFile(join(made, 'failure.json'), `${JSON.stringify(about, undefined, 1)}\n`)
  await rename(made, join(folder, name))
}
