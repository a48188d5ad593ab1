import {
  byteSize,
  dtypeFacts,
  elementCount,
  type Graph,
  hasTrait,
  type Node,
  type OpName,
  type TensorType,
} from '../graph/index.ts'

/** What a node does when it runs by itself: each operand is read once, the result written once. */
export interface Work {
  /** Arithmetic operations, a multiplication and its addition counting two; an exponential counts as many as it takes to compute one. */
  readonly operations: number
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** Just enough of a node to say what it does; kernels have this of ops whose nodes are gone. */
export type Worker = Pick<Node, 'op' | 'attributes' | 'type'> & {
  readonly operands: readonly { readonly type: TensorType }[]
  /** The graphs that it runs, or what each of these does in one run. */
  readonly bodies?: readonly (Graph | { readonly work: Work })[]
}

type Count = (worker: Worker) => number

const elements = (type: TensorType): number => elementCount(type.shape)
const operand = (worker: Worker, index: number): number => elements(worker.operands[index]!.type)
const results = (worker: Worker): number => elements(worker.type)

/** Terms of the sum that each result element is: the right operand's elements of one output channel. */
const productOf =
  (innerOf: (worker: Worker) => number): Count =>
  (worker) =>
    2 * innerOf(worker) * results(worker)
const innermost = (worker: Worker): number => worker.operands[0]!.type.shape.at(-1) ?? 1
const perOutput = (worker: Worker): number => operand(worker, 1) / Math.max(1, worker.operands[1]!.type.shape[0] ?? 1)
const windowed: Count = (worker) =>
  results(worker) * (worker.attributes.window as readonly number[]).reduce((product, extent) => product * extent, 1)
const perInput =
  (each: number): Count =>
  (worker) =>
    each * operand(worker, 0)

/** Two products over each score, and its exponential. */
const attended: Count = (worker) => {
  const [query, key, value] = worker.operands.map(({ type }) => type.shape as [number, number, number, number])
  const [batch, heads, length, size] = query!
  return batch * heads * length * key![2] * (2 * (size + value![3]) + 14)
}

/** A product with the hidden state in each step, and the functions of the gates; a layer has the product with the input besides. */
const stepped =
  (recurrent: number, weight?: number): Count =>
  (worker) => {
    const [, rows, width] = worker.operands[recurrent]!.type.shape as [number, number, number]
    const [, directions, batch] = worker.type.shape as [number, number, number, number]
    const steps = worker.operands[0]!.type.shape[0]!
    const features = weight === undefined ? 0 : worker.operands[weight]!.type.shape[2]!
    return steps * directions * batch * rows * (2 * (width + features) + 18)
  }

/** Rows that look-ups of bags pick: as many as there are indices, or as the model says there are about. */
function rowsOfBags(worker: Worker): number {
  const { averageLength } = worker.attributes as { readonly averageLength?: number }
  const most = operand(worker, 0)
  return averageLength === undefined ? most : Math.min(most, averageLength * (worker.type.shape[0] ?? 1))
}

/** Elements of all rows that indices pick. */
const lookedUp: Count = (worker) => rowsOfBags(worker) * (worker.type.shape.at(-1) ?? 1)

/** Four elements for each of the samples of a cell; where regions say how many there are, two along each axis. */
const sampled: Count = (worker) => results(worker) * 8 * ((worker.attributes.samples as number) || 2) ** 2

/** Ops that are neither one operation for each result element nor, as reductions are, one for each operand element. */
const counts: Partial<Record<OpName, Count>> = {
  matmul: productOf(innermost),
  matmulInteger: productOf(innermost),
  linear: productOf(innermost),
  blockLinear: (worker) => productOf(innermost)(worker) + 3 * innermost(worker) * (worker.type.shape.at(-1) ?? 1),
  dequantizeBlocks: (worker) => 4 * results(worker),
  conv: productOf(perOutput),
  convInteger: productOf(perOutput),
  blockedConv: productOf(perOutput),
  blockedConvInteger: productOf(perOutput),
  convTranspose: (worker) => 2 * operand(worker, 0) * perOutput(worker),
  maxPool: windowed,
  avgPool: windowed,
  lpPool: windowed,
  attention: attended,
  embeddingBag: lookedUp,
  raggedEmbeddingBag: lookedUp,
  bagOffsets: perInput(1),
  rotaryEmbedding: perInput(3),
  regionPool: sampled,
  gridSample: (worker) => results(worker) * { nearest: 2, linear: 12, cubic: 60 }[worker.attributes.mode as 'linear'],
  lstm: stepped(2, 1),
  gru: stepped(2, 1),
  rnn: stepped(2, 1),
  recurrence: stepped(1),
  softmax: perInput(14),
  logSoftmax: perInput(14),
  layerNorm: perInput(8),
  rmsNorm: perInput(5),
  groupNorm: perInput(8),
  batchNorm: perInput(2),
  cumSum: perInput(1),
  cumProd: perInput(1),
  argMax: perInput(1),
  argMin: perInput(1),
  truePositions: perInput(1),
  suppressedBoxes: (worker) => 10 * results(worker) * Math.log2(2 + operand(worker, 1)) + operand(worker, 1),
  topKIndices: (worker) => operand(worker, 0) * Math.log2(2 + (worker.operands[0]!.type.shape.at(-1) ?? 1)),
}

/** Elements of an operand that look-ups read at most, where not as many as they have results. */
const reads: Partial<Record<OpName, Count>> = { embeddingBag: lookedUp, raggedEmbeddingBag: lookedUp }

/** Rows of a table of rows that a look-up picks. */
export function pickedRows(worker: Worker): number {
  const width = worker.type.shape.at(-1) ?? 1
  return (reads[worker.op as OpName]?.(worker) ?? results(worker)) / Math.max(1, width)
}

/** Operations that one element of an elementwise op takes, where not one: roughly what the vector form of it compiles to. */
const elementOperations: Partial<Record<OpName, number>> = {
  div: 4,
  mod: 8,
  fmod: 8,
  pow: 30,
  sqrt: 4,
  rsqrt: 4,
  reciprocal: 4,
  exp: 12,
  log: 16,
  sin: 20,
  cos: 20,
  tan: 24,
  asin: 24,
  acos: 24,
  atan: 24,
  sinh: 20,
  cosh: 20,
  asinh: 24,
  acosh: 24,
  atanh: 24,
  erf: 20,
  tanh: 18,
  sigmoid: 16,
  silu: 17,
  mish: 40,
  softplus: 28,
  softsign: 6,
  elu: 14,
  celu: 18,
  selu: 15,
  gelu: 24,
  hardSwish: 5,
  hardSigmoid: 4,
  clamp: 2,
  leakyRelu: 3,
  prelu: 3,
}

/** Operations of one element of an elementwise op. */
export const operationsPerElement = (op: string): number => elementOperations[op as OpName] ?? 1

function operationsOf(worker: Worker): number {
  const node = worker as Node
  const count = counts[worker.op as OpName]
  if (count) return count(worker)
  if (hasTrait(node, 'elementwise')) return results(worker) * operationsPerElement(worker.op)
  if (hasTrait(node, 'movement') || hasTrait(node, 'storage')) return 0
  // Look-ups: however long the table is.
  if (hasTrait(node, 'checked')) return results(worker)
  return Math.max(results(worker), ...worker.operands.map(({ type }) => elements(type)))
}

/**
 * Operations and bytes of a node that runs by itself. Views and storage do nothing; movements and look-ups read no more elements of an
 * operand than they have results, or than `reads` says.
 */
export function workOf(worker: Worker): Work {
  const node = worker as Node
  if (hasTrait(node, 'storage') || hasTrait(node, 'view') || hasTrait(node, 'bits'))
    return { operations: 0, bytesRead: 0, bytesWritten: 0 }
  const bytesRead = operandBytes(worker).reduce((sum, bytes) => sum + bytes, 0)
  if (worker.bodies) return addWork(workOfBodies(worker), { operations: 0, bytesRead, bytesWritten: byteSize(worker.type) })
  return { operations: operationsOf(worker), bytesRead, bytesWritten: byteSize(worker.type) }
}

/** Bytes that a node which runs by itself reads of each operand. */
export function operandBytes(worker: Worker): readonly number[] {
  const node = worker as Node
  const picks = hasTrait(node, 'movement') || hasTrait(node, 'checked')
  const picked = reads[worker.op as OpName]?.(worker) ?? results(worker)
  return worker.operands.map(({ type }) => {
    const bytes = byteSize(type)
    return picks ? Math.min(bytes, picked * dtypeFacts[type.dtype].bytes) : bytes
  })
}

/** Turns of a loop that says nothing of how many it takes. */
const unknownTurns = 8

/** The bodies as often as they are run: a loop as many turns as it takes at most, of a branch either side half the time. */
function workOfBodies({ op, attributes, bodies = [] }: Worker): Work {
  const limit = attributes.limit as number | undefined
  const times = op === 'loop' ? limit || unknownTurns : 1 / bodies.length
  return bodies.reduce((sum, body) => {
    const { operations, bytesRead, bytesWritten } = 'work' in body ? body.work : workOfGraph(body)
    return addWork(sum, {
      operations: operations * times,
      bytesRead: bytesRead * times,
      bytesWritten: bytesWritten * times,
    })
  }, noWork)
}

/** All nodes of a graph, one after the other. */
export const workOfGraph = (graph: Graph): Work => graph.nodes.reduce((sum, node) => addWork(sum, workOf(node)), noWork)

/** Two pieces of work done one after the other. */
export const addWork = (a: Work, b: Work): Work => ({
  operations: a.operations + b.operations,
  bytesRead: a.bytesRead + b.bytesRead,
  bytesWritten: a.bytesWritten + b.bytesWritten,
})

export const noWork: Work = { operations: 0, bytesRead: 0, bytesWritten: 0 }
