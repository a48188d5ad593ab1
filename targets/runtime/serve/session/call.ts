import type { GlowplugError } from '../../error.ts'
import type { TensorArray } from '../../tensor.ts'
import type { RequestOptions, ServedEntry } from '../api.ts'
import type { Count } from '../count.ts'
import { checkRequest, watchFate } from '../fate.ts'
import type { RecordedFlow } from '../record.ts'
import { copyOutputs, createInputPool, type Results, targetsIn } from '../tensors.ts'

/** An entry as a session sees it: without what is carried. */
export interface SessionEntry extends ServedEntry<any, any> {
  readonly info: { readonly inputs: RecordedFlow['inputs']; readonly outputs: RecordedFlow['outputs'] }
}

/** A run that was asked for. */
export interface Call {
  readonly flow: RecordedFlow
  /** In the order of the flow's inputs; those that are carried are empty. */
  readonly inputs: readonly TensorArray[]
  readonly priority: number
  done(outputs: readonly TensorArray[]): void
  failed(error: GlowplugError): void
}

export interface SessionEntryOptions {
  readonly model: string
  readonly flow: RecordedFlow
  isCarried(key: 'input' | 'output', index: number): boolean
  /** Inputs that are the same for all requests. */
  readonly fixed: readonly (TensorArray | undefined)[]
  check(flow: RecordedFlow, arrays: readonly TensorArray[]): void
  /** Those that have no answer yet. */
  readonly calls: Count
  /** Throws where no more are taken. */
  admit(): void
  /** Queues a call; what it returns answers it with an error, if it has no answer yet. */
  accept(call: Call): (error: GlowplugError) => void
}

const empty = new Uint8Array(0)

export function createSessionEntry(options: SessionEntryOptions): SessionEntry {
  const { model, flow, isCarried, fixed, check, calls, admit, accept } = options
  const info = {
    inputs: flow.inputs.filter((_, i) => !isCarried('input', i) && !fixed[i]),
    outputs: flow.outputs.filter((_, i) => !isCarried('output', i)),
  }
  const pool = createInputPool(info.inputs, [], 4)
  const places = flow.inputs.map((tensor) => info.inputs.indexOf(tensor))
  const taken = flow.outputs.flatMap((tensor, i) => (info.outputs.includes(tensor) ? [i] : []))

  function begin(
    given: unknown,
    request: RequestOptions<any>,
    resolve: (results: Results) => void,
    reject: (error: unknown) => void,
  ) {
    const { into, priority = 0 } = request
    checkRequest(model, request)
    admit()
    const targets = targetsIn(into, info.outputs)
    const own = pool.take(given)
    const inputs = places.map((place, i) => fixed[i] ?? own[place] ?? empty)
    check(flow, inputs)
    let answered = false
    let unwatch: (() => void) | undefined
    const settle = () => {
      answered = true
      unwatch?.()
      pool.give(own)
      calls.remove()
    }
    calls.add()
    const cancel = accept({
      ...{ flow, inputs, priority },
      done(outputs) {
        try {
          const shown = taken.map((i) => outputs[i]!)
          resolve(copyOutputs(info.outputs, targets, shown))
        } catch (error) {
          reject(error)
        }
        settle()
      },
      failed(error) {
        reject(error)
        settle()
      },
    })
    if (!answered) unwatch = watchFate(model, request, cancel)
  }

  return {
    name: flow.entry,
    info,
    run: (inputs, request = {}) => new Promise((resolve, reject) => begin(inputs, request, resolve, reject)),
  }
}
