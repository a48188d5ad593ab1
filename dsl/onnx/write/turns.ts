import type { Surroundings } from './calls.ts'
import { broken, type Doc, group, hardLine, indent, join, lines } from './document.ts'
import { atom, callOf, type Expression, listOf, objectOf, widthOfExpression } from './expression.ts'
import type { Helper } from './helper.ts'
import type { Scalar } from './program.ts'
import { isCountable, type Loop, progression } from './runs.ts'
import { createScope, type Scope } from './text.ts'

/** `kept` in place of `[kept[0]!, kept[1]!]`, where these are all. */
export function withWholeLists(expression: Expression, lists: ReadonlyMap<string, number>): Expression {
  if (lists.size === 0) return expression
  const inner = (part: Expression) => withWholeLists(part, lists)
  switch (expression.kind) {
    case 'call':
      return callOf(expression.callee, ...expression.parts.map(inner))
    case 'object':
      return objectOf(expression.entries.map(([key, value]) => [key, inner(value)]))
    case 'member':
      return { ...expression, of: inner(expression.of) }
    case 'list': {
      const [first] = expression.items
      const name = first?.kind === 'atom' && first.text.endsWith('[0]!') ? first.text.slice(0, -4) : undefined
      const isWhole =
        name !== undefined &&
        lists.get(name) === expression.items.length &&
        expression.items.every((item, i) => item.kind === 'atom' && item.text === `${name}[${i}]!`)
      return isWhole ? atom(name) : listOf(expression.items.map(inner))
    }
    default:
      return expression
  }
}

/** A destructuring pattern without the holes at its end. */
export const trimmed = (list: readonly string[]): string =>
  list.slice(0, list.findLastIndex((name) => name !== '') + 1).join(', ')

/** A loop, without braces where it is short. */
export function forStatement(head: string, body: readonly Doc[], needsBraces: boolean): Doc {
  const [only] = body
  const onOneLine = body.length === 1 && !needsBraces ? group(join(`for (${head}) `, only!)) : undefined
  if (onOneLine && typeof onOneLine === 'object' && onOneLine.kind === 'group' && onOneLine.flatWidth <= 110) return onOneLine
  return broken(join(`for (${head}) {`, indent(join(hardLine, lines(body))), hardLine, '}'))
}

/** What a turn of a loop gives to its helper: an index, and what follows from it, or a row of a table. */
export function createTurn(
  loop: Loop,
  helper: Helper,
  scope: Scope,
  scalar: (value: Scalar) => Expression,
  around: Surroundings,
) {
  const { items } = loop
  const { parameters } = helper.template
  const inner = { take: (...words: readonly string[]) => scope.take(...words) }
  const columns = parameters.map((_, p) => items.map(({ scalars }) => scalars[p]!))
  const progressions = columns.map(progression)
  const fixed = (p: number) => progressions[p]?.distance === 0
  const cells: Expression[] = []
  const known = columns.map((column, p) => (fixed(p) ? column[0] : undefined))
  const label = (p: number) => helper.names.get(parameters[p]!)!
  const written = [...helper.positional, ...helper.options.map(({ parameter }) => parameter)]
  const moving = written.map((parameter) => parameters.indexOf(parameter)).filter((p) => !fixed(p))

  if (moving.every((p) => isCountable(parameters[p]!) && progressions[p] !== undefined)) {
    const lead = moving.find((p) => progressions[p]!.distance === 1) ?? moving[0]
    const start = lead === undefined ? 0 : progressions[lead]!.distance === 1 ? progressions[lead]!.start : 0
    const index = createScope(scope).take(
      ...(lead !== undefined && progressions[lead]!.distance === 1 ? [label(lead)] : []),
      'turn',
      'i',
    )
    for (const p of parameters.keys()) {
      const steps = progressions[p]!
      if (fixed(p)) cells.push(scalar(columns[p]![0]!))
      else cells.push(atom(affine(index, steps.distance, steps.start - steps.distance * start)))
    }
    const end = start + items.length
    const head = `let ${index} = ${start}; ${index} ${start === 0 ? `< ${end}` : `<= ${end - 1}`}; ${index}++`
    const place = start === 0 ? index : `${index} - ${start}`
    return { head, cells, known, scope: inner, place }
  }

  const own = createScope(scope)
  const keys = moving.map((p) => ({ p, key: own.take(label(p)) }))
  const rows = items.map(({ scalars }) => keys.map(({ p, key }) => [key, scalar(scalars[p]!)] as const))
  const isSingle = keys.length === 1
  // Rows that are too long with their keys are lists, and the keys stand in the loop alone.
  const isShort = rows.every((row) => widthOfExpression(objectOf(row)) < 120)
  const entries = rows.map((row) => (isSingle ? row[0]![1] : isShort ? objectOf(row) : listOf(row.map(([, value]) => value))))
  const table = around.table(tableWords(helper.name), listOf(entries), !isSingle && !isShort)
  for (const p of parameters.keys()) {
    const key = keys.find((one) => one.p === p)
    cells.push(key ? atom(key.key) : scalar(columns[p]![0]!))
  }
  const list = keys.map(({ key }) => key).join(', ')
  const head = `const ${isSingle ? list : isShort ? `{ ${list} }` : `[${list}]`} of ${table}`
  return { head, cells, known, scope: inner, place: '' }
}

/** `pastKeys` for `pastKey0`, `pastKey1` and so on. */
export function listWord(names: readonly string[]): string {
  const stems = names.map((name) => name.replace(/\d+.*$/, ''))
  return stems[0]!.length > 1 && stems.every((stem) => stem === stems[0]) ? `${stems[0]!.replace(/s$/, '')}s` : 'inputs'
}

const affine = (index: string, factor: number, offset: number): string => {
  const product = factor === 1 ? index : `${factor} * ${index}`
  return offset === 0 ? product : `${product} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`
}

const tableWords = (name: string): string[] => {
  const plural = /(?:s|sh|ch|x)$/.test(name) ? `${name}es` : `${name}s`
  return /(?:d|able|ual)$/.test(name) ? [`${name}Blocks`] : [plural]
}
