import { BinaryReader } from '@bufbuild/protobuf/wire'
import { type DType, dtypeFacts, reject } from '../../../compiler/graph/index.ts'
import type { OnnxTensor } from '../model.ts'
import { quote } from '../quote.ts'
import { type ElementType, elementType } from './elements.ts'
import type { ExternalData } from './external.ts'
import type { Message } from './messages.ts'
import { readVarints } from './numbers.ts'

/** Dimensions of a tensor in a file; the compiler takes fewer, so that this only bounds the work of reading. */
const maximumRank = 64
/** Elements that a sparse tensor may have when it is written out: the file itself does not bound them. */
const maximumSparse = 2 ** 26

/**
 * A TensorProto with any form of its elements. Sizes are checked here, elements are converted when they are read.
 * Throws ModelProblem `onnx-malformed`; a type that nothing here can hold is an error only for whoever reads it.
 */
export function readTensor(proto: Message<'TensorProto'>, external: ExternalData): OnnxTensor {
  const name = proto.name ?? ''
  const wrong = (what: string): never => reject('onnx-malformed', `tensor ${quote(name)}: ${what}`)
  const shape = readShape(proto.dims, wrong)
  const type = elementType(proto.dataType ?? 0)
  if (!type) return wrong(`its element type ${proto.dataType ?? 0} is none of the format`)
  if (!type.dtype) {
    const read = (): never =>
      reject('onnx-unsupported', `tensor ${quote(name)} holds elements of type ${type.name}, which cannot be computed with`)
    return { name, dtype: 'u8', shape, unsupported: type.name, read }
  }
  const { dtype } = type
  const count = countElements(shape, wrong)
  const bytes = sizeOf(proto, external, type, count, wrong)
  const read = once(() => finish(dtype, type, count, bytes()))
  return { name, dtype, shape, ...((type.bits === 2 || type.bits === 4) && { bits: type.bits }), read }
}

function readShape(dims: Uint8Array | undefined, wrong: (what: string) => never): readonly number[] {
  const shape = readVarints(dims, maximumRank, () => wrong(`it has more than ${maximumRank} dimensions`))
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0))
    wrong(`its shape [${shape.join(', ')}] is impossible`)
  return shape
}

function countElements(shape: readonly number[], wrong: (what: string) => never): number {
  const count = shape.includes(0) ? 0 : shape.reduce((product, extent) => product * extent, 1)
  return Number.isSafeInteger(count * 8) ? count : wrong(`its shape [${shape.join(', ')}] has too many elements`)
}

/** How the elements will be had, after checking that there are as many as the shape says. */
function sizeOf(
  proto: Message<'TensorProto'>,
  external: ExternalData,
  type: ElementType,
  count: number,
  wrong: (what: string) => never,
): () => Uint8Array {
  const stored = Math.ceil((count * type.bits) / 8)
  const expect = (found: number, wanted: number, unit: string): void => {
    if (found !== wanted)
      wrong(`it has ${found} ${unit}, ${wanted} would be ${count} elements of type ${type.name} as its shape says`)
  }
  if (proto.dataLocation === 1) return locate(proto, external, stored, wrong)
  const { rawData, floatData, int32Data, int64Data, doubleData, uint64Data } = proto
  if (rawData) {
    expect(rawData.length, stored, 'bytes')
    return () => rawData
  }
  if (type.dtype === 'f32' || type.dtype === 'f64') {
    const data = (type.dtype === 'f32' ? floatData : doubleData) ?? nothing
    expect(data.length, stored, 'bytes')
    return () => data
  }
  const wide = type.bits === 64
  const data = (wide ? (type.dtype === 'u64' ? uint64Data : int64Data) : type.dtype === 'u32' ? uint64Data : int32Data) ?? nothing
  const perByte = type.bits < 8 ? 8 / type.bits : 1
  expect(countVarints(data), Math.ceil(count / perByte), 'numbers')
  return () => (wide ? convertWide(data, count) : convertNarrow(data, Math.min(type.bits, 32), Math.ceil(count / perByte), wrong))
}

const nothing = new Uint8Array(0)

function locate(
  proto: Message<'TensorProto'>,
  external: ExternalData,
  stored: number,
  wrong: (what: string) => never,
): () => Uint8Array {
  const entries = new Map((proto.externalData ?? []).map(({ key, value }) => [key ?? '', value ?? '']))
  const integer = (key: string): number | undefined => {
    const text = entries.get(key)
    if (text === undefined) return undefined
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    return Number.isSafeInteger(value) ? value : wrong(`the ${key} of its external data, ${quote(text)}, is no size`)
  }
  const location = entries.get('location')
  if (location === undefined) return wrong('its external data have no location')
  const offset = integer('offset') ?? 0
  const length = integer('length') ?? stored
  if (length !== stored) wrong(`its external data are ${length} bytes, its type and shape take ${stored}`)
  if (stored === 0) return () => nothing
  const file = external(location)
  if (offset + length > file.size)
    wrong(`its external data are bytes ${offset} to ${offset + length} of ${quote(location)}, which has ${file.size}`)
  return () => file.read(offset, length)
}

/** Every byte below 128 ends a number. */
function countVarints(payload: Uint8Array): number {
  let count = 0
  for (const byte of payload) if (byte < 0x80) count++
  return count
}

function convertWide(payload: Uint8Array, count: number): Uint8Array {
  const reader = new BinaryReader(payload)
  const bytes = new Uint8Array(count * 8)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < count; i++) view.setBigUint64(i * 8, BigInt.asUintN(64, BigInt(reader.int64())), true)
  return bytes
}

/** Small elements stand as numbers of their own, signed or not; floats as the number that their bits make. */
function convertNarrow(payload: Uint8Array, bits: number, count: number, wrong: (what: string) => never): Uint8Array {
  const reader = new BinaryReader(payload)
  const width = Math.max(8, bits)
  const bytes = new Uint8Array((count * width) / 8)
  const view = new DataView(bytes.buffer)
  const [low, high] = [-(2 ** (width - 1)), 2 ** width]
  for (let i = 0; i < count; i++) {
    const value = reader.int32()
    if (value < low || value >= high) wrong(`its element ${i} is ${value}, which does not fit into ${width} bits`)
    if (width === 8) view.setUint8(i, value & 0xff)
    else if (width === 16) view.setUint16(i * 2, value & 0xffff, true)
    else view.setInt32(i * 4, value, true)
  }
  return bytes
}

/** Whole bytes for each element, 0 and 1 for booleans, and a start that a typed array can take. */
function finish(dtype: DType, type: ElementType, count: number, bytes: Uint8Array): Uint8Array {
  if (type.bits < 8) return unpack(bytes, count, type.bits, dtype === 'i8')
  if (dtype === 'bool' && bytes.some((byte) => byte > 1)) return bytes.map((byte) => (byte === 0 ? 0 : 1))
  return bytes.byteOffset % dtypeFacts[dtype].bytes === 0 ? bytes : bytes.slice()
}

function unpack(bytes: Uint8Array, count: number, bits: number, signed: boolean): Uint8Array {
  const perByte = 8 / bits
  const unsigned = (i: number) => (bytes[Math.floor(i / perByte)]! >> (bits * (i % perByte))) & (2 ** bits - 1)
  const sign = 2 ** (bits - 1)
  return Uint8Array.from({ length: count }, (_, i) => (signed ? (unsigned(i) ^ sign) - sign : unsigned(i)))
}

/** Reads as long as nobody holds the bytes of an earlier reading. */
function once(read: () => Uint8Array): () => Uint8Array {
  let held: WeakRef<Uint8Array> | undefined
  return () => {
    const before = held?.deref()
    if (before) return before
    const bytes = read()
    held = new WeakRef(bytes)
    return bytes
  }
}

/** A sparse tensor written out: values stand at flat positions, or at coordinates of one row each. */
export function readSparse(proto: Message<'SparseTensorProto'>, external: ExternalData): OnnxTensor {
  const name = proto.values?.name ?? ''
  const wrong = (what: string): never => reject('onnx-malformed', `sparse tensor ${quote(name)}: ${what}`)
  if (!proto.values) return wrong('it has no values')
  const values = readTensor(proto.values, external)
  const shape = readShape(proto.dims, wrong)
  const count = countElements(shape, wrong)
  if (count > maximumSparse)
    reject(
      'onnx-unsupported',
      `sparse tensor ${quote(name)} has ${count} elements when written out, the limit is ${maximumSparse}`,
    )
  if (values.unsupported !== undefined) return { ...values, shape }
  const indices = proto.indices ? readTensor(proto.indices, external) : wrong('it has no indices')
  const [entries = 0] = values.shape
  const flat = indices.shape.length === 1
  const fits = values.shape.length === 1 && indices.shape[0] === entries && (flat || indices.shape[1] === shape.length)
  if (!fits || indices.dtype !== 'i64' || indices.shape.length > 2)
    wrong(
      `indices [${indices.shape.join(', ')}] of type ${indices.dtype} do not fit ${entries} values of shape [${shape.join(', ')}]`,
    )

  const read = once(() => {
    const width = dtypeFacts[values.dtype].bytes
    const dense = new Uint8Array(count * width)
    const stored = values.read()
    const index = indices.read()
    const view = new DataView(index.buffer, index.byteOffset, index.byteLength)
    const at = (i: number) => Number(view.getBigInt64(i * 8, true))
    for (let i = 0; i < entries; i++) {
      const row = flat ? [] : shape.map((_, axis) => at(i * shape.length + axis))
      if (row.some((position, axis) => !(position >= 0 && position < shape[axis]!))) wrong(`an index lies outside its shape`)
      const position = flat ? at(i) : row.reduce((sum, each, axis) => sum * shape[axis]! + each, 0)
      if (!(position >= 0 && position < count)) wrong(`an index lies outside its shape`)
      dense.set(stored.subarray(i * width, (i + 1) * width), position * width)
    }
    return dense
  })
  return { name, dtype: values.dtype, shape, read }
}
