import { createSelector } from '../buckets.ts'
import type { BucketedEntry, TensorSignature } from '../manifest.ts'
import type { TensorArray } from '../tensor.ts'
import type { RequestOptions, ServedEntry } from './api.ts'
import { checkRequest, watchFate } from './fate.ts'
import type { InputUse } from './placement.ts'
import type { RecordedFlow } from './record.ts'
import { copyOutputs, createInputPool, type Results, targetsIn } from './tensors.ts'
import type { Executor, Job } from './work.ts'

/** Throws where what an input picks does not exist. `arrays` are in the order of the inputs. */
export type Sanitize = (uses: readonly InputUse[], inputs: readonly TensorSignature[], arrays: readonly TensorArray[]) => void

/** A way to call the model, as the placement has it. */
export interface FlowEntry extends ServedEntry<any, any> {
  /** What callers give, and what they get. */
  readonly info: { readonly inputs: readonly TensorSignature[]; readonly outputs: readonly TensorSignature[] }
}

export interface EntryOptions {
  readonly model: string
  readonly flow: RecordedFlow
  /** Of the flow's inputs, those that are the same for all requests. */
  readonly fixed: readonly (TensorArray | undefined)[]
  readonly spare: number
  readonly sanitize?: Sanitize | undefined
  /** Throws where no requests are taken. */
  readonly executor: () => Executor
}

/** What waits for the answer of one request: its caller, its deadline, its signal. */
export function createFlowEntry({ model, flow, fixed, spare, sanitize, executor }: EntryOptions): FlowEntry {
  const pool = createInputPool(flow.inputs, fixed, spare)

  function begin(
    given: unknown,
    options: RequestOptions<any>,
    resolve: (results: Results) => void,
    reject: (error: unknown) => void,
  ) {
    const { into, priority = 0 } = options
    checkRequest(model, options)
    const takes = executor()
    const targets = targetsIn(into, flow.outputs)
    const inputs = pool.take(given)
    let job: Job | undefined
    let answered = false
    let unwatch: (() => void) | undefined
    const end = () => {
      answered = true
      unwatch?.()
      pool.give(inputs)
    }
    try {
      sanitize?.(flow.uses, flow.inputs, inputs)
      job = takes.submit({
        flow,
        inputs,
        priority,
        done(outputs) {
          try {
            resolve(copyOutputs(flow.outputs, targets, outputs))
          } catch (error) {
            reject(error)
          }
          end()
        },
        failed(error) {
          reject(error)
          end()
        },
      })
    } catch (error) {
      pool.give(inputs)
      throw error
    }
    // Where no card stands, it is answered already.
    if (!answered) unwatch = watchFate(model, options, (error) => takes.cancel(job!, error))
  }

  return {
    name: flow.entry,
    info: { inputs: flow.inputs.filter((_, i) => !fixed[i]), outputs: flow.outputs },
    run: (inputs, options = {}) => new Promise((resolve, reject) => begin(inputs, options, resolve, reject)),
  }
}

/** Entries of several sizes as callers see them: one, which takes the smallest that fits. */
export function createBucketedFlow(spec: BucketedEntry, entries: Readonly<Record<string, FlowEntry>>): ServedEntry<any, any> {
  const selector = createSelector(spec, entries as Readonly<Record<string, FlowEntry & { info: any }>>)
  return {
    name: spec.name,
    async run(inputs, options = {}) {
      const call = selector.prepare(inputs, options.into)
      return call.finish(await call.entry.run(call.inputs, { ...options, into: call.into }))
    },
  }
}
