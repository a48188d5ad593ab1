// Functions of one byte are tables of 256.
import {
  type Builder,
  createBuilder,
  dtypeFacts,
  elementCount,
  hasTrait,
  type Node,
  sameShape,
  scalarBytes,
  type TensorType,
} from '../../graph/index.ts'
import type { Evaluate } from '../../target.ts'
import { asOp, isConstant } from '../match.ts'
import { type Rule, rule } from '../rule.ts'
import { condensed, decodedOf, encodingOf, isByte, knownNumber } from './encoding.ts'

const entries = 256

/** A function from the elements of one tensor of bytes to those of another of the same shape. */
interface Pointwise {
  readonly root: Node
  readonly leaf: Node
}

/** Nodes between root and leaf; more are no function that a person wrote. */
const maximumNodes = 64

const isCoding = (node: Node): boolean => node.op === 'quantize' || node.op === 'dequantize'

/** Whether result element i depends on the operands' elements i alone. */
function isPointwise(node: Node): boolean {
  if (isCoding(node)) return condensed(node.attributes as never).axis === undefined
  if (node.op === 'lookup') return isConstant(node.operands[1]!)
  return node.op === 'storageCast' || hasTrait(node, 'elementwise')
}

/** Operands that are not the same for all elements. */
const varying = (node: Node): readonly Node[] =>
  (node.op === 'lookup' ? node.operands.slice(0, 1) : node.operands).filter((operand) => knownNumber(operand) === undefined)

/**
 * The one tensor of bytes that a value is a function of. `beyond` looks through what encodes on the way, for values that meet again, as
 * those of x · sigmoid(x) with bytes in between.
 */
function leafOf(root: Node, beyond: boolean): Node | undefined {
  const leaves = new Set<Node>()
  const seen = new Set([root])
  for (const node of seen) {
    if (seen.size > maximumNodes) return undefined
    for (const operand of varying(node)) {
      if (!sameShape(operand.type.shape, root.type.shape)) return undefined
      const stops = node.op === 'dequantize' && !beyond
      if (!stops && isPointwise(operand)) seen.add(operand)
      else leaves.add(operand)
    }
  }
  const [leaf, ...others] = leaves
  return leaf && others.length === 0 && dtypeFacts[leaf.type.dtype].bytes === 1 && leaf.type.dtype !== 'bool' ? leaf : undefined
}

function functionOf(root: Node): Pointwise | undefined {
  const leaf = leafOf(root, false) ?? leafOf(root, true)
  return leaf && (leaf.type.dtype === 'u8' || leaf.type.dtype === 'i8') ? { root, leaf } : undefined
}

/** What the function gives for each byte, and its type. */
function tabulate({ root, leaf }: Pointwise, evaluate: Evaluate): { readonly type: TensorType; readonly bytes: Uint8Array } {
  type Value = ReturnType<typeof tabulate>
  const known = new Map<Node, Value>()
  const bytes = Uint8Array.from({ length: entries }, (_, i) => i)
  known.set(leaf, { type: { ...leaf.type, shape: [entries] }, bytes })

  const valueOf = (node: Node): Value => {
    const found = known.get(node)
    if (found) return found
    const number = knownNumber(node)
    const value: Value =
      number === undefined
        ? compute(node)
        : { type: { dtype: node.type.dtype, shape: [] }, bytes: scalarBytes(node.type.dtype, number) }
    known.set(node, value)
    return value
  }
  const compute = (node: Node): Value => {
    const operands = node.operands.map((operand, i) =>
      node.op === 'lookup' && i === 1 ? { type: operand.type, bytes: operand.data!.read() } : valueOf(operand),
    )
    const builder = createBuilder()
    const inputs = operands.map(({ type }, i) => builder.input(`operand${i}`, type))
    const { axis, ...attributes } = node.attributes
    // One entry for all is the same along any axis; the table has its own dimension.
    const single = isCoding(node) ? { ...attributes, ...condensed(node.attributes as never) } : node.attributes
    const applied = builder.addFlat(node.op, inputs, single)
    return {
      type: applied.type,
      bytes: evaluate(
        applied,
        operands.map((operand) => operand.bytes),
      ),
    }
  }
  return valueOf(root)
}

const lookedUp = (builder: Builder, { root, leaf }: Pointwise, evaluate: Evaluate): Node => {
  const { type, bytes } = tabulate({ root, leaf }, evaluate)
  return builder.add('lookup', { input: leaf, table: builder.literal(type, bytes, 'table') })
}

/** Only functions of decoded bytes, so that what arrives is no float: a NaN has no byte. */
const unary = rule({
  name: 'table-of-function',
  note: 'quantize(f(dequantize(q))) → lookup(q, table of f)',
  root: 'quantize',
  match: (node, { evaluate }) => {
    const { dtype, quantization } = encodingOf(node)
    const found = quantization.axis === undefined && elementCount(node.type.shape) > 0 ? functionOf(node) : undefined
    return found && dtypeFacts[dtype].bytes <= 2 && { ...found, evaluate }
  },
  apply: ({ root, leaf, evaluate }, builder) => lookedUp(builder, { root, leaf }, evaluate),
})

const composed = rule({
  name: 'table-of-table',
  note: 'lookup(lookup(q, f), g) → lookup(q, g ∘ f)',
  root: 'lookup',
  match: (node, context) => {
    const inner = asOp(node.operands[0], 'lookup')
    return (
      inner &&
      !context.isShared(inner.node) &&
      isConstant(node.operands[1]!) &&
      isConstant(inner.operands.table) && {
        through: [inner.node],
        root: node,
        leaf: inner.operands.input,
        evaluate: context.evaluate,
      }
    )
  },
  apply: ({ root, leaf, evaluate }, builder) => lookedUp(builder, { root, leaf }, evaluate),
})

/** What the table of powers counts in: far finer than f32, and 2^23 of them do not overflow i64. */
const unit = 2 ** 40

/**
 * Softmax over bytes: e^(x − max x) is one of 256 numbers. As whole numbers they sum to the same in any order, and what follows is one
 * division: every target gives the same bytes.
 */
const softmax = rule({
  name: 'softmax-of-bytes',
  note: 'quantize(softmax(dequantize(q))) → quantize(e / reduceSum(e)), e = lookup(reduceMax(q) − q, powers)',
  root: 'quantize',
  match: (node) => {
    const softmax = asOp(encodingOf(node).input, 'softmax')
    const decoded = decodedOf(softmax?.operands.input)
    if (!softmax || !decoded || !isByte(decoded) || elementCount(node.type.shape) === 0) return undefined
    const { shape } = node.type
    const axis = softmax.attributes.axis < 0 ? softmax.attributes.axis + shape.length : softmax.attributes.axis
    return shape[axis]! < 2 ** 23 && { through: [softmax.node, decoded.node], decoded, axis }
  },
  apply: ({ decoded, axis }, builder, node) => {
    const { stored, quantization } = decoded
    const reduction = { axes: [axis], keepDims: true }
    const powers = BigInt64Array.from({ length: entries }, (_, i) =>
      BigInt(Math.round(Math.exp(-i * quantization.scale[0]!) * unit)),
    )
    const table = builder.literal({ dtype: 'i64', shape: [entries] }, new Uint8Array(powers.buffer), 'powers')
    const largest = builder.add('reduceMax', { input: stored }, reduction)
    // Differences of up to 255 wrap to their low byte, whatever the sign of the stored integers.
    const below = builder.add('sub', { left: largest, right: stored })
    const power = builder.add('lookup', { input: builder.add('cast', { input: below }, { dtype: 'u8' }), table })
    const float = (input: Node) => builder.add('cast', { input }, { dtype: 'f32' })
    const share = builder.add('div', { left: float(power), right: float(builder.add('reduceSum', { input: power }, reduction)) })
    return builder.add('quantize', { input: share }, asOp(node, 'quantize')!.attributes)
  },
})

export const tableRules: readonly Rule[] = [softmax, unary, composed]
