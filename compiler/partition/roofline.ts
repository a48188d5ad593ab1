import { operandBytes, workOf } from '../cost/index.ts'
import { byteSize, dtypeFacts, elementCount, hasTrait, type Node, type TensorType } from '../graph/index.ts'
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
  /** What it is, by which a processor may have rates of its own. */
  readonly kinds: readonly string[]
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
export function loadOf(
  node: Node,
  { memory }: Pick<Processor, 'memory'>,
  resident = 0,
  {
    stored = true,
    given = () => true,
  }: {
    /** Whether its result is stored. */ readonly stored?: boolean /** Whether an operand is read from memory. */
    readonly given?: (operand: Node) => boolean
  } = {},
): Load {
  const { operations, bytesWritten } = workOf(node)
  const bytes = memory.map(() => 0)
  const lookedUp = memory.map(() => 0)
  if (!hasTrait(node, 'storage') && !hasTrait(node, 'view')) {
    const read = operandBytes(node)
    node.operands.forEach((operand, i) => {
      const { type, data } = operand
      if (!given(operand)) return
      const whole = byteSize(type)
      const into = hasTrait(node, 'checked') && read[i]! < whole ? lookedUp : bytes
      into[levelOf(data ? Math.max(whole, resident) : whole, memory)]! += read[i]!
    })
    if (stored) bytes[levelOf(bytesWritten, memory)]! += bytesWritten
  }
  const [first] = node.operands
  return { arithmetic: arithmeticOf(first?.type ?? node.type), operations, bytes, lookedUp, kinds: kindsOf(node) }
}

/**
 * What a node is, by which processors may have rates of their own, the closest first: `conv 3x3/2`, `conv 3x3`, `conv` for a window of weights
 * that moves by twos, `conv 3x3 grouped` where it sees some of the channels alone, `linear` where there is no window.
 */
export function kindsOf({
  op,
  attributes,
  operands,
  type,
}: Pick<Node, 'op' | 'attributes' | 'operands' | 'type'>): readonly string[] {
  const [, weight] = operands
  const strides = attributes.stride
  if (!Array.isArray(strides) || !weight || weight.type.shape.length !== type.shape.length) return [op]
  const grouped = weight.type.shape[1]! < operands[0]!.type.shape[1]! ? ' grouped' : ''
  const window = `${op} ${weight.type.shape.slice(2).join('x')}${grouped}`
  return strides.some((stride) => stride !== 1) ? [`${window}/${Math.max(...(strides as number[]))}`, window, op] : [window, op]
}

/** Seconds of computing alone. */
function computing({ arithmetic, operations, kinds }: Load, { operationsPerSecond, utilisation }: Processor): number {
  if (operations === 0) return 0
  const known = kinds.map((kind) => utilisation.kinds?.[kind]).find((share) => share !== undefined)
  return operations / (operationsPerSecond[arithmetic] * (known ?? utilisation.arithmetic))
}

/** Of loads that one kernel does: nothing between them is stored. */
function secondsTogether(loads: readonly Load[], processor: Processor): number {
  const { memory, utilisation } = processor
  const moving = memory.map(
    ({ bytesPerSecond }, i) =>
      loads.reduce((sum, { bytes, lookedUp }) => sum + bytes[i]! + lookedUp[i]! / utilisation.lookups, 0) / bytesPerSecond,
  )
  return Math.max(
    loads.reduce((sum, load) => sum + computing(load, processor), 0),
    ...moving,
  )
}

/**
 * Seconds that a processor takes for it, all cores together: the longest of computing and of moving to and from each level (the roofline
 * model: S. Williams, A. Waterman, D. Patterson, 2009; with several levels as in Glow's partitioner). A command to begin it is not in it.
 */
export const secondsOf = (load: Load, processor: Processor): number => secondsTogether([load], processor)

/** Bytes of the constants that nodes read. */
export function residentBytes(nodes: Iterable<Node>): number {
  const constants = new Set<Node>()
  for (const { operands } of nodes) for (const operand of operands) if (operand.data) constants.add(operand)
  let sum = 0
  for (const { type } of constants) sum += byteSize(type)
  return sum
}

/** Whether a node can be done on a value while it is made, as every target's code does: by elements, with constants at most beside it, or adding up rows that are looked up. */
function follows(node: Node, value: Node): boolean {
  if (hasTrait(node, 'elementwise')) return true
  if (hasTrait(node, 'reduction')) return hasTrait(value, 'checked')
  const elements = elementCount(node.type.shape)
  return (
    elements === elementCount(value.type.shape) &&
    node.operands.every((operand) => operand === value || operand.data !== undefined) &&
    workOf(node).operations <= 2 * elements &&
    !hasTrait(node, 'movement')
  )
}

/** Nodes in groups of which each is one kernel: a value that one node alone reads, and can be done on at once, is not stored. */
function kernelsOf(nodes: readonly Node[]): readonly (readonly Node[])[] {
  const inside = new Set(nodes)
  const readers = new Map<Node, number>()
  for (const node of nodes) for (const operand of new Set(node.operands)) readers.set(operand, (readers.get(operand) ?? 0) + 1)
  const kernelOf = new Map<Node, Node[]>()
  const kernels: Node[][] = []
  for (const node of nodes) {
    const ridden = node.operands.findLast(
      (operand) =>
        inside.has(operand) &&
        readers.get(operand) === 1 &&
        !hasTrait(operand, 'view') &&
        !hasTrait(operand, 'storage') &&
        follows(node, operand),
    )
    const kernel = (ridden && kernelOf.get(ridden)) ?? []
    if (kernel.length === 0) kernels.push(kernel)
    kernel.push(node)
    kernelOf.set(node, kernel)
  }
  return kernels
}

/** Nodes that are one kernel, and its seconds. */
export interface KernelStep {
  readonly nodes: readonly Node[]
  readonly seconds: number
}

/** Kernels of nodes that run one after the other, on a processor that has their constants, and `resident` bytes of others. */
export function kernelSteps(nodes: readonly Node[], processor: Processor, resident = 0): readonly KernelStep[] {
  const together = resident + residentBytes(nodes)
  return kernelsOf(nodes).map((kernel) => {
    const members = new Set(kernel)
    const last = kernel.at(-1)!
    const loads = kernel.map((node) =>
      loadOf(node, processor, together, { stored: node === last, given: (operand) => !members.has(operand) }),
    )
    return { nodes: kernel, seconds: secondsTogether(loads, processor) }
  })
}

/** Seconds of nodes that run one after the other, on a processor that has their constants, and `resident` bytes of others. */
export const secondsOfNodes = (nodes: readonly Node[], processor: Processor, resident = 0): number =>
  kernelSteps(nodes, processor, resident).reduce((sum, { seconds }) => sum + seconds, 0)
