import {
  byteSize,
  dtypeFacts,
  elementCount,
  elementsOf,
  type Graph,
  hasTrait,
  type Location,
  type Node,
  type Shape,
  sameShape,
  type TensorType,
} from '../graph/index.ts'
import { canonicalAccess, denseAccess, flatten, type IndexMap, isDense, sameAccess, unflatten, zeroAccess } from './access.ts'
import { commonRefinement, mergeDomain } from './domain.ts'
import { anchorOf } from './group.ts'
import type { Access, Kernel, KernelInput, Step } from './kernel.ts'
import { broadcastIndex, followMovement, roleOf, viewOffset } from './movement.ts'

export interface BuiltKernel {
  readonly kernel: Kernel
  readonly inputs: readonly Node[]
  /** The nodes computed inside, roots first. */
  readonly members: readonly Node[]
  readonly locations: readonly Location[]
}

/** Larger constants are not searched for being one value all over. */
const literalBytes = 4096

/** Where in a node's value a position of the domain looks: always as a flat access, per dimension where known. */
interface Position {
  readonly flat: Access
  readonly index?: IndexMap
  /** What the last movement on the way here moves. */
  readonly moved?: Node
}

/**
 * Builds the kernel that stores `roots`, computing inside it what is no leaf. Returns the node that must be stored as well when
 * some element would lie at a place that is not affine in the position, or when a value would have to be computed at two places.
 * Roots have as many elements each, and at most one anchor among what is computed inside.
 */
export function buildKernel(
  roots: readonly Node[],
  graph: Graph,
  isLeaf: (node: Node) => boolean,
): BuiltKernel | { readonly apart: Node } {
  const members = collectMembers(roots, isLeaf)
  const anchor = members.find((node) => roleOf(node) === 'anchor')
  const domain = anchor ? anchor.type.shape : domainOf(roots, isLeaf)
  const inputs: { readonly node: Node; readonly input: KernelInput; readonly dense: boolean }[] = []
  let apart: Node | undefined

  /** Inputs are shared between loads, and with the anchor unless constant: a constant operand of an anchor may be packed. */
  function inputIndex(node: Node): number {
    const known = inputs.findIndex((entry) => entry.node === node && !(entry.dense && entry.input.constant))
    if (known >= 0) return known
    const type: TensorType = { dtype: node.type.dtype, shape: [elementCount(node.type.shape)] }
    return inputs.push({ node, input: { type, constant: node.data !== undefined }, dense: false }) - 1
  }

  /** The steps, and which of them each of the values is. */
  function buildProgram(
    starts: readonly Node[],
    over: Shape,
  ): { readonly steps: readonly Step[]; readonly at: readonly number[] } {
    const rank = over.length
    const steps: Step[] = []
    const computed = new Map<Node, { readonly at: Access; readonly step: number }>()
    const stepOf = new Map<string, number>()

    function emit(key: string, step: Step): number {
      const index = stepOf.get(key) ?? steps.push(step) - 1
      stepOf.set(key, index)
      return index
    }

    function giveUp(node: Node): number {
      // Storing the root again changes nothing: what it moves, or else its anchor, has to be stored instead.
      const moved = beneathMovements(node)
      apart ??= !roots.includes(node) ? node : !roots.includes(moved) ? moved : (anchor ?? node)
      return 0
    }

    function indexAt(node: Node, position: Position): IndexMap | undefined {
      return position.index ?? unflatten(position.flat, node.type.shape, over)
    }

    function leaf(node: Node, flat: Access): number {
      const { dtype } = node.type
      const value = literalValue(node)
      if (value !== undefined)
        return emit(`literal ${dtype} ${Object.is(value, -0) ? '-0' : value}`, { kind: 'literal', value, dtype })
      const input = inputIndex(node)
      const access = canonicalAccess(flat, over)
      return emit(`load ${input} ${access.offset} ${access.strides.join(' ')}`, { kind: 'load', input, access, dtype })
    }

    function operandPosition(node: Node, operand: Node, position: Position): Position | undefined {
      if (sameShape(operand.type.shape, node.type.shape)) return position
      const count = elementCount(operand.type.shape)
      if (count === elementCount(node.type.shape)) return withoutIndex(position)
      if (count === 1) return { flat: zeroAccess(rank) }
      const index = indexAt(node, position)
      return index && positionAt(broadcastIndex(index, operand.type.shape, rank), operand.type.shape, position.moved)
    }

    function positionAt(index: IndexMap, shape: Shape, moved: Node | undefined): Position {
      return { index, flat: flatten(index, shape, rank), ...(moved ? { moved } : {}) }
    }

    function value(node: Node, position: Position): number {
      if (isLeaf(node)) return leaf(node, position.flat)
      const role = roleOf(node)
      if (role === 'bits') return giveUp(node)
      const operand = node.operands[0]!
      if (role === 'view') return value(operand, withoutIndex(position))
      if (role === 'access') {
        const index = indexAt(node, position)
        return index ? value(operand, positionAt(followMovement(node, index, rank), operand.type.shape, operand)) : giveUp(node)
      }
      const at = canonicalAccess(position.flat, over)
      const known = computed.get(node)
      if (known) return sameAccess(known.at, at) ? known.step : giveUp(node)
      const step = role === 'anchor' ? anchorStep(node, at, position.moved) : apply(node, position)
      computed.set(node, { at, step })
      return step
    }

    /** Moved results are read from storage; what lies between the anchor and the movement is best done before storing. */
    function anchorStep(node: Node, at: Access, moved: Node | undefined): number {
      return isDense(at, over)
        ? emit('anchor', { kind: 'anchor', dtype: node.type.dtype })
        : giveUp(moved ? beneathMovements(moved) : node)
    }

    function apply(node: Node, position: Position): number {
      const { op, attributes } = node
      const argumentsAt: number[] = []
      for (const operand of node.operands) {
        const at = operandPosition(node, operand, position)
        if (!at) return giveUp(node)
        argumentsAt.push(value(operand, at))
      }
      return steps.push({ kind: 'apply', op, arguments: argumentsAt, attributes, dtype: node.type.dtype }) - 1
    }

    const flat = denseAccess(over)
    const at = starts.map((start) => {
      const index = unflatten(flat, start.type.shape, over)
      return value(start, index ? { flat, index } : { flat })
    })
    return { steps, at }
  }

  const prologueStart = anchor && hasTrait(anchor, 'reduction') && !isLeaf(anchor.operands[0]!) ? anchor.operands[0] : undefined
  for (const operand of anchor?.operands ?? []) {
    if (operand === prologueStart) continue
    inputs.push({ node: operand, input: { type: operand.type, constant: operand.data !== undefined }, dense: true })
  }
  const prologue = prologueStart && buildProgram([prologueStart], prologueStart.type.shape).steps
  const { steps, at } = buildProgram(roots, domain)
  // A prologue that only reads in order is no work: its value can be a view.
  if (prologue?.length === 1 && roleOf(prologueStart!) !== 'elementwise' && viewOffset(prologueStart!) !== undefined)
    apart ??= prologueStart
  if (apart) return { apart }

  const merged = anchor ? { domain, steps } : mergeDomain(domain, steps)
  return {
    kernel: {
      ...(anchor ? { anchor: anchorOf(anchor) } : {}),
      inputs: inputs.map((entry) => entry.input),
      ...(prologue ? { prologue } : {}),
      ...merged,
      results: roots.map((root, i) => ({ step: at[i]!, type: { dtype: root.type.dtype, shape: merged.domain } })),
    },
    inputs: inputs.map((entry) => entry.node),
    members,
    locations: [...new Set(members.flatMap((member) => graph.locations.get(member) ?? []))],
  }
}

const withoutIndex = ({ flat, moved }: Position): Position => ({ flat, ...(moved ? { moved } : {}) })

/** What a chain of movements begins with; other nodes themselves. */
function beneathMovements(node: Node): Node {
  const role = roleOf(node)
  return role === 'view' || role === 'access' ? beneathMovements(node.operands[0]!) : node
}

/** The nodes computed inside, the roots first. */
function collectMembers(roots: readonly Node[], isLeaf: (node: Node) => boolean): Node[] {
  const members = new Set(roots)
  for (const member of members) {
    for (const operand of member.operands) if (!isLeaf(operand)) members.add(operand)
  }
  return [...members]
}

/**
 * Dimensions fine enough that all reshapes between roots and leaves split them evenly, as far as there are such; they are merged again
 * afterwards where no access minds. Behind other movements, and behind operands that broadcast, shapes have another order or size.
 */
function domainOf(roots: readonly Node[], isLeaf: (node: Node) => boolean): Shape {
  const shapes: Shape[] = []
  const [root] = roots as [Node, ...Node[]]
  const seen = new Set(roots)
  for (const node of seen) {
    shapes.push(node.type.shape)
    if (roleOf(node) === 'access') continue
    for (const operand of node.operands) {
      if (!isLeaf(operand) && elementCount(operand.type.shape) === elementCount(root.type.shape)) seen.add(operand)
    }
  }
  return commonRefinement(shapes) ?? root.type.shape
}

/** The number that a small constant holds in every element, where a double can hold it exactly. */
function literalValue(node: Node): number | undefined {
  const { data, type } = node
  const width = dtypeFacts[type.dtype].bytes
  if (!data || elementCount(type.shape) === 0 || byteSize(type) > literalBytes) return undefined
  const bytes = data.read()
  if (bytes.some((byte, i) => i >= width && byte !== bytes[i - width])) return undefined
  const value = elementsOf(type.dtype, bytes).get(0)
  return width === 8 && type.dtype !== 'f64' && !Number.isSafeInteger(value) ? undefined : value
}
