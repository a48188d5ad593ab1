import {
  byteSize,
  type ConstantData,
  type DType,
  dtypeFacts,
  elementsOf,
  InvariantError,
  isFloat,
  isInteger,
  type Node,
  type Shape,
  sameShape,
  type TensorType,
} from '../../../compiler/graph/index.ts'
import type { OnnxAttribute, OnnxNode, OnnxTensor } from '../model.ts'
import { elementNumber } from '../proto/elements.ts'
import { acceptedBy, type OnnxOp } from './accepted.ts'
import { type ExportContext, type GivenAttributes, Inexpressible, type Made, type Ref } from './context.ts'

/** What has been written so far. */
export interface Sheet {
  readonly nodes: OnnxNode[]
  readonly initializers: Map<string, OnnxTensor>
  /** By the name of the result. */
  readonly made: Map<string, Made>
  /** A name like this one that nothing has yet. */
  readonly unique: (name: string) => string
  /** The reference of a constant; each object of data is written once. */
  readonly constant: (type: TensorType, data: ConstantData) => Ref
  /** Results of nodes that have several, by the name of all together and where each lies in them. */
  readonly results: Map<string, ReadonlyMap<number, Ref>>
  /** A sheet for a body: nodes of its own; names, initialisers and what is known of values are those of the graph around it. */
  readonly inner: () => Sheet
  readonly contextOf: (node: Node) => Omit<ExportContext, 'bodies' | 'body' | 'wantsResult'>
}

const attributeOf = (value: GivenAttributes[string]): OnnxAttribute => {
  if (typeof value === 'number') return { kind: 'int', value }
  if (typeof value === 'string') return { kind: 'string', value }
  return 'kind' in value ? value : { kind: 'ints', value }
}

/** The narrowest type that holds all values of another, among some; of floats f32 where it does. */
function widest(dtype: DType, among: readonly DType[]): DType | undefined {
  if (isFloat(dtype)) return (['f32', 'f64'] as const).find((wide) => among.includes(wide) && (dtype !== 'f64' || wide === 'f64'))
  if (!isInteger(dtype)) return undefined
  const { bytes, kind } = dtypeFacts[dtype]
  const holds = (wide: DType) =>
    dtypeFacts[wide].kind === kind
      ? dtypeFacts[wide].bytes > bytes
      : kind === 'unsigned' && dtypeFacts[wide].kind === 'signed' && dtypeFacts[wide].bytes > bytes
  const integers = (['i16', 'i32', 'u32', 'i64', 'u64'] as const).find((wide) => among.includes(wide) && holds(wide))
  return integers ?? (bytes <= 4 && among.includes('f64') ? 'f64' : undefined)
}

export function createSheet(opset: number, taken: readonly string[]): Sheet {
  const initializers = new Map<string, OnnxTensor>()
  const made = new Map<string, Made>()
  const results: Sheet['results'] = new Map()
  const names = new Set(taken)
  /** How often a name was asked for: many nodes have the same op. */
  const asked = new Map<string, number>()
  const constants = new Map<ConstantData, Ref[]>()
  const literals = new Map<string, Ref>()
  const bytesOf = new Map<string, () => Uint8Array>()
  const joined = new Map<string, { readonly axis: number; readonly parts: readonly Ref[] }>()

  function unique(name: string): string {
    const base = name === '' ? 'value' : name
    let result = base
    let times = asked.get(base) ?? 1
    while (names.has(result)) result = `${base}_${++times}`
    asked.set(base, times)
    names.add(result)
    return result
  }

  function initialise(name: string, { dtype, shape }: TensorType, read: () => Uint8Array): Ref {
    const given = unique(name)
    initializers.set(given, { name: given, dtype, shape, read })
    bytesOf.set(given, read)
    return { name: given, type: { dtype, shape } }
  }

  const constant: Sheet['constant'] = (type, data) => {
    const known = constants.get(data) ?? []
    const { dtype, shape } = type
    const found = known.find((ref) => ref.type.dtype === dtype && sameShape(ref.type.shape, shape))
    const ref = found ?? initialise(data.label, type, data.read)
    if (!found) constants.set(data, [...known, ref])
    return { ...ref, type }
  }

  function literal(dtype: DType, shape: Shape, values: readonly (number | bigint)[]): Ref {
    const bytes = new Uint8Array(byteSize({ dtype, shape }))
    const elements = elementsOf(dtype, bytes)
    const view = new DataView(bytes.buffer)
    for (const [i, value] of values.entries()) {
      if (typeof value === 'bigint' && dtypeFacts[dtype].bytes === 8) view.setBigUint64(i * 8, BigInt.asUintN(64, value), true)
      else elements.set(i, Number(value))
    }
    const key = `${dtype} ${shape.join(' ')}: ${Buffer.from(bytes).toString('base64')}`
    const known = literals.get(key)
    if (known) return known
    const name =
      values.length > 8
        ? `constant_${dtype}`
        : [dtype, ...values]
            .join('_')
            .replaceAll('-', 'm')
            .replace(/[^A-Za-z0-9_.+]/g, '')
    const written = initialise(name, { dtype, shape }, () => bytes)
    literals.set(key, written)
    return written
  }

  function write(
    nodes: OnnxNode[],
    op: OnnxOp,
    inputs: readonly (Ref | undefined)[],
    outputs: readonly string[],
    given: GivenAttributes,
  ): void {
    const list = inputs.map((ref) => ref?.name ?? '')
    while (list.at(-1) === '') list.pop()
    const attributes = new Map(Object.entries(given).map(([name, value]) => [name, attributeOf(value)]))
    nodes.push({ op, domain: '', name: outputs[0]!, inputs: list, outputs, attributes })
  }

  function contextOf(nodes: OnnxNode[], node: Node): ReturnType<Sheet['contextOf']> {
    const base = node.op
    const inexpressible = (what: string, remedy?: string): never => {
      throw new Inexpressible(what, remedy)
    }
    const convert: ExportContext['convert'] = (ref, dtype) => {
      if (ref.type.dtype === dtype) return ref
      const accepted = acceptedBy('Cast', opset)!
      for (const each of [ref.type.dtype, dtype])
        if (!accepted.includes(each)) inexpressible(`ONNX opset ${opset} has no element type ${each}`, 'use opset 19 or later')
      const name = unique(base)
      // Floats of 8 bits overflow as ours do: to NaN or infinity.
      write(nodes, 'Cast', [ref], [name], { to: elementNumber(dtype), ...(dtypeFacts[dtype].storageOnly && { saturate: 0 }) })
      return { name, type: { dtype, shape: ref.type.shape } }
    }
    const emitAll: ExportContext['emitAll'] = (op, inputs, types, attributes = {}) => {
      const outputs = types.map((type) => ({ name: unique(base), type }))
      write(
        nodes,
        op,
        inputs,
        outputs.map(({ name }) => name),
        attributes,
      )
      if (op === 'Concat') joined.set(outputs[0]!.name, { axis: Number(attributes.axis), parts: inputs as readonly Ref[] })
      return outputs
    }
    const emit: ExportContext['emit'] = (op, inputs, type, attributes = {}, main = 0) => {
      const dtype = inputs[main]?.type.dtype
      if (dtype === undefined) throw new InvariantError(`${op} without its operand ${main}`)
      const accepted = acceptedBy(op, opset)
      if (!accepted) return inexpressible(`ONNX opset ${opset} has no operator ${op}`, `use opset ${firstWith(op, dtype) ?? 23}`)
      if (accepted.includes(dtype)) return emitAll(op, inputs, [type], attributes)[0]!
      const wide = widest(dtype, accepted)
      if (!wide) {
        const later = firstWith(op, dtype)
        return inexpressible(
          `${op} of ONNX opset ${opset} does not take ${dtype}`,
          later ? `use opset ${later}` : 'use another element type',
        )
      }
      const widened = inputs.map((ref) => (ref?.type.dtype === dtype ? convert(ref, wide) : ref))
      const [result] = emitAll(op, widened, [{ ...type, dtype: type.dtype === dtype ? wide : type.dtype }], attributes)
      return { ...convert(result!, type.dtype), type }
    }
    return {
      opset,
      type: node.type,
      offers: (op, dtype) => {
        const accepted = acceptedBy(op, opset)
        return accepted !== undefined && (dtype === undefined || accepted.includes(dtype))
      },
      emit,
      emitAll,
      constant: literal,
      scalar: (like, value) => literal(like.type.dtype, [], [value]),
      known: ({ name }) => bytesOf.get(name)?.(),
      madeBy: ({ name }) => made.get(name),
      keep: (name, parts) => void results.set(name, parts),
      resultAt: ({ name }, offset) => results.get(name)?.get(offset),
      partOf: ({ name }, axis, start, count) => {
        const join = joined.get(name)
        let at = 0
        return join?.parts.find(({ type: { shape } }) => {
          const extent = shape[axis] ?? 0
          at += extent
          return join.axis === axis && at === start + extent && extent === count
        })
      },
      convert,
      unique,
      inexpressible,
    }
  }

  function sheetOf(nodes: OnnxNode[]): Sheet {
    const inner = () => sheetOf([])
    return { nodes, initializers, made, results, unique, constant, inner, contextOf: (node) => contextOf(nodes, node) }
  }
  return sheetOf([])
}

/** The first version above 17 that has the operator for the element type. */
const firstWith = (op: OnnxOp, dtype: DType): number | undefined =>
  [18, 19, 20, 21, 22, 23].find((opset) => acceptedBy(op, opset)?.includes(dtype))
