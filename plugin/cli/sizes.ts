// Entries whose dimensions have several sizes, as the tools run them: the inputs of a request are padded, and a hidden input says how much
// of a dimension it fills.
import {
  type BucketedEntry,
  byteSize,
  type Graph,
  inputName,
  type ModelGraph,
  type Node,
  sizeInput,
} from '../../compiler/graph/index.ts'
import { createSelector } from '../../targets/runtime/buckets.ts'
import type { TensorInfo } from '../../targets/runtime/index.ts'
import { uniform } from '../inspect/compare.ts'
import type { Tensors } from '../inspect/reference.ts'
import { readInputs, withShapes } from './run.ts'
import { UsageError } from './terminal.ts'

const infoOf = (name: string, { type }: Node): TensorInfo => ({ name, ...type, offset: 0, bytes: byteSize(type) })

/** The inputs of a graph as a loader sees them. */
export const infosOf = (graph: Graph): TensorInfo[] => graph.inputs.map((node) => infoOf(inputName(node), node))

/** What one entry of the model is part of, with its own sizes alone; undefined where it stands for itself. */
export function bucketOf({ buckets = [] }: ModelGraph, entry: string): BucketedEntry | undefined {
  const whole = buckets.find(({ entries }) => entries.includes(entry))
  if (!whole) return undefined
  let rest = whole.entries.indexOf(entry)
  // Those of the last dimension change fastest.
  const dims = [...whole.dims].reverse().map((dim) => {
    const size = dim.sizes[rest % dim.sizes.length]!
    rest = Math.floor(rest / dim.sizes.length)
    return { ...dim, sizes: [size] }
  })
  return { ...whole, dims: dims.reverse(), entries: [entry] }
}

/** Sizes of a request for one entry, by the name of the dimension: at random, smaller than its own where there is room for padding. */
export function drawSizes({ dims }: BucketedEntry, seed: number): Record<string, number> {
  const random = uniform(seed)
  return Object.fromEntries(
    dims.map(({ name, sizes, least }) => {
      const most = Math.max(least, sizes[0]! - 1)
      return [name, least + Math.floor(random() * (most - least + 1))]
    }),
  )
}

/** The contents of the hidden inputs that the graph has. */
export const sizeTensors = (graph: Graph, sizes: Readonly<Record<string, number>>): Tensors =>
  Object.fromEntries(
    Object.entries(sizes).flatMap(([dim, size]) => {
      const name = sizeInput(dim)
      if (!graph.inputs.some((input) => inputName(input) === name)) return []
      return [[name, new Uint8Array(Int32Array.of(size).buffer)] as const]
    }),
  )

/** Throws UsageError where a hidden input says more or less than a request to this entry can. */
export function checkSizeInputs({ dims }: BucketedEntry, inputs: Tensors): void {
  for (const { name, sizes, least } of dims) {
    const bytes = inputs[sizeInput(name)]
    const size = bytes && new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true)
    if (size !== undefined && (size < least || size > sizes[0]!))
      throw new UsageError(
        `input '${sizeInput(name)}' is ${size}, this entry takes ${least} to ${sizes[0]}`,
        `it is how much of '${name}' the other inputs fill; without it they are padded, and it follows from them`,
      )
  }
}

/** Inputs from files, as long as the request is: which of the entries takes them, and its own inputs, padded. */
export async function padInputs(
  { entries }: Pick<ModelGraph, 'entries'>,
  spec: BucketedEntry,
  given: readonly string[],
  shapes: readonly string[],
): Promise<{ readonly entry: string; readonly inputs: Tensors }> {
  const infos = Object.fromEntries(
    spec.entries.map((name) => {
      const { graph } = entries.find((entry) => entry.name === name)!
      const outputs = graph.outputs.map((output) => infoOf(output.name, output.value))
      return [name, { name, info: { inputs: infosOf(graph), outputs } }]
    }),
  )
  const largest = infos[spec.entries.at(-1)!]!
  const visible = largest.info.inputs.filter(({ name }) => spec.inputs.some((input) => input.name === name))
  const arrays = await readInputs(given, visible, true)
  try {
    const call = createSelector(spec, infos).prepare(withShapes(arrays, shapes), undefined)
    const inputs = call.entry.info.inputs.map((info) => {
      const value: any = call.inputs[info.name]
      if (spec.dims.some(({ name }) => sizeInput(name) === info.name))
        return [info.name, new Uint8Array(Int32Array.from(value).buffer)] as const
      const data = value.data ?? value
      return [info.name, new Uint8Array(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))] as const
    })
    return { entry: call.entry.name, inputs: Object.fromEntries(inputs) }
  } catch (error) {
    if ((error as Error).name !== 'GlowplugError') throw error
    throw new UsageError(
      (error as Error).message,
      'sizes that the length of a file does not tell are given as --shape tokens=2,20',
    )
  }
}
