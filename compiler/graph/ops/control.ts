// Ops that run graphs of their own. What a body needs of the graph around it is an operand, so that nothing is captured in silence.
import { z } from 'zod'
import { control, primitive } from '../definition.ts'
import type { Attributes, Graph } from '../node.ts'
import { reject } from '../problem.ts'
import { byteSize, printType, type TensorType } from '../type.ts'
import { many, one, size, sizes, values } from './shared.ts'

/** Results of a node with several lie one behind the other, each at a multiple of so many bytes; `resultOf` takes them apart. */
const resultAlignment = 64

/** Where results lie in the bytes that hold all of them. */
export interface ResultLayout {
  readonly types: readonly TensorType[]
  readonly offsets: readonly number[]
  readonly bytes: number
}

function layOut(types: readonly TensorType[]): ResultLayout {
  let bytes = 0
  const offsets = types.map((type) => {
    const at = bytes
    bytes += Math.ceil(byteSize(type) / resultAlignment) * resultAlignment
    return at
  })
  return { types, offsets, bytes }
}

const plain = ({ dtype, shape }: TensorType): TensorType => ({ dtype, shape })
const outputTypes = (body: Graph): TensorType[] => body.outputs.map(({ value }) => plain(value.type))
const counter: TensorType = { dtype: 'i64', shape: [] }
const flag: TensorType = { dtype: 'bool', shape: [] }

const agree = (a: TensorType, b: TensorType) => a.dtype === b.dtype && `${a.shape}` === `${b.shape}`

function requireTypes(op: string, what: string, found: readonly TensorType[], expected: readonly TensorType[]): void {
  if (found.length !== expected.length)
    reject('bad-operand', `${op}: ${what}: ${found.length} tensors where ${expected.length} belong`)
  for (const [i, type] of found.entries())
    if (!agree(type, expected[i]!))
      reject('shape-mismatch', `${op}: ${what} ${i} is ${printType(plain(type))}, expected ${printType(expected[i]!)}`)
}

/**
 * Results of a loop: how many turns it took, carried values behind the last, and what the body gave in each turn, `limit` of them.
 * `outputs` are those of the body.
 */
export function loopResults(
  outputs: readonly TensorType[],
  { carried, limit }: { readonly carried: number; readonly limit: number },
): ResultLayout {
  const given = outputs.slice(1).map(plain)
  const scanned = given.slice(carried).map(({ dtype, shape }): TensorType => ({ dtype, shape: [limit, ...shape] }))
  return layOut([counter, ...given.slice(0, carried), ...scanned])
}

/** Results of a branch: the outputs of its bodies. */
export const branchResults = (outputs: readonly TensorType[]): ResultLayout => layOut(outputs.map(plain))

/** The results of a node that runs bodies. */
export const resultsOf = (op: string, outputs: readonly TensorType[], attributes: Attributes): ResultLayout =>
  op === 'loop' ? loopResults(outputs, attributes as { carried: number; limit: number }) : branchResults(outputs)

/**
 * Operands are the number of turns (i64[]), a condition (bool[]), the carried values, and what the body takes from around it. The body's
 * inputs are the number of the turn (i64[], from 0), the carried values, and the rest; its outputs are whether to go on (bool[]), the
 * carried values for the next turn, and what is kept of each turn. The loop ends after as many turns as the first operand says, or where
 * the condition is false before a turn (ONNX Loop 23).
 *
 * One turn more than `limit` is a fault; what is kept of turns has as many places, and those that no turn filled are 0. Where nothing is kept,
 * a limit of 0 means none.
 */
export const loop = control({
  name: 'loop',
  summary: 'A body run again and again, over values that it carries from turn to turn',
  operands: { inputs: many('count, condition, carried values, and what else the body reads', values) },
  attributes: z.strictObject({ carried: size, limit: size }),
  traits: ['pure', 'anchor', 'checked'],
  bodies: 1,
  infer: ({ inputs }, attributes, [body]) => {
    const { carried } = attributes
    const [count, condition, ...rest] = inputs
    requireTypes(
      'loop',
      'count and condition',
      [count, condition].filter((type) => type !== undefined),
      [counter, flag],
    )
    const taken = body!.inputs.map(({ type }) => type)
    requireTypes('loop', 'body input', [counter, ...rest], taken.map(plain))
    if (rest.length < carried) reject('bad-operand', `loop: ${carried} carried values and ${rest.length} operands`)
    const outputs = outputTypes(body!)
    requireTypes('loop', 'body output', outputs.slice(0, 1 + carried), [flag, ...rest.slice(0, carried).map(plain)])
    if (attributes.limit === 0 && outputs.length > 1 + carried)
      reject('bad-attribute', 'loop: what is kept of turns needs a limit of these')
    return { dtype: 'u8', shape: [loopResults(outputs, attributes).bytes] }
  },
  fault: (_, { limit }) => `more than ${limit} turns, which is the limit that the model states`,
})

/** The first operand decides which of two bodies runs over the others; both take the same and give the same. */
export const branch = control({
  name: 'branch',
  summary: 'One of two bodies, as a condition says; the other is not run',
  operands: { inputs: many('condition, and what the bodies read', values) },
  attributes: z.strictObject({}),
  traits: ['pure', 'anchor', 'checked'],
  bodies: 2,
  infer: ({ inputs: [condition, ...rest] }, _, [then, otherwise]) => {
    requireTypes('branch', 'condition', condition ? [condition] : [], [flag])
    for (const body of [then!, otherwise!])
      requireTypes(
        'branch',
        'body input',
        rest,
        body.inputs.map(({ type }) => plain(type)),
      )
    requireTypes('branch', 'output of the second side', outputTypes(otherwise!), outputTypes(then!))
    return { dtype: 'u8', shape: [branchResults(outputTypes(then!)).bytes] }
  },
})

/** A view: nothing is converted or moved. */
export const resultOf = primitive({
  name: 'resultOf',
  summary: 'One of the results that lie in the bytes of a node with several',
  operands: { packed: one('[bytes]', ['u8']) },
  attributes: z.strictObject({ dtype: z.enum(values), shape: sizes, offset: size }),
  traits: ['pure', 'bits'],
  infer: ({ packed }, { dtype, shape, offset }): TensorType => {
    const type = { dtype, shape }
    if (offset % resultAlignment !== 0 || offset + byteSize(type) > byteSize(packed))
      reject('bad-attribute', `resultOf: ${printType(type)} is no part of ${printType(packed)} from byte ${offset} on`)
    return type
  },
})
