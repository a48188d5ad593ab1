import {
  denseStrides,
  dtypeFacts,
  elementCount,
  elementsOf,
  findUsers,
  type Graph,
  hasTrait,
  type Node,
  type TensorType,
} from '../graph/index.ts'

/** Elements `from`, `from + 1`, … of an input. */
export interface Traced {
  readonly input: Node
  readonly from: number
  /** Whether the elements are the numbers of the input: moved, or converted between integers. */
  readonly same: boolean
}

/** Where the elements of a slice are that lie one behind the other in what it is a slice of: the first of them; undefined where they do not. */
function firstOf(slice: Node): number | undefined {
  const { shape } = slice.operands[0]!.type
  const { start, size, step } = slice.attributes as Readonly<Record<'start' | 'size' | 'step', readonly number[]>>
  const cut = size.findIndex((extent) => extent !== 1)
  if (cut >= 0 && (size.some((extent, axis) => axis > cut && extent !== shape[axis]) || (size[cut]! > 1 && step[cut] !== 1)))
    return undefined
  return denseStrides(shape).reduce((sum, stride, axis) => sum + stride * start[axis]!, 0)
}

/** The numbers of i32 that a `maximum` or a `minimum` with it leaves as they are. */
const widest = { maximum: -(2 ** 31), minimum: 2 ** 31 - 1 } as const

/** Whether an elementwise node gives the integers that it gets, all that fit into i32 at least. */
function keepsNumbers({ op, operands, type }: Node): boolean {
  if (![type, ...operands.map((operand) => operand.type)].every(isInteger)) return false
  const number = operands.find(isNumber)
  const value = number && elementsOf(number.type.dtype, number.data!.read()).get(0)
  if (op === 'maximum') return value !== undefined && value <= widest.maximum
  if (op === 'minimum') return value !== undefined && value >= widest.minimum
  return op === 'cast'
}

const isInteger = ({ dtype }: TensorType): boolean => ['signed', 'unsigned'].includes(dtypeFacts[dtype].kind)

/** The one place that all of a list are; undefined where they differ or one is none. */
function common(list: readonly (Traced | undefined)[]): Traced | undefined {
  const [first] = list
  return first && list.every((each) => each?.input === first.input && each.from === first.from) ? first : undefined
}

/** Whether a value is a number that every element meets. */
const isNumber = ({ data, type }: Node): boolean => data !== undefined && elementCount(type.shape) === 1

/** Which elements of an input those of a value follow from: each from one, in their order, numbers aside; undefined where they do not. */
export type Trace = (value: Node, from?: number, count?: number) => Traced | undefined

/** Remembers what it found of nodes that several read. */
export function createTrace(): Trace {
  const known = new Map<string, Traced | undefined>()
  function step(node: Node, from: number, count: number): Traced | undefined {
    const [first] = node.operands
    if (hasTrait(node, 'storage')) return node.data ? undefined : { input: node, from, same: true }
    if (node.op === 'reshape') return trace(first!, from, count)
    if (node.op === 'slice') {
      const at = firstOf(node)
      return at === undefined ? undefined : trace(first!, from + at, count)
    }
    if (node.op === 'concat') {
      const axis = node.attributes.axis as number
      const outer = node.type.shape.slice(0, axis < 0 ? axis + node.type.shape.length : axis)
      if (outer.some((extent) => extent !== 1)) return undefined
      let start = from
      for (const operand of node.operands) {
        const size = elementCount(operand.type.shape)
        if (start < size) return start + count <= size ? trace(operand, start, count) : undefined
        start -= size
      }
      return undefined
    }
    if (!hasTrait(node, 'elementwise')) return undefined
    const whole = elementCount(node.type.shape)
    const others = node.operands.filter((operand) => !isNumber(operand))
    if (others.some(({ type }) => elementCount(type.shape) !== whole)) return undefined
    const found = common(others.map((operand) => trace(operand, from, count)))
    return found && { ...found, same: found.same && keepsNumbers(node) }
  }
  function trace(value: Node, from = 0, count = elementCount(value.type.shape)): Traced | undefined {
    const key = `${value.id} ${from} ${count}`
    if (!known.has(key)) known.set(key, step(value, from, count))
    return known.get(key)
  }
  return trace
}

/** A node that reads a value otherwise than element by element, or, without a node, whoever gets it as a result. */
export interface Reader {
  readonly value: Node
  readonly node?: Node
  readonly operand?: number
}

/** Who reads an input in the end, through nodes that `trace` sees through: those whose elements each follow from one of the input. */
export function readersOf(graph: Graph, trace: Trace): (input: Node) => readonly Reader[] {
  const users = findUsers(graph)
  const returned = new Set(graph.outputs.map(({ value }) => value))
  return (input) => {
    const found: Reader[] = []
    const seen = new Set<Node>()
    const visit = (value: Node): void => {
      if (seen.has(value)) return
      seen.add(value)
      if (returned.has(value)) found.push({ value })
      for (const node of new Set(users.get(value) ?? [])) {
        if (trace(node)) visit(node)
        else for (const [operand, given] of node.operands.entries()) if (given === value) found.push({ value, node, operand })
      }
    }
    visit(input)
    return found
  }
}
