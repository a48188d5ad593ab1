import { createHash } from 'node:crypto'
import { dtypeFacts } from './dtype.ts'
import { type Location, unknownLocation } from './location.ts'
import type { Attributes, AttributeValue, ConstantData, Graph, Node, Output } from './node.ts'
import { type AttributesIn, definitionOf, nameOperands, type OperandsOf, type OpName, type StorageName } from './ops/index.ts'
import { InvariantError, reject } from './problem.ts'
import { scalarBytes } from './scalar.ts'
import { byteSize, elementCount, maximumElements, maximumRank, printType, sameType, type TensorType } from './type.ts'

/** Makes nodes: checks them against their definitions and shares equal pure ones, so that common subexpressions never arise. */
export interface Builder {
  input(name: string, type: TensorType, location?: Location): Node
  /** A constant whose bytes somebody else holds; one node for each `data` object and type. */
  constant(type: TensorType, data: ConstantData, location?: Location): Node
  /** A constant given by its bytes; equal bytes of equal type give one node. */
  literal(type: TensorType, bytes: Uint8Array, label?: string, location?: Location): Node
  /** A rank-0 constant. */
  scalar(dtype: TensorType['dtype'], value: number, location?: Location): Node
  /** Throws ModelProblem when operands or attributes do not fit the op. */
  add<K extends Exclude<OpName, StorageName>>(
    op: K,
    operands: OperandsOf<K>,
    attributes?: AttributesIn<K>,
    location?: Location,
  ): Node
  /** The same, for code that handles all ops alike: operands in order, attributes complete. */
  addFlat(
    op: string,
    operands: readonly Node[],
    attributes: Readonly<Record<string, unknown>>,
    location?: Location,
    bodies?: readonly Graph[],
  ): Node
  /** A node that some builder made, over operands of this builder. What it was checked for is checked again only where operand types differ. */
  copy(node: Node, operands: readonly Node[]): Node
  /** Unions the locations of nodes that were replaced into their replacement. */
  attribute(node: Node, locations: readonly Location[]): void
  locationsOf(node: Node): readonly Location[]
  /** Keeps `inputs` in order and drops what neither they nor the outputs reach. */
  finish(name: string, inputs: readonly Node[], outputs: readonly Output[]): Graph
}

export function createBuilder(): Builder {
  const shared = new Map<string, Node>()
  const dataIds = new Map<ConstantData, number>()
  const bodyIds = new Map<Graph, number>()
  const interned = new Map<string, ConstantData>()
  /** Sets: a constant that a helper uses may come from thousands of places. */
  const locations = new Map<Node, Set<Location>>()
  let nextId = 0

  function attribute(node: Node, added: readonly Location[]): void {
    const known = locations.get(node) ?? new Set()
    for (const location of added) if (location.kind !== 'unknown') known.add(location)
    locations.set(node, known)
  }

  function make(key: string, node: Omit<Node, 'id'>, location: Location): Node {
    let result = shared.get(key)
    if (!result) {
      if (node.type.shape.length > maximumRank)
        reject(
          'too-large',
          `${node.op}: rank ${node.type.shape.length} is above the limit of ${maximumRank}: ${printType(node.type)}`,
        )
      if (elementCount(node.type.shape) > maximumElements)
        reject('too-large', `${node.op}: ${printType(node.type)} has more than ${maximumElements} elements`)
      result = Object.freeze({ id: nextId++, ...node })
      shared.set(key, result)
    }
    attribute(result, [location])
    return result
  }

  function constant(type: TensorType, data: ConstantData, location: Location = unknownLocation): Node {
    let id = dataIds.get(data)
    if (id === undefined) {
      id = dataIds.size
      dataIds.set(data, id)
    }
    return make(`constant ${id} ${printType(type)}`, { op: 'constant', operands: [], attributes: {}, type, data }, location)
  }

  function literal(type: TensorType, bytes: Uint8Array, label = 'literal', location: Location = unknownLocation): Node {
    if (bytes.byteLength !== byteSize(type))
      throw new InvariantError(`literal of ${bytes.byteLength} bytes for ${printType(type)}`)
    const key = `${printType(type)} ${createHash('sha256').update(bytes).digest('hex')}`
    let data = interned.get(key)
    if (!data) {
      data = { label, read: () => bytes }
      interned.set(key, data)
    }
    return constant(type, data, location)
  }

  function addFlat(
    op: string,
    operands: readonly Node[],
    given: Readonly<Record<string, unknown>>,
    location: Location = unknownLocation,
    bodies: readonly Graph[] = [],
  ): Node {
    const attributes = readAttributes(op, given)
    return makeOp(op, operands, attributes, inferType(op, operands, attributes, bodies), location, bodies)
  }

  function makeOp(
    op: string,
    operands: readonly Node[],
    attributes: Attributes,
    type: TensorType,
    location: Location,
    bodies: readonly Graph[] = [],
  ): Node {
    const own = bodies.map((body) => ` body ${bodyId(body)}`).join('')
    const key = `${op} ${operands.map((o) => o.id).join(' ')} ${attributesKey(attributes)}${own}`
    const pure = definitionOf(op).traits.includes('pure')
    const node = { op, operands, attributes, type, ...(bodies.length > 0 && { bodies }) }
    return make(pure ? key : `${key} #${nextId}`, node, location)
  }

  /** Bodies are shared where they are one object: comparing what they hold is not worth its time. */
  function bodyId(body: Graph): number {
    const known = bodyIds.get(body) ?? bodyIds.size
    bodyIds.set(body, known)
    return known
  }

  function copy({ op, operands: before, attributes, type, bodies }: Node, operands: readonly Node[]): Node {
    const alike = operands.length === before.length && operands.every((operand, i) => sameType(operand.type, before[i]!.type))
    return alike
      ? makeOp(op, operands, attributes, type, unknownLocation, bodies)
      : addFlat(op, operands, attributes, unknownLocation, bodies)
  }

  return {
    constant,
    literal,
    addFlat,
    copy,
    attribute,
    input: (name, type, location = unknownLocation) =>
      make(`input ${JSON.stringify(name)}`, { op: 'input', operands: [], attributes: { name }, type }, location),
    scalar: (dtype, value, location) => literal({ dtype, shape: [] }, scalarBytes(dtype, value), String(value), location),
    add: (op, operands, attributes, location) => addFlat(op, flattenOperands(op, operands), attributes ?? {}, location),
    locationsOf: (node) => [...(locations.get(node) ?? [])],
    finish(name, inputs, outputs) {
      const nodes = reachableNodes([...inputs, ...outputs.map((o) => o.value)])
      return { name, inputs, outputs, nodes, locations: new Map(nodes.map((n) => [n, [...(locations.get(n) ?? [])]])) }
    },
  }
}

/** Operands by name, in the order of the definition. */
function flattenOperands(op: string, operands: Readonly<Record<string, unknown>>): Node[] {
  const specs = Object.entries(definitionOf(op).operands)
  const [first] = specs
  if (first?.[1].count === 'many') return [...(operands[first[0]] as readonly Node[])]
  const list = specs.map(([name]) => operands[name] as Node | undefined)
  while (list.length > 0 && list.at(-1) === undefined) list.pop()
  const gap = list.indexOf(undefined)
  if (gap >= 0) reject('bad-operand', `${op}: ${specs[gap]![0]} is missing`)
  return list as Node[]
}

function readAttributes(op: string, given: Readonly<Record<string, unknown>>): Attributes {
  const parsed = definitionOf(op).attributes.safeParse(given)
  if (parsed.success) return parsed.data as Attributes
  const issue = parsed.error.issues[0]!
  return reject('bad-attribute', `${op}: ${issue.path.length > 0 ? `${issue.path.join('.')}: ` : ''}${issue.message}`)
}

/** The result type of an op over operands; throws ModelProblem. Shared with the verifier. */
export function inferType(
  op: string,
  operands: readonly Node[],
  attributes: Attributes,
  bodies: readonly Graph[] = [],
): TensorType {
  const definition = definitionOf(op)
  if (bodies.length !== (definition.bodies ?? 0))
    reject('bad-operand', `${op}: takes ${definition.bodies ?? 0} bodies, got ${bodies.length}`)
  const specs = Object.entries(definition.operands)
  const many = specs[0]?.[1].count === 'many'
  if (!many) {
    const required = specs.filter(([, spec]) => spec.count === 'one').length
    if (operands.length < required || operands.length > specs.length) {
      reject(
        'bad-operand',
        `${op}: takes ${required === specs.length ? required : `${required} to ${specs.length}`} operands, got ${operands.length}`,
      )
    }
  }
  for (const [i, operand] of operands.entries()) {
    const [name, spec] = specs[many ? 0 : i]!
    if (!spec.dtypes.includes(operand.type.dtype)) {
      const hint = dtypeFacts[operand.type.dtype].storageOnly
        ? 'convert it with cast() first'
        : `accepted: ${spec.dtypes.join(', ')}`
      reject('dtype-mismatch', `${op}: ${name} is ${operand.type.dtype}; ${hint}`)
    }
  }
  return definition.infer(
    nameOperands(
      op,
      operands.map((operand) => operand.type),
    ),
    attributes,
    bodies,
  )
}

/** What a failure of a `checked` op while running says to the caller. */
export const describeFault = (op: string, types: readonly TensorType[], attributes: Attributes): string =>
  definitionOf(op).fault?.(nameOperands(op, types), attributes) ?? 'an operand has an element outside its range'

/** Nodes reachable from `roots`, operands before users, in the order of creation. */
export function reachableNodes(roots: readonly Node[]): Node[] {
  const seen = new Set<Node>()
  const pending = [...roots]
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (seen.has(node)) continue
    seen.add(node)
    pending.push(...node.operands)
  }
  return [...seen].sort((a, b) => a.id - b.id)
}

/** A graph and the graphs that its nodes run, and those that theirs run: each before those in it. */
export function* graphsWithin(graph: Graph): Generator<Graph> {
  yield graph
  for (const { bodies } of graph.nodes) for (const body of bodies ?? []) yield* graphsWithin(body)
}

export function printAttribute(value: AttributeValue): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'object') return `[${value.map(printAttribute).join(', ')}]`
  return Object.is(value, -0) ? '-0' : String(value)
}

const attributeKeys = new WeakMap<Attributes, string>()

/** Their print, remembered: nodes are copied far more often than made. */
function attributesKey(attributes: Attributes): string {
  const known = attributeKeys.get(attributes) ?? printAttributes(attributes)
  attributeKeys.set(attributes, known)
  return known
}

/** `{axis: 1, value: -Infinity}`; keys in the order of the definition's schema. */
export const printAttributes = (attributes: Attributes): string =>
  `{${Object.entries(attributes)
    .map(([key, value]) => `${key}: ${printAttribute(value)}`)
    .join(', ')}}`
