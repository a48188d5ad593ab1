import { type ConstantData, dtypeFacts, elementCount, isFloat, type TensorType } from '../../../compiler/graph/index.ts'
import type { OnnxTensor } from '../model.ts'
import { writtenValues } from '../record/numbers.ts'
import type { Recorder } from '../record/recorder.ts'
import type { SizeList } from './bounded/index.ts'
import type { Known, Value } from './context.ts'

/** What a name of the file stands for. */
export type Entry =
  /** Known elements; they become a constant of the model where a tensor is needed. */
  | { readonly kind: 'known'; readonly name: string; readonly known: Known; tensor: Value | undefined }
  /** Depends on inputs, or on constants alone but too large to be computed eagerly. */
  | {
      readonly kind: 'tensor'
      readonly tensor: Value
      /** Sizes that data decides, of which the tensor is made when it is asked for. */
      readonly list?: SizeList
    }
  /** A tensor of the file whose type has no counterpart. */
  | { readonly kind: 'unusable'; readonly type: string }
  /** Tensors in a row, and an optional value without element: they exist while importing alone. */
  | { readonly kind: 'sequence'; readonly items: readonly Entry[] }
  | { readonly kind: 'nothing' }
  /** Comes from a node that cannot be imported. */
  | { readonly kind: 'poisoned' }

/** Values by name; a branch of `If` sees those around it. */
export interface Scope {
  get(name: string): Entry | undefined
  set(name: string, entry: Entry): void
}

export function createScope(outer?: Scope): Scope {
  const entries = new Map<string, Entry>()
  return {
    get: (name) => entries.get(name) ?? outer?.get(name),
    set: (name, entry) => void entries.set(name, entry),
  }
}

export const knownEntry = (name: string, known: Known): Entry => ({ kind: 'known', name, known, tensor: undefined })

export const initializerEntry = (name: string, tensor: OnnxTensor): Entry =>
  tensor.unsupported === undefined ? knownEntry(name, knownOf(tensor)) : { kind: 'unusable', type: tensor.unsupported }

/** Elements of a tensor of the file, read when they are needed. */
export function knownOf({ dtype, shape, bits, read }: OnnxTensor): Known {
  let bytes: Uint8Array | undefined
  return {
    type: { dtype, shape },
    ...(bits && { bits }),
    get bytes() {
      bytes ??= read()
      return bytes
    },
  }
}

/** A tensor of the weights file. */
export interface ImportedWeight {
  readonly type: TensorType
  /** Little-endian dense row-major bytes. */
  readonly read: () => Uint8Array
}

/** Tensors of the weights file by name, shared by all entries of a model. */
export interface WeightStore {
  readonly weights: ReadonlyMap<string, ImportedWeight>
  /** One payload for each tensor: under `name`, or a name of its own where other elements have that. */
  add(name: string, known: Known): { readonly name: string; readonly data: ConstantData }
}

export function createWeightStore(): WeightStore {
  const weights = new Map<string, ImportedWeight & { readonly known: Known; readonly data: ConstantData }>()
  return {
    weights,
    add(wanted, known) {
      // The header of a safetensors file has a property of that name for something else.
      const base = wanted === '__metadata__' || wanted === '' ? `${wanted}_weight` : wanted
      for (let i = 1; ; i++) {
        const name = i === 1 ? base : `${base}_${i}`
        const there = weights.get(name)
        if (there && !sameElements(there.known, known)) continue
        if (there) return { name, data: there.data }
        const read = () => known.bytes
        const data = { label: name, read }
        weights.set(name, { type: known.type, read, known, data })
        return { name, data }
      }
    },
  }
}

function sameElements(a: Known, b: Known): boolean {
  if (a === b) return true
  if (a.type.dtype !== b.type.dtype || a.type.shape.join() !== b.type.shape.join()) return false
  return a.bytes.length === b.bytes.length && a.bytes.every((byte, i) => byte === b.bytes[i])
}

/** Constants up to this size may be written in the model. */
const inlineElements = 16
/** Characters of a list, and of an element in it: a list of unround floats, or of trained integers, is no reading. */
const [inlineText, inlineFloat, inlineInteger] = [64, 6, 3]

/** The constant of the model for a known value: in the text where it is small and reads well, else in the weights file. */
export function materialize(entry: Extract<Entry, { kind: 'known' }>, recorder: Recorder, store: WeightStore): Value {
  entry.tensor ??= constantFor(entry.name, entry.known, recorder, store)
  return entry.tensor
}

export function constantFor(name: string, known: Known, recorder: Recorder, store: WeightStore): Value {
  const { type } = known
  if (isInline(known)) return recorder.literal(type, known.bytes)
  const repeated = repeatedValue(known)
  if (repeated !== undefined) return recorder.d.full(type.dtype, [...type.shape], repeated)
  const { name: unique, data } = store.add(name, known)
  return recorder.weight(unique, type, data)
}

function isInline(known: Known): boolean {
  const { dtype, shape } = known.type
  const count = elementCount(shape)
  if (count > inlineElements) return false
  if (count <= 1) return true
  const texts = writtenValues(dtype, known.bytes).map(String)
  const longest = isFloat(dtype) ? inlineFloat : inlineInteger
  return texts.join(', ').length <= inlineText && (dtype === 'bool' || texts.every((text) => text.length <= longest))
}

/** Elements of a tensor that is one value repeated may be this many. */
const repeatedElements = 1 << 20

/** The one value that all elements are, where the vocabulary can write it. */
function repeatedValue(known: Known): number | bigint | undefined {
  const { dtype, shape } = known.type
  const [count, width] = [elementCount(shape), dtypeFacts[dtype].bytes]
  if (count > repeatedElements) return undefined
  const { bytes } = known
  for (let i = width; i < bytes.length; i++) if (bytes[i] !== bytes[i - width]) return undefined
  return writtenValues(dtype, bytes.subarray(0, width))[0]
}
