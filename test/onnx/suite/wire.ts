// The little that the suite itself reads of ONNX files: tensors of test data, and which operators a model has. Apart from the importer's
// own reader, so that a mistake there is seen here.
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { type DType, dtypeFacts, elementCount, elementsOf, type TensorType } from '../../../compiler/graph/index.ts'

export interface Tensor {
  readonly type: TensorType
  readonly bytes: Uint8Array
}

/** Something that the language has no type for. */
export class OtherType extends Error {}

type Field = { readonly number: number; readonly value: bigint | Uint8Array }

/** Fields of a message, packed numbers still as bytes. */
function* fields(bytes: Uint8Array): Generator<Field> {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    if (type === WireType.Varint) yield { number, value: BigInt(reader.int64()) }
    else if (type === WireType.LengthDelimited) yield { number, value: reader.bytes() }
    else yield { number, value: reader.skip(type).slice() }
  }
}

const text = (value: Field['value']) => new TextDecoder().decode(value as Uint8Array)

function integers(value: Field['value']): bigint[] {
  if (typeof value === 'bigint') return [value]
  const reader = new BinaryReader(value)
  const list: bigint[] = []
  while (reader.pos < reader.len) list.push(BigInt(reader.int64()))
  return list
}

/** By TensorProto.DataType. */
const dtypes: Readonly<Record<number, DType>> = {
  1: 'f32',
  2: 'u8',
  3: 'i8',
  4: 'u16',
  5: 'i16',
  6: 'i32',
  7: 'i64',
  9: 'bool',
  10: 'f16',
  11: 'f64',
  12: 'u32',
  13: 'u64',
  16: 'bf16',
  17: 'f8e4m3',
  19: 'f8e5m2',
}

/** Reads a TensorProto; throws OtherType for sequences, strings and the like. */
export function readTensor(bytes: Uint8Array): Tensor {
  const shape: number[] = []
  let code = 0
  let raw: Uint8Array | undefined
  const typed: { field: number; value: Field['value'] }[] = []
  for (const { number, value } of fields(bytes)) {
    if (number === 1) shape.push(...integers(value).map(Number))
    else if (number === 2) code = Number(value)
    else if (number === 9) raw = (value as Uint8Array).slice()
    else if ([4, 5, 6, 7, 10, 11].includes(number)) typed.push({ field: number, value })
  }
  const dtype = dtypes[code]
  if (!dtype) throw new OtherType(`element type ${code}`)
  const type = { dtype, shape }
  const count = elementCount(shape)
  const width = dtypeFacts[dtype].bytes
  if (raw && raw.length === count * width) return { type, bytes: raw }
  const data = new Uint8Array(count * width)
  if (count === 0) return { type, bytes: data }
  if (typed.length === 0) throw new OtherType(`no data for ${dtype}[${shape}]`)
  // float_data and double_data are packed little-endian; narrower types lie in int32_data, one in each entry.
  if (typed[0]!.field === 4 || typed[0]!.field === 10) {
    let at = 0
    for (const { value } of typed) {
      data.set(value as Uint8Array, at)
      at += (value as Uint8Array).length
    }
    return { type, bytes: data }
  }
  const view = new DataView(data.buffer)
  const list = typed.flatMap(({ value }) => integers(value))
  for (const [i, value] of list.entries()) {
    if (width === 1) view.setUint8(i, Number(BigInt.asUintN(8, value)))
    else if (width === 2) view.setUint16(i * 2, Number(BigInt.asUintN(16, value)), true)
    else if (width === 4) view.setUint32(i * 4, Number(BigInt.asUintN(32, value)), true)
    else view.setBigUint64(i * 8, BigInt.asUintN(64, value), true)
  }
  return { type, bytes: data }
}

export interface Summary {
  /** Distinct operators, `domain:Op` outside the default domain. Those of functions in the file stand for the calls of them. */
  readonly operators: readonly string[]
  readonly opset: number
  /** Names of graph inputs that no initialiser gives. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Attributes that ask for training. */
  readonly training: boolean
}

export function summarise(model: Uint8Array): Summary {
  const operators = new Set<string>()
  const functions = new Set<string>()
  const inputs: string[] = []
  const outputs: string[] = []
  const initializers = new Set<string>()
  let opset = 0
  let training = false

  function node(bytes: Uint8Array) {
    let [op, domain] = ['', '']
    for (const { number, value } of fields(bytes)) {
      if (number === 4) op = text(value)
      else if (number === 7) domain = text(value)
      else if (number === 5) attribute(value as Uint8Array)
    }
    const full = domain === '' || domain === 'ai.onnx' ? op : `${domain}:${op}`
    if (!functions.has(full)) operators.add(full)
  }
  function attribute(bytes: Uint8Array) {
    let [name, number] = ['', 0n]
    for (const field of fields(bytes)) {
      if (field.number === 1) name = text(field.value)
      else if (field.number === 3) number = field.value as bigint
      else if (field.number === 6 || field.number === 11) graph(field.value as Uint8Array, false)
    }
    if (name === 'training_mode' && number === 1n) training = true
  }
  const nameOf = (bytes: Uint8Array, field: number) => {
    for (const each of fields(bytes)) if (each.number === field) return text(each.value)
    return ''
  }
  function graph(bytes: Uint8Array, top: boolean) {
    for (const { number, value } of fields(bytes)) {
      if (number === 1) node(value as Uint8Array)
      if (!top) continue
      if (number === 5) initializers.add(nameOf(value as Uint8Array, 8))
      else if (number === 11) inputs.push(nameOf(value as Uint8Array, 1))
      else if (number === 12) outputs.push(nameOf(value as Uint8Array, 1))
    }
  }

  const all = [...fields(model)]
  for (const { number, value } of all) {
    if (number !== 25) continue
    const bytes = value as Uint8Array
    functions.add(`${nameOf(bytes, 10)}:${nameOf(bytes, 1)}`)
  }
  for (const { number, value } of all) {
    if (number === 7) graph(value as Uint8Array, true)
    else if (number === 25) {
      for (const each of fields(value as Uint8Array)) if (each.number === 7) node(each.value as Uint8Array)
    } else if (number === 8) {
      let [domain, version] = ['', 0]
      for (const each of fields(value as Uint8Array)) {
        if (each.number === 1) domain = text(each.value)
        else if (each.number === 2) version = Number(each.value)
      }
      if (domain === '' || domain === 'ai.onnx') opset = version
    }
  }
  return { operators: [...operators], opset, inputs: inputs.filter((name) => !initializers.has(name)), outputs, training }
}

/** The model with some of its inputs known: each `[name, TensorProto]` becomes an initialiser. */
export function bindInputs(model: Uint8Array, bound: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const whole = new BinaryWriter()
  for (const { number, value } of fields(model)) {
    if (number !== 7) {
      if (typeof value === 'bigint') whole.tag(number, WireType.Varint).int64(value)
      else whole.tag(number, WireType.LengthDelimited).bytes(value)
      continue
    }
    const graph = new BinaryWriter()
    graph.raw(value as Uint8Array)
    for (const [name, tensor] of bound) {
      const named = new BinaryWriter()
      for (const field of fields(tensor)) {
        if (field.number === 8) continue
        if (typeof field.value === 'bigint') named.tag(field.number, WireType.Varint).int64(field.value)
        else named.tag(field.number, WireType.LengthDelimited).bytes(field.value)
      }
      named.tag(8, WireType.LengthDelimited).string(name)
      graph.tag(5, WireType.LengthDelimited).bytes(named.finish())
    }
    whole.tag(7, WireType.LengthDelimited).bytes(graph.finish())
  }
  return whole.finish()
}

export interface Tolerance {
  readonly absolute: number
  readonly relative: number
}

/** As the runner of ONNX compares, wider where elements are narrow. */
const tolerances: Partial<Record<DType, Tolerance>> = {
  f32: { absolute: 1e-7, relative: 1e-3 },
  f64: { absolute: 1e-7, relative: 1e-3 },
  f16: { absolute: 1e-3, relative: 5e-3 },
  bf16: { absolute: 1e-2, relative: 3e-2 },
}

/** What is wrong with a result, or undefined. */
export function difference(actual: Tensor, expected: Tensor, label: string): string | undefined {
  const say = (type: TensorType) => `${type.dtype}[${type.shape.join(', ')}]`
  if (say(actual.type) !== say(expected.type)) return `${label} is ${say(actual.type)}, expected ${say(expected.type)}`
  const { dtype } = expected.type
  const { absolute, relative } = tolerances[dtype] ?? { absolute: 0, relative: 0 }
  const wide = dtype === 'i64' || dtype === 'u64'
  const elements = (bytes: Uint8Array): ArrayLike<number | bigint> =>
    wide
      ? new BigInt64Array(bytes.slice().buffer)
      : Array.from({ length: bytes.length / dtypeFacts[dtype].bytes }, (_, i) => elementsOf(dtype, bytes).get(i))
  const [a, b] = [elements(actual.bytes), elements(expected.bytes)]
  let wrong = 0
  let first = ''
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i]!, b[i]!]
    if (x === y || (Number.isNaN(x as number) && Number.isNaN(y as number))) continue
    if (!wide && Math.abs(Number(x) - Number(y)) <= absolute + relative * Math.abs(Number(y))) continue
    if (wrong++ === 0) first = `[${i}] is ${x}, expected ${y}`
  }
  return wrong === 0 ? undefined : `${label} ${say(expected.type)}: ${wrong} of ${b.length} elements differ, ${first}`
}
