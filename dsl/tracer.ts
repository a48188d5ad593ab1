import { type Builder, definitionOf, type Location, type Node, reject } from '../compiler/graph/index.ts'
import type { Tensor } from './tensor.ts'

/** Collects the nodes of the graph being built. The extractor supplies its own, with locations from the syntax it reads. */
export interface Tracer {
  readonly builder: Builder
  /** Where the op being applied stands in the model. */
  location(): Location
}

let current: Tracer | undefined

/** Runs `body` with `tracer` receiving every op that it applies. Nests: a model may be traced while another is. */
export function withTracer<T>(tracer: Tracer, body: () => T): T {
  const outer = current
  current = tracer
  try {
    return body()
  } finally {
    current = outer
  }
}

export function currentTracer(op: string): Tracer {
  return current ?? reject('outside-forward', `${op}: ops are applied inside the forward function of model()`)
}

const nodeKey = Symbol('glowplug.node')

/** The DSL's value: a tensor type as the author sees it, and behind a symbol the node it stands for. */
class TracedTensor {
  readonly [nodeKey]: Node
  constructor(node: Node) {
    this[nodeKey] = node
    Object.freeze(this)
  }
  get dtype() {
    return this[nodeKey].type.dtype
  }
  get shape() {
    return this[nodeKey].type.shape
  }
}

export const tensorOf = (node: Node): Tensor => new TracedTensor(node) as unknown as Tensor
export const isTensor = (value: unknown): value is Tensor => value instanceof TracedTensor

export function nodeOf(value: unknown, op: string, operand: string): Node {
  if (value instanceof TracedTensor) return value[nodeKey]
  return reject('bad-operand', `${op}: ${operand} must be a tensor, got ${describe(value)}`)
}

export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'object' || typeof value === 'function') return `${/^[aeiou]/.test(typeof value) ? 'an' : 'a'} ${typeof value}`
  return String(value)
}

/**
 * Applies an op: the one line that most DSL functions consist of. Operands are named as in the op's definition; a number where the
 * op is elementwise becomes a constant of the other operand's dtype; `undefined` leaves an optional operand out.
 */
export function call(op: string, operands: Readonly<Record<string, unknown>>, attributes: object = {}): any {
  const { builder, location } = currentTracer(op)
  const definition = definitionOf(op)
  const specs = Object.entries(definition.operands)
  const elementwise = definition.traits.includes('elementwise')
  const given = specs.flatMap(([name, spec]) => (spec.count === 'many' ? [...(operands[name] as Iterable<unknown>)] : [operands[name]]))
  while (given.length > 0 && given.at(-1) === undefined) given.pop()
  const like = elementwise ? (given.findLast((value) => isTensor(value)) as Tensor | undefined) : undefined
  const nodes = given.map((value, i) => {
    if (like && typeof value === 'number') return builder.scalar(like.dtype, value, location())
    return nodeOf(value, op, specs[Math.min(i, specs.length - 1)]![0])
  })
  return tensorOf(builder.addFlat(op, nodes, Object.fromEntries(Object.entries(attributes).filter(([, v]) => v !== undefined)), location()))
}
