import { type DType, dtypeFacts, dtypes, isDType, maximumRank, type ProblemCode, reject } from '../compiler/graph/index.ts'
import { suggestion } from '../compiler/graph/suggestion.ts'
import { plainNumber } from './dimension.ts'
import { describe } from './tracer.ts'

export { closest, suggestion } from '../compiler/graph/suggestion.ts'

/** Lists of tensors, and values of a constant, stop here: a longer one is a mistake, or meant to exhaust the build. */
export const maximumOperands = 4096
export const maximumValues = 2 ** 20

type Options = Readonly<Record<string, unknown>>

/** The options object of an op: absent, or a plain object with no other keys than `known`. */
export function readOptions(op: string, given: unknown, known: readonly string[]): Options {
  if (given === undefined) return {}
  if (!isPlainObject(given))
    return reject('bad-attribute', `${op}: options must be an object with ${listed(known)}, got ${describe(given)}`)
  for (const key of Object.keys(given)) {
    if (!known.includes(key))
      reject('bad-attribute', `${op}: there is no option ${describe(key)}${suggestion(key, known)}; options are ${listed(known)}`)
  }
  return given
}

export function isPlainObject(value: unknown): value is Options {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

export function readNumber(op: string, name: string, given: unknown, fallback: number): number {
  if (given === undefined) return fallback
  const value = plainNumber(given)
  if (typeof value !== 'number') return reject('bad-attribute', `${op}: ${name} must be a number, got ${describe(value)}`)
  return value
}

export function readBoolean(op: string, name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') return reject('bad-attribute', `${op}: ${name} must be true or false, got ${describe(value)}`)
  return value
}

/** A whole number of at least `minimum`. */
export function readInteger(
  op: string,
  name: string,
  given: unknown,
  minimum: number,
  code: ProblemCode = 'bad-attribute',
): number {
  const value = plainNumber(given)
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < minimum) {
    return reject(
      code,
      `${op}: ${name} must be a whole number${minimum > Number.MIN_SAFE_INTEGER ? ` of at least ${minimum}` : ''}, got ${describe(value)}`,
    )
  }
  return value
}

/** An axis, negative ones counted from the end, as its index from the front. */
export function readAxis(op: string, value: unknown, rank: number, name = 'axis'): number {
  const axis = readInteger(op, name, value, Number.MIN_SAFE_INTEGER)
  if (axis < -rank || axis >= rank) {
    return reject(
      'bad-attribute',
      rank === 0
        ? `${op}: a tensor without dimensions has no axis ${axis}`
        : `${op}: ${name} ${axis} is outside a tensor of rank ${rank}; it may be ${-rank} to ${rank - 1}`,
    )
  }
  return axis < 0 ? axis + rank : axis
}

/** Distinct axes in ascending order; absent means all of them. */
export function readAxes(op: string, value: unknown, rank: number): number[] {
  if (value === undefined) return Array.from({ length: rank }, (_, i) => i)
  const list = typeof plainNumber(value) === 'number' ? [value] : readList(op, 'axes', value, maximumRank)
  const axes = list.map((entry) => readAxis(op, entry, rank, 'axes'))
  if (new Set(axes).size !== axes.length) reject('bad-attribute', `${op}: axes [${list.join(', ')}] name one axis twice`)
  return axes.sort((a, b) => a - b)
}

/** An array of at most `longest` entries. Its length is looked at before anything walks over it. */
export function readList(
  op: string,
  name: string,
  value: unknown,
  longest: number,
  code: ProblemCode = 'bad-attribute',
): readonly unknown[] {
  if (!Array.isArray(value)) return reject(code, `${op}: ${name} must be an array, got ${describe(value)}`)
  if (value.length > longest) return reject(code, `${op}: ${name} has ${value.length} entries, the limit is ${longest}`)
  return value
}

/** A list of whole numbers of at least `minimum`, `length` of them when given. */
export function readIntegers(op: string, name: string, value: unknown, minimum: number, length?: number): number[] {
  const list = readList(op, name, value, maximumRank)
  if (length !== undefined && list.length !== length)
    reject('bad-attribute', `${op}: ${name} needs ${length} ${length === 1 ? 'entry' : 'entries'}, got ${list.length}`)
  return Array.from(list, (entry, i) => readInteger(op, `${name}[${i}]`, entry, minimum))
}

export const readShape = (op: string, value: unknown, minimum = 0): number[] => readIntegers(op, 'shape', value, minimum)

/** A number for all spatial axes, or one for each. */
export function readPerAxis(op: string, name: string, given: unknown, count: number, minimum: number): number[] {
  const value = plainNumber(given)
  if (Array.isArray(value)) return readIntegers(op, name, value, minimum, count)
  if (typeof value === 'number') return new Array<number>(count).fill(readInteger(op, name, value, minimum))
  return reject(
    'bad-attribute',
    `${op}: ${name} must be a number${count > 1 ? ` or ${count} numbers` : ''}, got ${describe(value)}`,
  )
}

export function readChoice<const C extends string>(
  op: string,
  name: string,
  value: unknown,
  choices: readonly C[],
  fallback: C,
): C {
  if (value === undefined) return fallback
  const found = choices.find((choice) => choice === value)
  return (
    found ??
    reject('bad-attribute', `${op}: ${name} must be ${choices.map((c) => `'${c}'`).join(' or ')}, got ${describe(value)}`)
  )
}

export function readDType(op: string, value: unknown): DType {
  if (isDType(value)) return value
  return reject(
    'bad-attribute',
    `${op}: ${describe(value)} is not an element type${typeof value === 'string' ? suggestion(dtypeAliases[value] ?? value, dtypes) : ''}; element types are ${dtypes.join(', ')}`,
  )
}

const dtypeAliases: Readonly<Record<string, DType>> = Object.assign(Object.create(null), {
  float32: 'f32',
  float: 'f32',
  float64: 'f64',
  double: 'f64',
  float16: 'f16',
  half: 'f16',
  bfloat16: 'bf16',
  int8: 'i8',
  uint8: 'u8',
  int16: 'i16',
  uint16: 'u16',
  int32: 'i32',
  uint32: 'u32',
  int64: 'i64',
  uint64: 'u64',
  boolean: 'bool',
})

/** Whether a number can stand as an element of `dtype` without changing: any for floats, whole and in range for integers, 0 or 1 for bool. */
export function isElement(dtype: DType, value: number): boolean {
  const { kind, bytes } = dtypeFacts[dtype]
  if (kind === 'float') return true
  if (!Number.isInteger(value)) return false
  if (kind === 'bool') return value === 0 || value === 1
  const span = 2 ** (bytes * 8)
  return kind === 'signed' ? value >= -span / 2 && value < span / 2 : value >= 0 && value < span
}

const listed = (names: readonly string[]): string =>
  names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names.join('')
