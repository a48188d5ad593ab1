import { operandBytes, workOf } from '../cost/index.ts'
import { byteSize, dtypeFacts, hasTrait, type Node, type TensorType } from '../graph/index.ts'
import type { Arithmetic, MemoryLevel, Processor } from './platform.ts'

/** What a node does on a processor, in the units of its rates. */
export interface Load {
  readonly arithmetic: Arithmetic
  /** A multiplication and its addition count two. */
  readonly operations: number
  /** Bytes to and from each level of memory, in the order of the processor's levels. */
  readonly bytes: readonly number[]
  /** Those of them that are rows which indices pick: memory gives them at a part of its rate. */
  readonly lookedUp: readonly number[]
}

/** The index of the fastest level that a tensor fits into; the last holds whatever fits nowhere. */
export function levelOf(bytes: number, memory: readonly MemoryLevel[]): number {
  const found = memory.findIndex((level) => bytes <= level.bytes)
  return found < 0 ? memory.length - 1 : found
}

/** The rates at which values of a type are computed: integers of more than a byte in the lanes of f32. */
function arithmeticOf({ dtype }: TensorType): Arithmetic {
  const { bytes, kind } = dtypeFacts[dtype]
  if (bytes === 1) return 'int8'
  return kind === 'float' && bytes === 2 ? 'f16' : 'f32'
}

/**
 * What a node does when it runs by itself. A value lies in the fastest level that holds it, as in Glow's partitioner, a constant in the fastest
 * that holds all `resident` bytes of constants which are there together; of a table that indices pick rows of, only those are read, from the
 * level that the whole table is in.
 */
export function loadOf(node: Node, { memory }: Pick<Processor, 'memory'>, resident = 0): Load {
  const { operations, bytesWritten } = workOf(node)
  const bytes = memory.map(() => 0)
  const lookedUp = memory.map(() => 0)
  if (!hasTrait(node, 'storage') && !hasTrait(node, 'view')) {
    const read = operandBytes(node)
    node.operands.forEach(({ type, data }, i) => {
      const whole = byteSize(type)
      const into = hasTrait(node, 'checked') && read[i]! < whole ? lookedUp : bytes
      into[levelOf(data ? Math.max(whole, resident) : whole, memory)]! += read[i]!
    })
    bytes[levelOf(bytesWritten, memory)]! += bytesWritten
  }
  const [first] = node.operands
  return { arithmetic: arithmeticOf(first?.type ?? node.type), operations, bytes, lookedUp }
}

/**
 * Seconds that a processor takes for it, all cores together: the longest of computing and of moving to and from each level (the roofline
 * model: S. Williams, A. Waterman, D. Patterson, 2009; with several levels as in Glow's partitioner). A command to begin it is not in it.
 */
export function secondsOf(load: Load, { operationsPerSecond, memory, utilisation }: Processor): number {
  const computing = load.operations / (operationsPerSecond[load.arithmetic] * utilisation.arithmetic)
  const moving = memory.map(
    ({ bytesPerSecond }, i) => (load.bytes[i]! + load.lookedUp[i]! / utilisation.lookups) / bytesPerSecond,
  )
  return Math.max(computing, ...moving)
}

/** Bytes of the constants that nodes read. */
export function residentBytes(nodes: Iterable<Node>): number {
  const constants = new Set<Node>()
  for (const { operands } of nodes) for (const operand of operands) if (operand.data) constants.add(operand)
  let sum = 0
  for (const { type } of constants) sum += byteSize(type)
  return sum
}

/** Seconds of nodes that run one after the other, on a processor that has their constants, and `resident` bytes of others. */
export function secondsOfNodes(nodes: readonly Node[], processor: Processor, resident = 0): number {
  const together = resident + residentBytes(nodes)
  return nodes.reduce((sum, node) => sum + secondsOf(loadOf(node, processor, together), processor), 0)
}
