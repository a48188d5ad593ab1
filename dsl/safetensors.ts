import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { type ConstantData, type DType, printType, reject } from '../compiler/graph/index.ts'
import { closest, isPlainObject } from './check.ts'

/** Bits of each element type of the format. Those without a `DType` of ours may stand in a file but not be used. */
const formats: Readonly<Record<string, { readonly bits: number; readonly dtype?: DType }>> = Object.assign(Object.create(null), {
  F64: { bits: 64, dtype: 'f64' },
  F32: { bits: 32, dtype: 'f32' },
  F16: { bits: 16, dtype: 'f16' },
  BF16: { bits: 16, dtype: 'bf16' },
  F8_E4M3: { bits: 8, dtype: 'f8e4m3' },
  F8_E5M2: { bits: 8, dtype: 'f8e5m2' },
  I64: { bits: 64, dtype: 'i64' },
  U64: { bits: 64, dtype: 'u64' },
  I32: { bits: 32, dtype: 'i32' },
  U32: { bits: 32, dtype: 'u32' },
  I16: { bits: 16, dtype: 'i16' },
  U16: { bits: 16, dtype: 'u16' },
  I8: { bits: 8, dtype: 'i8' },
  U8: { bits: 8, dtype: 'u8' },
  BOOL: { bits: 8, dtype: 'bool' },
  F8_E8M0: { bits: 8 },
  F8_E4M3FNUZ: { bits: 8 },
  F8_E5M2FNUZ: { bits: 8 },
  F6_E2M3: { bits: 6 },
  F6_E3M2: { bits: 6 },
  F4: { bits: 4 },
  C64: { bits: 64 },
})

const names = new Map(Object.entries(formats).flatMap(([name, { dtype }]) => (dtype ? [[dtype, name] as const] : [])))

/** How the format spells an element type. */
export const formatOf = (dtype: DType): string => names.get(dtype)!

/** Longest header accepted, as in the format's own reader. */
const maximumHeader = 100_000_000
const chunk = 2 ** 30

interface Entry {
  /** As the file names it. */
  readonly format: string
  readonly dtype: DType | undefined
  readonly shape: readonly number[]
  /** From the start of the file. */
  readonly begin: number
  readonly end: number
}

/** A weights file whose header has been read and checked; bytes are read when asked for. */
export interface TensorFile {
  readonly path: string
  /** The file's own name, for messages. */
  readonly name: string
  readonly entries: ReadonlyMap<string, Entry>
  /** The texts that stand beside the tensors. */
  readonly metadata: ReadonlyMap<string, string>
  /** One payload object for each tensor, so that a tensor read twice is one constant. Rejects what is missing or of another type. */
  data(name: string, dtype: DType, shape: readonly number[]): ConstantData
}

/** Reads and checks the header of a safetensors file. Throws ModelProblem `weights-unreadable` or `weights-malformed`. */
export function openTensorFile(path: string): TensorFile {
  const name = basename(path)
  const opened = withFile(path, name, (fd) => {
    const { size } = fstatSync(fd)
    const malformed = (what: string): never => reject('weights-malformed', `${name}: ${what}`)
    if (size < 8) malformed(`a safetensors file starts with 8 bytes for the length of its header, this one has ${size} in all`)
    const length = Number(readBytes(fd, 0, 8, name).readBigUInt64LE(0))
    if (length > maximumHeader)
      malformed(`the header claims ${length} bytes, the limit is ${maximumHeader}; is this a safetensors file?`)
    if (length > size - 8) malformed(`the header claims ${length} bytes, the file ends after ${size - 8}`)
    return { size, length, ...parseHeader(readBytes(fd, 8, length, name), 8 + length, size, malformed) }
  })
  const stamp = stampOf(path)
  const known = new Map<string, ConstantData>()

  function data(tensor: string, dtype: DType, shape: readonly number[]): ConstantData {
    const entry = opened.entries.get(tensor)
    if (!entry) {
      const near = closest(tensor, [...opened.entries.keys()], 3)
      return reject(
        'weight-missing',
        `${name} has no tensor '${tensor}'${near.length > 0 ? `; close names are ${near.map((n) => `'${n}'`).join(', ')}` : ''}`,
      )
    }
    if (!entry.dtype)
      return reject('weight-mismatch', `'${tensor}' in ${name} is of type ${entry.format}, which cannot be computed with`)
    const [found, wanted] = [printType({ dtype: entry.dtype, shape: entry.shape }), printType({ dtype, shape })]
    if (found !== wanted) reject('weight-mismatch', `'${tensor}' in ${name} is ${found}, the model asks for ${wanted}`)
    const payload = known.get(tensor) ?? { label: tensor, read: reader(entry) }
    known.set(tensor, payload)
    return payload
  }

  /** Keeps the bytes as long as somebody else does. */
  function reader(entry: Entry): () => Uint8Array {
    let held: WeakRef<Uint8Array> | undefined
    return () => {
      const before = held?.deref()
      if (before) return before
      if (stampOf(path) !== stamp) reject('weights-unreadable', `${name} has changed since its header was read; build again`)
      const { buffer, byteOffset, byteLength } = withFile(path, name, (fd) =>
        readBytes(fd, entry.begin, entry.end - entry.begin, name),
      )
      const bytes = new Uint8Array(buffer, byteOffset, byteLength)
      held = new WeakRef(bytes)
      return bytes
    }
  }

  return { path, name, entries: opened.entries, metadata: opened.metadata, data }
}

/** Changes whenever the file is written anew. */
export function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat ? `${stat.size} ${stat.mtimeMs} ${stat.ino}` : 'absent'
}

function withFile<T>(path: string, name: string, body: (fd: number) => T): T {
  const unreadable = (why: string): never => reject('weights-unreadable', `${name} cannot be read: ${why}`)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) unreadable('there is no such file')
  // Opening a pipe or a device could wait for ever.
  if (!stat!.isFile()) unreadable('it is not a file')
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    return unreadable((error as NodeJS.ErrnoException).code ?? 'unknown error')
  }
  try {
    return body(fd)
  } finally {
    closeSync(fd)
  }
}

function readBytes(fd: number, position: number, length: number, name: string): Buffer {
  // Not from Node's pool: the bytes are given away, and a view of a typed array needs an aligned start.
  const bytes = Buffer.from(new ArrayBuffer(length))
  for (let done = 0; done < length; ) {
    const count = readSync(fd, bytes, done, Math.min(chunk, length - done), position + done)
    if (count === 0)
      reject('weights-unreadable', `${name} ends after ${position + done} bytes, ${position + length} were promised`)
    done += count
  }
  return bytes
}

function parseHeader(
  bytes: Uint8Array,
  dataStart: number,
  size: number,
  malformed: (what: string) => never,
): Pick<TensorFile, 'entries' | 'metadata'> {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return malformed('the header is not JSON in UTF-8')
  }
  if (!isPlainObject(header)) return malformed('the header is not a JSON object')
  const entries = new Map<string, Entry>()
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__')
      entries.set(name, parseEntry(name.length > 200 ? `${name.slice(0, 200)}…` : name, value, dataStart, size, malformed))
  }
  checkCover(entries, dataStart, size, malformed)
  const beside = Object.hasOwn(header, '__metadata__') ? header.__metadata__ : undefined
  const texts = isPlainObject(beside) ? Object.entries(beside) : []
  return { entries, metadata: new Map(texts.filter((pair): pair is [string, string] => typeof pair[1] === 'string')) }
}

function parseEntry(name: string, value: unknown, dataStart: number, size: number, malformed: (what: string) => never): Entry {
  const wrong = (what: string): never => malformed(`tensor '${name}': ${what}`)
  if (!isPlainObject(value)) return wrong('its entry is not an object')
  const { dtype: format, shape, data_offsets: offsets } = value
  const known = typeof format === 'string' ? formats[format] : undefined
  if (typeof format !== 'string' || !known)
    return wrong(`its dtype ${JSON.stringify(format) ?? 'is missing and'} is none of the format`)
  const isSize = (n: unknown): n is number => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0
  if (!Array.isArray(shape) || !shape.every(isSize)) return wrong('its shape is not a list of whole numbers of at least 0')
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize))
    return wrong('its data_offsets are not two whole numbers of at least 0')
  const [begin, end] = offsets as [number, number]
  if (begin > end || end > size - dataStart)
    return wrong(`its bytes ${begin} to ${end} lie outside the ${size - dataStart} bytes of data`)
  // With an empty dimension the others may be as large as they like.
  const bits = shape.includes(0) ? 0 : shape.reduce((product: number, extent: number) => product * extent, known.bits)
  if (!Number.isSafeInteger(bits) || bits !== (end - begin) * 8)
    return wrong(
      `${format} of shape [${shape.slice(0, 16).join(', ')}] does not take the ${end - begin} bytes that its data_offsets span`,
    )
  return { format, dtype: known.dtype, shape, begin: dataStart + begin, end: dataStart + end }
}

/** The tensors lie one after another over the whole of the data, as the format demands: nothing is shared and nothing hidden. */
function checkCover(
  entries: ReadonlyMap<string, Entry>,
  dataStart: number,
  size: number,
  malformed: (what: string) => never,
): void {
  const inOrder = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  let covered = dataStart
  let last = ''
  for (const [name, { begin, end }] of inOrder) {
    if (begin < covered) malformed(`the bytes of tensors '${last}' and '${name}' overlap`)
    if (begin > covered) malformed(`bytes ${covered - dataStart} to ${begin - dataStart} of the data belong to no tensor`)
    covered = end
    last = name
  }
  if (covered < size) malformed(`the last ${size - covered} bytes belong to no tensor`)
}
