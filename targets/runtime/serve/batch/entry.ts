import { fail, GlowplugError } from '../../error.ts'
import type { BucketedEntry, TensorSignature } from '../../manifest.ts'
import type { TensorArray } from '../../tensor.ts'
import type { Observe, ServedEntry } from '../api.ts'
import type { InputUse } from '../placement.ts'
import type { RecordedFlow } from '../record.ts'
import { arraysFor } from '../tensors.ts'
import type { Executor, Job } from '../work.ts'
import { type Batcher, type BatchOptions, createBatcher, type RunEntry } from './batcher.ts'
import { createRowEntry, entryOfRows, type Signature } from './rows.ts'

/** What batching needs of the server. */
export interface BatchHost {
  readonly model: string
  readonly options: BatchOptions
  readonly flows: Readonly<Record<string, RecordedFlow>>
  /** Of a flow's inputs, those that are the same for all requests. */
  fixed(flow: RecordedFlow): readonly (TensorArray | undefined)[]
  executor(): Executor
  /** Throws where no requests are taken. */
  admit(): void
  readonly queue: number
  readonly active: number
  /** Cards that stand. */
  standing(): number
  /** Throws where what an input of an entry picks does not exist. */
  readonly sanitize?:
    | ((uses: readonly InputUse[], inputs: readonly TensorSignature[], arrays: readonly TensorArray[], entry: string) => void)
    | undefined
  observe(): Observe | undefined
}

export interface BatchedEntry extends ServedEntry<any, any> {
  readonly batcher: Batcher
}

const dimOf = (spec: BucketedEntry, { dim = 'batch' }: BatchOptions): string | undefined =>
  spec.dims.some(({ name }) => name === dim) ? dim : undefined

/** Entries of one size whose tensors have that many rows. */
const hasRows = ({ inputs, outputs }: RecordedFlow, { rows }: BatchOptions): boolean =>
  rows !== undefined && inputs.some(({ shape }) => shape[0] === rows) && outputs.every(({ shape }) => shape[0] === rows)

/** Whether requests of an entry of several sizes, or of one, share runs. */
export const isBatched = (of: BucketedEntry | RecordedFlow, options: BatchOptions): boolean =>
  'dims' in of ? dimOf(of, options) !== undefined : hasRows(of, options)

/** Why nothing is batched, where that was asked for. */
export const failUnbatched = ({ dim = 'batch', rows }: BatchOptions): never =>
  fail(
    'bad-option',
    `batching: no entry has a dimension '${dim}' of several sizes${rows === undefined ? '; name the dimension as dim, or, for entries of one size, its rows' : `, or ${rows} rows in all outputs`}`,
  )

/** Bags of several requests lie one behind the other in none of them: where each begins follows from the lengths of all before it. */
function refuseBags(name: string, { inputs, uses }: RecordedFlow): void {
  const bags = uses.findIndex(({ lengthsOf, offsetsOf }) => (lengthsOf ?? offsetsOf) !== undefined)
  if (bags >= 0)
    fail(
      'bad-option',
      `batching: input '${inputs[bags]!.name}' of entry '${name}' says how long bags are, whose indices do not lie in rows; let each request fill a run`,
    )
}

/** An entry whose requests share runs. `of` is one that `isBatched`. */
export function createBatchedEntry(host: BatchHost, of: BucketedEntry | RecordedFlow): BatchedEntry {
  const { model, options, flows, fixed, executor, admit, queue, active, standing, sanitize, observe } = host
  const about = (text: string) => `model '${model}' ${text}`
  const whole = 'dims' in of ? of : entryOfRows(of.entry, options.rows!, of)
  const isFixed = (entry: string, name: string) => {
    const flow = flows[entry]!
    return fixed(flow)[flow.inputs.findIndex((tensor) => tensor.name === name)] !== undefined
  }
  for (const entry of whole.entries) refuseBags(whole.name, flows[entry]!)
  const spec: BucketedEntry = { ...whole, inputs: whole.inputs.filter(({ name }) => !isFixed(whole.entries[0]!, name)) }
  const signatureOf = (entry: string): Signature => {
    const { inputs, outputs } = flows[entry]!
    return { inputs: inputs.filter(({ name }) => !isFixed(entry, name)), outputs }
  }
  const check: Parameters<typeof createRowEntry>[4] =
    sanitize &&
    ((entry, tensors, arrays) => {
      const { uses, inputs } = flows[entry]!
      const at = inputs.map(({ name }) => tensors.findIndex((tensor) => tensor.name === name))
      sanitize(
        uses,
        inputs.map((tensor, i) => tensors[at[i]!] ?? tensor),
        inputs.map((_, i) => arrays[at[i]!] ?? fixed(flows[entry]!)[i] ?? new Uint8Array(0)),
        entry,
      )
    })

  /** Arrays of inputs of runs, not in use. */
  const spare = new Map<RecordedFlow, (readonly TensorArray[])[]>()
  const run: RunEntry = (entry, { write, read }, { priority, signal, batch, once }) =>
    new Promise((resolve, reject) => {
      const flow = flows[entry]!
      const takes = executor()
      const free = spare.get(flow) ?? []
      spare.set(flow, free)
      const own = free.pop() ?? arraysFor(signatureOf(entry).inputs)
      let next = 0
      const inputs = fixed(flow).map((array) => array ?? own[next++]!)
      write(own)
      let job: Job | undefined
      const abort = () => takes.cancel(job!, new GlowplugError('run-aborted', about('aborted a run')))
      job = takes.submit({
        ...{ flow, inputs, priority, batch, once },
        done(outputs) {
          try {
            read(outputs)
            resolve()
          } catch (error) {
            reject(error)
          }
        },
        failed: reject,
        ended() {
          signal.removeEventListener('abort', abort)
          free.push(own)
        },
      })
      signal.addEventListener('abort', abort)
    })

  const batcher = createBatcher({
    ...{ model, name: spec.name, options, queue, admit, run, observe },
    entry: createRowEntry(spec, options.dim ?? 'batch', signatureOf, options.masked ?? [], check),
    // One for each card that runs, and one that stands ready to be next.
    capacity: () => Math.min(active, 2 * Math.max(1, standing())),
    nextId: () => executor().nextId(),
  })
  return { name: spec.name, batcher, run: (inputs, request) => batcher.run(inputs, request) }
}
