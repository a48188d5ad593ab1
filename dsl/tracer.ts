import {
  type Builder,
  type ConstantData,
  definitionOf,
  type Elements,
  elementsOf,
  type Location,
  ModelProblem,
  type Node,
  printType,
  type Quantization,
  reject,
  type Shape,
  type TensorType,
} from '../compiler/graph/index.ts'
import { isElement, maximumOperands, readList } from './check.ts'
import { Dimension, plainNumber } from './dimension.ts'
import type { Tensor } from './tensor.ts'

/** Collects the nodes of the graph being built. The extractor supplies its own, with locations from the syntax it reads. */
export interface Tracer {
  readonly builder: Builder
  /** Where the op being applied stands in the model. */
  location(): Location
  /** What dimensions of several sizes are in the graph being built, by name. */
  readonly sizes?: ReadonlyMap<string, number>
  /** What is being traced around a body, and how a value of it becomes one of the body: see `control.ts`. */
  readonly outer?: Tracer
  readonly capture?: (node: Node) => Node
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

export const currentSizes = (): Tracer['sizes'] => current?.sizes

export function currentTracer(op: string): Tracer {
  return current ?? reject('outside-forward', `${op}: ops are applied inside the forward function of model()`)
}

/**
 * What a tensor of the DSL stands for: a node of one builder; a constant or literal that becomes a node where it is used, so
 * that weights may be read outside `forward`; or the description of an input or of a state, which is no value at all.
 */
type Meaning =
  | { readonly kind: 'node'; readonly node: Node; readonly builder: Builder | undefined }
  | { readonly kind: 'constant'; readonly data: ConstantData }
  | { readonly kind: 'literal'; readonly bytes: Uint8Array }
  | { readonly kind: 'input'; readonly quantization: Quantization | undefined; readonly dims: InputDims }
  | { readonly kind: 'state'; readonly initial: ConstantData | undefined }

/** Dimensions of an input that have several sizes, each at its axis. */
export type InputDims = readonly (Dimension | undefined)[]

const meaningKey = Symbol('glowplug.meaning')

/** The DSL's value: a tensor type as the author sees it, and behind a symbol what it stands for. */
class TracedTensor {
  readonly dtype: TensorType['dtype']
  readonly shape: Shape
  readonly [meaningKey]: Meaning
  constructor(type: TensorType, meaning: Meaning) {
    this.dtype = type.dtype
    this.shape = Object.freeze([...type.shape])
    this[meaningKey] = meaning
    Object.freeze(this)
  }
}

const traced = (type: TensorType, meaning: Meaning) => new TracedTensor(type, meaning) as unknown as Tensor

export const tensorOf = (node: Node): Tensor => traced(node.type, { kind: 'node', node, builder: current?.builder })
export const constantOf = (type: TensorType, data: ConstantData): Tensor => traced(type, { kind: 'constant', data })
export const literalOf = (type: TensorType, bytes: Uint8Array): Tensor => traced(type, { kind: 'literal', bytes })
/**
 * The value of `tensor()`: says what callers pass, and is replaced by a real tensor when `forward` is called. Dimensions of several sizes
 * have the largest in its type.
 */
export const describedInput = (type: TensorType, dims: InputDims): Tensor =>
  traced(type, { kind: 'input', quantization: type.quantization, dims })

/** The value of `state()`: replaced by a real tensor as an input is. */
export const describedState = (type: TensorType, initial: ConstantData | undefined): Tensor =>
  traced(type, { kind: 'state', initial })

/** What `state()` described: its type, and what a session begins with; undefined for anything else. */
export function stateDescription(
  value: unknown,
): { readonly type: TensorType; readonly initial: ConstantData | undefined } | undefined {
  const meaning = value instanceof TracedTensor ? value[meaningKey] : undefined
  if (meaning?.kind !== 'state') return undefined
  const { dtype, shape } = value as TracedTensor
  return { type: { dtype, shape }, initial: meaning.initial }
}

export const isTensor = (value: unknown): value is Tensor => value instanceof TracedTensor
export const isDescribedInput = (value: unknown): value is Tensor =>
  value instanceof TracedTensor && value[meaningKey].kind === 'input'

/** The whole type that `tensor()` described, with its dimensions of several sizes at these. */
export function describedType(value: Tensor, sizes?: Tracer['sizes']): TensorType {
  const { dtype, shape } = value as unknown as TracedTensor
  const meaning = (value as unknown as TracedTensor)[meaningKey]
  if (meaning.kind !== 'input') return { dtype, shape }
  const { quantization, dims } = meaning
  const sized = shape.map((extent, i) => (dims[i] && sizes?.get(dims[i].dim)) ?? extent)
  return { dtype, shape: sized, ...(quantization ? { quantization } : {}) }
}

/** Which dimensions of an input have several sizes. */
export function describedDims(value: Tensor): InputDims {
  const meaning = (value as unknown as TracedTensor)[meaningKey]
  return meaning.kind === 'input' ? meaning.dims : []
}

/** Elements of a constant, read now: for parameters that are part of the graph rather than values in it. */
export function constantElements(value: unknown, op: string, operand: string): Elements {
  const meaning = value instanceof TracedTensor ? value[meaningKey] : undefined
  const data = meaning?.kind === 'constant' ? meaning.data : meaning?.kind === 'node' ? meaning.node.data : undefined
  if (data) return elementsOf((value as Tensor).dtype, data.read())
  if (meaning?.kind === 'literal') return elementsOf((value as Tensor).dtype, meaning.bytes)
  return reject(
    'bad-operand',
    `${op}: ${operand} must be known at build: a number, a list, or a constant; got ${describe(value)}`,
  )
}

/** The type and the payload of a tensor that is known at build; undefined for anything else. */
export function constantData(value: unknown): { readonly type: TensorType; readonly data: ConstantData } | undefined {
  if (!(value instanceof TracedTensor)) return undefined
  const { dtype, shape, [meaningKey]: meaning } = value
  const type = { dtype, shape }
  if (meaning.kind === 'literal') return { type, data: { label: 'constant', read: () => meaning.bytes } }
  const data = meaning.kind === 'constant' ? meaning.data : meaning.kind === 'node' ? meaning.node.data : undefined
  return data && { type, data }
}

/** The node behind an operand of `op`, in the graph being built. */
export function nodeOf(value: unknown, op: string, operand: string): Node {
  if (!(value instanceof TracedTensor)) return reject('bad-operand', `${op}: ${operand} must be a tensor, got ${describe(value)}`)
  const meaning = value[meaningKey]
  const { builder, location } = currentTracer(op)
  switch (meaning.kind) {
    case 'constant':
      return builder.constant({ dtype: value.dtype, shape: value.shape }, meaning.data, location())
    case 'literal':
      return builder.literal({ dtype: value.dtype, shape: value.shape }, meaning.bytes, 'constant', location())
    case 'input':
      return reject(
        'bad-operand',
        `${op}: ${operand} is the description of an input; use the tensor of that name that forward() receives`,
      )
    case 'state':
      return reject(
        'bad-operand',
        `${op}: ${operand} is the description of a state; use the tensor of that name that forward() receives as its second argument`,
      )
    case 'node':
      if (!meaning.builder || meaning.builder === builder) return meaning.node
      return captureFrom(current, meaning) ?? reject('bad-operand', `${op}: ${operand} belongs to another forward()`)
  }
}

/** The value of a graph around the one being traced, handed inwards from body to body. */
function captureFrom(tracer: Tracer | undefined, value: Extract<Meaning, { kind: 'node' }>): Node | undefined {
  if (tracer?.builder === value.builder) return value.node
  const outer = tracer?.capture && captureFrom(tracer.outer, value)
  return outer && tracer?.capture?.(outer)
}

/** What a whole graph is traced by, behind all bodies. */
export function rootTracer(op: string): Tracer {
  let tracer = currentTracer(op)
  while (tracer.outer) tracer = tracer.outer
  return tracer
}

export const shapeOf = (value: unknown, op: string): Shape => nodeOf(value, op, 'input').type.shape

/** A value in a message: short, on one line, whatever it is. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (value instanceof TracedTensor) return `the tensor ${printType(value)}`
  if (value instanceof Dimension) return `the dimension '${value.dim}'`
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'bigint') return `${value}n`.slice(0, 60)
  if (typeof value === 'object' || typeof value === 'function')
    return `${/^[aeiou]/.test(typeof value) ? 'an' : 'a'} ${typeof value}`
  return String(value)
}

const sameDTypes = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((dtype, i) => dtype === b[i])

/**
 * Applies an op: the one line that most DSL functions consist of. Operands are named as in the op's definition; `undefined` leaves an
 * optional operand out. Where the op is elementwise, a number becomes a constant with the dtype of a tensor among the operands that
 * are declared alike. Problems speak of the function that the author called, where that has another name than the op.
 */
export function call(op: string, operands: Readonly<Record<string, unknown>>, attributes: object = {}, written = op): any {
  try {
    return apply(op, operands, attributes)
  } catch (problem) {
    if (!(problem instanceof ModelProblem) || !problem.message.startsWith(`${op}:`)) throw problem
    return reject(problem.code, `${written}${problem.message.slice(op.length)}`)
  }
}

function apply(op: string, operands: Readonly<Record<string, unknown>>, attributes: object): Tensor {
  const { builder, location } = currentTracer(op)
  const definition = definitionOf(op)
  const specs = Object.entries(definition.operands)
  const given = specs.flatMap(([name, spec]) =>
    spec.count === 'many'
      ? Array.from(readList(op, name, operands[name], maximumOperands, 'bad-operand'), (value) => ({ name, spec, value }))
      : [{ name, spec, value: operands[name] }],
  )
  while (given.at(-1)?.spec.count === 'optional' && given.at(-1)!.value === undefined) given.pop()
  const nodes = given.map(({ name, spec, value: written }) => {
    const value = plainNumber(written)
    if (typeof value !== 'number' || !definition.traits.includes('elementwise') || specs.length < 2)
      return nodeOf(value, op, name)
    const alike = given.filter((other) => sameDTypes(other.spec.dtypes, spec.dtypes))
    const tensor = alike.map((other) => other.value).find(isTensor)
    if (!tensor)
      return reject(
        'bad-operand',
        `${op}: one of ${alike.map((other) => other.name).join(' and ')} must be a tensor; a number takes its element type from it`,
      )
    if (!isElement(tensor.dtype, value))
      return reject('bad-operand', `${op}: ${name} is ${value}, which is not a value of ${tensor.dtype}; use cast() first`)
    return builder.scalar(tensor.dtype, value, location())
  })
  return tensorOf(builder.addFlat(op, nodes, attributes as Readonly<Record<string, unknown>>, location()))
}
