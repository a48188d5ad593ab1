import {
  byteSize,
  callersEnds,
  dtypeFacts,
  type Graph,
  graphsWithin,
  inputName,
  type ModelState,
  type Node,
  stateEnds,
} from '../compiler/graph/index.ts'
import { EvaluationFault, runGraph } from '../targets/interpreter/index.ts'
import { boundedInfo, trimmed } from '../targets/runtime/bounded.ts'
import { createBucketed, createSelector, mergeEntries } from '../targets/runtime/buckets.ts'
import { fail } from '../targets/runtime/error.ts'
import type { BucketedEntry, Entry, ModelInfo, TensorInfo, TensorSignature, TensorValue } from '../targets/runtime/index.ts'
import { arrayOf, checkNames, copyInput, elementCount, outputArray, type TensorArray } from '../targets/runtime/tensor.ts'
import { traceSpec } from './trace.ts'

declare const GLOWPLUG_VERSION: string

/** An entry of a model that was not compiled, on the reference interpreter, with the checks of the loader of compiled ones. */
export interface EntryRunner {
  readonly info: ModelInfo
  /** `held` is what a session holds, which the run renews. Entries that have state fail with `session-needed` without it. */
  run(
    inputs: unknown,
    options: { readonly into?: object; readonly signal?: AbortSignal } | undefined,
    closed: boolean,
    held?: Held,
  ): object
  bind(closed: () => boolean, sizes?: Readonly<Record<string, number>>): { inputs: object; outputs: object; run(): void }
}

/** States of a session, by name; those that are not there have their initial values. */
export type Held = Map<string, Uint8Array>

export type Runners = ReadonlyMap<string, EntryRunner>

let warned = false

/** Runs each `forward` once to get the graphs. Throws ModelProblem. */
export function createRunners(spec: unknown): Runners {
  const { name, entries, buckets = [], states = [] } = traceSpec(spec)
  if (!warned) {
    warned = true
    process.emitWarning(
      `model '${name}' was not compiled and runs on the reference interpreter, which is slow; add the glowplug plugin to the bundler`,
      {
        code: 'GLOWPLUG_INTERPRETED',
      },
    )
  }
  const data = new Map(
    entries.flatMap(({ graph }) =>
      [...graphsWithin(graph)].flatMap(({ nodes }) => nodes).flatMap((node) => (node.data ? [[node.data, node.type]] : [])),
    ),
  )
  const constants = [...data.values()].reduce((sum, type) => sum + byteSize(type), 0)
  const runners = Object.fromEntries(entries.map((entry) => [entry.name, createRunner(entry.graph, constants, states)]))
  const merged = mergeEntries(
    Object.keys(runners),
    buckets,
    (entry) => runners[entry]!,
    (bucketed) => createBucketedRunner(bucketed, runners),
  )
  return new Map(Object.entries(merged).map(([entry, runner]) => [entry, trimmingRunner(runner)]))
}

/** Outputs whose size data decides, as callers get them of compiled models. */
const trimmingRunner = (runner: EntryRunner): EntryRunner => ({
  get info() {
    return boundedInfo(runner.info)
  },
  run: (inputs, options, closed, held) =>
    trimmed(runner.run(inputs, options, closed, held) as Record<string, TensorValue>, options?.into),
  bind: runner.bind,
})

function createBucketedRunner(spec: BucketedEntry, runners: Readonly<Record<string, EntryRunner>>): EntryRunner {
  const selector = createSelector(spec, runners)
  const over = (closed: () => boolean) => {
    const entries = Object.entries(runners).map(([name, runner]) => [name, { ...runner, name, bind: () => runner.bind(closed) }])
    return createBucketed(spec, Object.fromEntries(entries) as Readonly<Record<string, Entry>>)
  }
  return {
    get info() {
      return over(() => false).info
    },
    run(inputs, options = {}, closed, held) {
      const call = selector.prepare(inputs, options.into)
      return call.finish(
        call.entry.run(call.inputs, { ...options, into: call.into }, closed, held) as Record<string, TensorValue>,
      )
    },
    bind: (closed, sizes) => over(closed).bind(sizes),
  }
}

function createRunner(graph: Graph, constants: number, states: readonly ModelState[]): EntryRunner {
  const signatureOf = (name: string, { type }: Node): TensorSignature => ({
    name,
    dtype: type.dtype,
    shape: Object.freeze([...type.shape]),
    ...(type.quantization ? { quantization: type.quantization } : {}),
  })
  const ends = callersEnds(graph, states)
  const inputs = ends.inputs.map((node) => signatureOf(inputName(node), node))
  const outputs = ends.outputs.map(({ name, value }) => signatureOf(name, value))
  const own = states
    .map((state) => ({ ...state, ends: stateEnds(graph, state) }))
    .filter(({ ends: { before, after } }) => before ?? after)
  const fresh = ({ dtype, shape }: TensorSignature): TensorArray => new (arrayOf(dtype))(elementCount(shape))

  function compute(arrays: readonly TensorArray[], closed: boolean, held?: Held): TensorArray[] {
    if (closed) fail('closed', `model '${graph.name}' is closed`)
    if (own.length > 0 && !held)
      fail('session-needed', `model '${graph.name}' keeps state and runs in sessions alone: const session = model.session()`)
    const current = own
      .filter(({ ends: { before } }) => before)
      .map(({ name, input, type, initial }) => [input, held!.get(name) ?? initial?.read() ?? new Uint8Array(byteSize(type))])
    try {
      const given = Object.fromEntries(
        inputs.map(({ name }, i) => [name, new Uint8Array(arrays[i]!.buffer, arrays[i]!.byteOffset, arrays[i]!.byteLength)]),
      )
      const computed = runGraph(graph, { ...given, ...Object.fromEntries(current) })
      for (const {
        name,
        output,
        ends: { after },
      } of own)
        if (after) held!.set(name, computed[output]!)
      return outputs.map((tensor) => {
        const bytes = computed[tensor.name]!
        const result = fresh(tensor)
        new Uint8Array(result.buffer).set(bytes)
        return result
      })
    } catch (error) {
      if (error instanceof EvaluationFault) fail('run-fault', error.message, error)
      throw error
    }
  }

  function read(given: unknown): TensorArray[] {
    const values = (typeof given === 'object' && given !== null ? given : {}) as Record<string, unknown>
    checkNames(values, inputs, 'input')
    return inputs.map((tensor) => {
      const array = fresh(tensor)
      copyInput(tensor, Object.hasOwn(values, tensor.name) ? values[tensor.name] : undefined, array)
      return array
    })
  }

  const results = (dataOf: (index: number) => TensorArray) =>
    Object.fromEntries(outputs.map(({ name, shape }, i) => [name, { data: dataOf(i), shape }]))

  return {
    get info() {
      return describe()
    },
    run(given, { into, signal } = {}, closed, held) {
      if (signal?.aborted) fail('run-aborted', `a run of model '${graph.name}' was aborted`, signal.reason)
      if (into) checkNames(into, outputs, 'output')
      const targets = outputs.map((tensor) => {
        const value = (into as Record<string, unknown> | undefined)?.[tensor.name]
        return value === undefined ? undefined : outputArray(tensor, value)
      })
      const computed = compute(read(given), closed, held)
      for (const [i, target] of targets.entries()) target?.set(computed[i] as never)
      return results((i) => targets[i] ?? computed[i]!)
    },
    bind(closed) {
      const [given, taken] = [inputs.map(fresh), outputs.map(fresh)]
      const named = (tensors: readonly TensorSignature[], arrays: readonly TensorArray[]) =>
        Object.fromEntries(tensors.map(({ name }, i) => [name, arrays[i]!]))
      return {
        inputs: named(inputs, given),
        outputs: named(outputs, taken),
        run() {
          for (const [i, result] of compute(given, closed()).entries()) taken[i]!.set(result as never)
        },
      }
    },
  }

  /** Offsets as if inputs and outputs lay one after another; nothing is planned for an interpreter, so there are no activations. */
  function describe(): ModelInfo {
    let offset = 0
    const place = (tensor: TensorSignature): TensorInfo => {
      const bytes = elementCount(tensor.shape) * dtypeFacts[tensor.dtype as keyof typeof dtypeFacts].bytes
      offset += bytes
      return { ...tensor, offset: offset - bytes, bytes }
    }
    const [placedInputs, placedOutputs] = [inputs.map(place), outputs.map(place)]
    return {
      model: graph.name,
      target: 'interpreter',
      level: 'any',
      fallback: 'the model was not compiled: the module was loaded without the glowplug plugin',
      instances: 1,
      threads: 1,
      regions: { constants, mutable: offset, activations: 0, lowerBound: 0 },
      weightBytes: constants,
      inputs: placedInputs,
      outputs: placedOutputs,
      glowplug: GLOWPLUG_VERSION,
      toolchain: {},
    }
  }
}
