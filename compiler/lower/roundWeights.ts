import { type ConstantData, copyNode, type Graph, rebuildGraph } from '../graph/index.ts'

/** Products and convolutions: which operands are what is multiplied. */
export const multiplied: Readonly<Record<string, readonly number[]>> = {
  linear: [1],
  matmul: [0, 1],
  conv: [1],
  convTranspose: [1],
  recurrence: [1],
}

/**
 * Constant weights of products and convolutions become numbers of bf16, still of dtype f32, where the target may round operands: what is
 * compared with the target then computes with the same weights. Biases, tables and all else that is not multiplied in a sum stay, also where
 * they are weights for others. It runs behind all passes that fold factors into weights. Returns the same graph where nothing changes.
 *
 *     %1 = constant @"w" [1.001, 2]        %1 = constant @"bf16(w)" [1, 2]
 *     %2 = linear(%0, %1)              →   %2 = linear(%0, %1)
 */
export function roundWeights(graph: Graph): Graph {
  let rounded = 0
  const result = rebuildGraph(graph, (node, operands, builder) => {
    const weights = node.type.dtype === 'f32' ? (multiplied[node.op] ?? []) : []
    const replaced = operands.map((operand, index) => {
      const data = operand.data && weights.includes(index) ? roundedData(operand.data) : undefined
      if (!data) return operand
      rounded++
      return builder.constant(operand.type, data)
    })
    return copyNode(node, builder, replaced)
  })
  return rounded > 0 ? result : graph
}

/** One payload for each, so that entries share what they shared; `undefined` where nothing would change, or numbers would become infinite. */
const known = new WeakMap<ConstantData, { readonly data: ConstantData | undefined }>()

function roundedData(data: ConstantData): ConstantData | undefined {
  const found = known.get(data) ?? { data: isRoundable(data.read()) ? roundedOf(data) : undefined }
  known.set(data, found)
  return found.data
}

const roundedOf = (data: ConstantData): ConstantData => {
  const rounded = { label: `bf16(${data.label})`, read: () => roundToBf16(data.read()) }
  known.set(rounded, { data: undefined })
  return rounded
}

const wordsOf = (bytes: Uint8Array): Uint32Array => {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
}

/** From half a unit above the largest number of bf16 on, what is finite would become infinite. */
const overflow = 0x7f7f8000
const infinity = 0x7f800000

function isRoundable(bytes: Uint8Array): boolean {
  const words = wordsOf(bytes)
  let long = false
  for (let i = 0; i < words.length; i++) {
    const magnitude = words[i]! & 0x7fffffff
    if (magnitude >= overflow && magnitude < infinity) return false
    long ||= (magnitude & 0xffff) !== 0
  }
  return long
}

/** To the nearest number of bf16, ties to even; NaN stays NaN. */
export function roundToBf16(bytes: Uint8Array): Uint8Array {
  const words = wordsOf(bytes)
  const rounded = new Uint32Array(words.length)
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const isNaN = (word & 0x7fffffff) > infinity
    rounded[i] = (isNaN ? word | 0x400000 : word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000
  }
  return new Uint8Array(rounded.buffer)
}
