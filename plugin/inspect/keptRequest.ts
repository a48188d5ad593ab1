// A request that failed on a server and was kept there by `keepFailed`: read back, and run again.
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { GlowplugError, type KeptRequest, type ServeOptions } from '../../targets/runtime/serve/index.ts'
import { openServer } from '../../targets/runtime/serve/serve.ts'
import { arrayOf, elementCount } from '../../targets/runtime/tensor.ts'

const text = z.string().max(100_000)
const size = z
  .int()
  .min(0)
  .max(2 ** 31)
const kept = z.strictObject({
  format: z.literal(1),
  glowplug: text,
  model: text,
  bundle: text,
  entry: text,
  request: z.number(),
  time: text,
  error: z.strictObject({ code: text, message: text }),
  cards: z.array(z.strictObject({ name: text, target: text, part: text, error: text.exactOptional() })).max(65536),
  inputs: z
    .array(z.strictObject({ name: text, shape: z.array(size).max(64), file: z.string().regex(/^input\d{1,6}\.bin$/) }))
    .max(65536),
})

/** A folder that holds no kept request, or a damaged one. */
export class KeptRequestError extends Error {
  override readonly name = 'KeptRequestError'
}

/** Longer descriptions are damage. */
const longestText = 2 ** 26

export function readKeptRequest(folder: string): KeptRequest {
  const path = join(folder, 'failure.json')
  const fail = (why: string, cause?: unknown): never => {
    throw new KeptRequestError(`${folder} holds no request that was kept: ${why}`, { cause })
  }
  let value: unknown
  try {
    if (statSync(path).size > longestText) fail('failure.json is too long')
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof KeptRequestError) throw error
    fail((error as Error).message, error)
  }
  const parsed = kept.safeParse(value)
  const issue = parsed.error?.issues[0]
  if (issue) fail(`failure.json: ${issue.path.join('.')}: ${issue.message}`)
  return parsed.data as KeptRequest
}

/** What became of a request that was run again. */
export interface Replay {
  readonly kept: KeptRequest
  /** The same code again, another one, or outputs. */
  readonly verdict: 'same' | 'other' | 'answered'
  readonly code?: string
  readonly message?: string
  /** Cards that ran it, and where it failed. */
  readonly cards: readonly { readonly name: string; readonly target: string; readonly error?: string }[]
  /** Hash of the bundle that it was run with; another than that of the request is another model, or another build of it. */
  readonly bundle: string
}

/**
 * TO-07, FB-20: runs a kept request again. Cards are processes unless the options say otherwise, so that what crashed then crashes nothing now. Throws
 * KeptRequestError, and GlowplugError where the bundle cannot be loaded or has no such entry.
 */
export async function replayRequest(folder: string, bundle: string, options: ServeOptions = {}): Promise<Replay> {
  const kept = readKeptRequest(folder)
  const server = openServer(bundle, { device: 'process', cards: 1, ...options }, { plain: true })
  try {
    const { info } = server
    const entry = server.entries[kept.entry]
    const flow = server.loaded().recorded.flows.find((each) => each.entry === kept.entry)
    if (!entry || !flow) throw new GlowplugError('entry-missing', `the bundle has no entry '${kept.entry}'`)
    const inputs = Object.fromEntries(
      kept.inputs.map(({ name, shape, file }) => {
        const tensor = flow.inputs.find((each) => each.name === name)
        if (!tensor) throw new GlowplugError('input-unknown', `the bundle has no input '${name}'`)
        const bytes = readFileSync(join(folder, file))
        const array = arrayOf(tensor.dtype)
        if (bytes.length !== elementCount(shape) * array.BYTES_PER_ELEMENT)
          throw new KeptRequestError(`${file} has ${bytes.length} bytes, and '${name}' is ${tensor.dtype}[${shape.join(', ')}]`)
        const copy = new Uint8Array(bytes)
        return [name, { data: new array(copy.buffer, 0, copy.length / array.BYTES_PER_ELEMENT), shape }]
      }),
    )
    const ran: Replay['cards'][number][] = []
    await server.ready()
    server.watch((event) => {
      if (event.kind !== 'command') return
      const card = server.info.cards.find(({ index }) => index === event.card)
      const error = event.error?.code ?? (event.fault ? 'run-fault' : undefined)
      ran.push({ name: card?.name ?? String(event.card), target: card?.target ?? '', ...(error && { error }) })
    })
    const shared = { kept, cards: ran, bundle: info.bundle }
    try {
      await entry.run(inputs)
      return { ...shared, verdict: 'answered' }
    } catch (error) {
      if (!(error instanceof GlowplugError)) throw error
      const { code, message } = error
      return { ...shared, verdict: code === kept.error.code ? 'same' : 'other', code, message }
    }
  } finally {
    await server.close()
  }
}
