/** What a stored element is. `f8e4m3` and `f8e5m2` are storage only: `cast` is the one op that accepts them. */
export const dtypes = [
  'f32',
  'f64',
  'f16',
  'bf16',
  'f8e4m3',
  'f8e5m2',
  'i8',
  'u8',
  'i16',
  'u16',
  'i32',
  'u32',
  'i64',
  'u64',
  'bool',
] as const

export type DType = (typeof dtypes)[number]
export type DTypeKind = 'float' | 'signed' | 'unsigned' | 'bool'

export interface DTypeFacts {
  readonly bytes: 1 | 2 | 4 | 8
  readonly kind: DTypeKind
  /** Accepted by `cast` alone. */
  readonly storageOnly: boolean
}

const facts = (bytes: DTypeFacts['bytes'], kind: DTypeKind, storageOnly = false): DTypeFacts => ({ bytes, kind, storageOnly })

export const dtypeFacts: Readonly<Record<DType, DTypeFacts>> = {
  f32: facts(4, 'float'),
  f64: facts(8, 'float'),
  f16: facts(2, 'float'),
  bf16: facts(2, 'float'),
  f8e4m3: facts(1, 'float', true),
  f8e5m2: facts(1, 'float', true),
  i8: facts(1, 'signed'),
  u8: facts(1, 'unsigned'),
  i16: facts(2, 'signed'),
  u16: facts(2, 'unsigned'),
  i32: facts(4, 'signed'),
  u32: facts(4, 'unsigned'),
  i64: facts(8, 'signed'),
  u64: facts(8, 'unsigned'),
  bool: facts(1, 'bool'),
}

export const isDType = (text: unknown): text is DType => typeof text === 'string' && Object.hasOwn(dtypeFacts, text)
export const isFloat = (dtype: DType): boolean => dtypeFacts[dtype].kind === 'float'
export const isInteger = (dtype: DType): boolean => dtypeFacts[dtype].kind === 'signed' || dtypeFacts[dtype].kind === 'unsigned'
