import {
  type Factory,
  type Item,
  isKnown,
  numberOf,
  type Parameter,
  parameterOf,
  type Scalar,
  samePadding,
  textOf,
} from './program.ts'
import { deriveColumns, familyOf } from './relations.ts'

/** Scalars of repeated calls, written with parameters where they differ. */
export interface Abstraction {
  readonly parameters: readonly Parameter[]
  /** For each call of the window its scalars inside of the helper. */
  readonly inside: readonly (readonly Scalar[])[]
  /** For each occurrence the scalars that it gives, in the order of the parameters. */
  readonly given: readonly (readonly Scalar[])[]
}

/** The same scalar of all occurrences. */
export interface Column {
  readonly kind: Parameter['kind']
  readonly cells: readonly Scalar[]
  readonly roles: string[]
}

/** Of more different columns no helper comes that anybody would call. */
const mostColumns = 24

/**
 * What differs between windows of calls that are alike: columns that are equal, or follow from others, are one parameter. Undefined where
 * there are far too many.
 */
export function abstractScalars(windows: readonly (readonly Item[])[], factory: Factory): Abstraction | undefined {
  const columns = new Map<string, Column>()
  const holes: { readonly column: Column; readonly write: (scalar: Scalar) => Scalar }[][] = []
  const add = (kind: Column['kind'], cells: readonly Scalar[], role: string): Column => {
    const key = `${kind} ${kind === 'number' ? familyOf(role, windows.length) : ''} ${cells.map((cell) => cell.key).join('\n')}`
    const column: Column = columns.get(key) ?? { kind, cells, roles: [] }
    if (!column.roles.includes(role)) column.roles.push(role)
    columns.set(key, column)
    return column
  }

  const [first] = windows
  const fixed: (Scalar | undefined)[][] = []
  for (const [k, item] of first!.entries()) {
    holes.push([])
    fixed.push([])
    if (columns.size > mostColumns) return undefined
    for (const [s, scalar] of item.scalars.entries()) {
      const cells = windows.map((window) => window[k]!.scalars[s]!)
      const role = item.pattern.roles[s]!
      const isImplied = cells.every((cell) => cell.kind === 'number' && cell.isImplied)
      if (isKnown(scalar) && cells.every((cell) => cell.key === scalar.key))
        fixed[k]![s] = scalar.kind === 'number' && !isImplied ? withoutImplication(scalar) : scalar
      else if (cells.some(({ kind }) => kind === 'same')) {
        if (cells.every((cell) => cell.kind === 'same' || (cell.kind === 'number' && cell.isSame))) fixed[k]![s] = samePadding
        else holes[k]![s] = { column: add('padding', cells, role), write: (inner) => inner }
      } else if (cells.every((cell) => cell.kind === 'text')) {
        const { before, middle, after, kind } = factor(cells)
        const word = kind === 'number' ? `index:${wordBefore(before)}` : role
        holes[k]![s] = { column: add(kind, middle, word), write: (inner) => textOf(...before, inner, ...after) }
      } else {
        const isText = cells.some((cell) => cell.kind === 'text' || (cell.kind === 'parameter' && cell.parameter.kind === 'text'))
        holes[k]![s] = { column: add(isText ? 'text' : 'number', cells, role), write: (inner) => inner }
      }
    }
  }

  if (columns.size > mostColumns) return undefined
  const derived = deriveColumns([...columns.values()])
  const parameters = new Map<Column, Parameter>()
  for (const column of derived.kept) parameters.set(column, factory.parameter(column.kind, column.roles))
  const written = (column: Column): Scalar => {
    const parameter = parameters.get(column)
    return parameter ? parameterOf(parameter) : derived.formulas.get(column)!(written)
  }
  return {
    parameters: [...parameters.values()],
    inside: first!.map((item, k) =>
      item.scalars.map((_, s) => {
        const scalar = fixed[k]![s]
        if (scalar) return scalar
        const { column, write } = holes[k]![s]!
        return write(written(column))
      }),
    ),
    given: windows.map((_, o) => [...parameters.keys()].map((column) => column.cells[o]!)),
  }
}

/** What one call implies, others must say. */
function withoutImplication({ isImplied, ...rest }: Extract<Scalar, { kind: 'number' }>): Scalar {
  return isImplied ? rest : { ...rest }
}

/** A number, a word or a single sign of a name; what is made of parameters is one. */
type Atom = string | Scalar

const known = new WeakMap<Scalar, readonly Atom[]>()
function atomsOf(scalar: Scalar): readonly Atom[] {
  const atoms = known.get(scalar) ?? split(scalar)
  known.set(scalar, atoms)
  return atoms
}

const split = (scalar: Scalar): Atom[] =>
  scalar.kind === 'text'
    ? scalar.parts.flatMap((part): Atom[] =>
        typeof part === 'string' ? [...(part.match(/\d+|[A-Za-z]+|[^A-Za-z0-9]/g) ?? [])] : [part],
      )
    : [scalar]

const isNumeric = (atom: Atom | undefined): boolean =>
  typeof atom === 'string'
    ? /^(?:0|[1-9]\d{0,8})$/.test(atom)
    : atom?.kind === 'arithmetic' || (atom?.kind === 'parameter' && atom.parameter.kind === 'number')
const isSeparator = (atom: Atom): boolean => typeof atom === 'string' && /^[^A-Za-z0-9]$/.test(atom)
const isSame = (a: Atom, b: Atom): boolean => typeof a === 'string' && a === b

/** What names begin and end with alike, and what stands between: numbers, or whole words. */
function factor(cells: readonly Scalar[]) {
  const lists = cells.map(atomsOf)
  const first = lists[0]!
  const shortest = Math.min(...lists.map((list) => list.length))
  let front = 0
  while (front < shortest && lists.every((list) => isSame(list[front]!, first[front]!))) front++
  let back = 0
  while (back < shortest - front && lists.every((list) => isSame(list.at(-1 - back)!, first.at(-1 - back)!))) back++
  const isNumber = lists.every((list) => list.length - front - back === 1 && isNumeric(list[front]))
  if (!isNumber) {
    while (front > 0 && !isSeparator(first[front - 1]!)) front--
    while (back > 0 && !isSeparator(first[first.length - back]!)) back--
  }
  const between = lists.map((list) => list.slice(front, list.length - back))
  return {
    before: first.slice(0, front),
    middle: between.map((atoms) => {
      const [atom] = atoms
      if (!isNumber) return textOf(...atoms)
      return typeof atom === 'string' ? numberOf(Number(atom)) : atom!
    }),
    after: first.slice(first.length - back),
    kind: isNumber ? ('number' as const) : ('text' as const),
  }
}

const wordBefore = (atoms: readonly Atom[]): string =>
  [...atoms].reverse().find((atom): atom is string => typeof atom === 'string' && /^[A-Za-z]+$/.test(atom)) ?? ''
