import { InvariantError } from '../../../compiler/graph/index.ts'
import {
  broken,
  choice,
  type Doc,
  fill,
  group,
  indent,
  join,
  line,
  separated,
  softLine,
  whenBroken,
  widthOf,
} from './document.ts'
import type { Value } from './program.ts'

/** An expression of the written module. */
export type Expression =
  /** A name, a literal, arithmetic: one line of source. */
  | { readonly kind: 'atom'; readonly text: string }
  | { readonly kind: 'call'; readonly callee: string; readonly parts: readonly Expression[] }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'object'; readonly entries: readonly (readonly [key: string, value: Expression])[] }
  /** One of several results: `.hidden`, `[1]`. */
  | { readonly kind: 'member'; readonly of: Expression; readonly access: string }
  /** A tensor that has a name, which is given when all uses are known. */
  | { readonly kind: 'reference'; readonly value: Value }

export const atom = (text: string): Expression => ({ kind: 'atom', text })
export const callOf = (callee: string, ...parts: readonly Expression[]): Expression => ({ kind: 'call', callee, parts })
export const listOf = (items: readonly Expression[]): Expression => ({ kind: 'list', items })
export const objectOf = (entries: readonly (readonly [string, Expression])[]): Expression => ({ kind: 'object', entries })

const isNumber = (expression: Expression): boolean => expression.kind === 'atom' && /^[-+]?\.?\d/.test(expression.text)
const isNumberList = (expression: Expression): boolean =>
  expression.kind === 'list' && expression.items.length > 1 && expression.items.every(isNumber)

/** `{ stride }` in place of `{ stride: stride }`. */
const entryDoc = ([key, value]: readonly [string, Expression]): Doc =>
  value.kind === 'atom' && value.text === key ? key : join(`${key}: `, docOf(value))

export function docOf(expression: Expression): Doc {
  switch (expression.kind) {
    case 'atom':
      return expression.text
    case 'member':
      return join(docOf(expression.of), expression.access)
    case 'reference':
      throw new InvariantError('a tensor is printed before it has a name')
    case 'list':
      return listDoc(expression)
    case 'object':
      if (expression.entries.length === 0) return '{}'
      return group(
        join('{', indent(join(line, separated(expression.entries.map(entryDoc), join(',', line)))), whenBroken(','), line, '}'),
      )
    case 'call':
      return callDoc(expression.callee, expression.parts)
  }
}

function listDoc({ items }: Extract<Expression, { kind: 'list' }>): Doc {
  if (items.length === 0) return '[]'
  if (items.length > 1 && items.every(isNumber))
    return group(join('[', indent(join(softLine, fill(items.map(docOf)))), whenBroken(','), softLine, ']'))
  const content = join('[', indent(join(softLine, separated(items.map(docOf), join(',', line)))), whenBroken(','), softLine, ']')
  return isTable(items) ? broken(content) : group(content)
}

/** Lists of records stand one record to a line. */
const isTable = (items: readonly Expression[]): boolean =>
  items.length > 1 &&
  (items.every((item) => item.kind === 'object' && item.entries.length > 1) ||
    items.every((item) => item.kind === 'list' && item.items.length > 1))

function callDoc(callee: string, parts: readonly Expression[]): Doc {
  if (parts.length === 0) return `${callee}()`
  const docs = parts.map(docOf)
  const apart = join(`${callee}(`, indent(join(softLine, separated(docs, join(',', line)))), whenBroken(','), softLine, ')')
  const [last, before] = [parts.at(-1)!, parts.at(-2)]
  const isHugged =
    ((last.kind === 'object' && last.entries.length > 0) || (last.kind === 'list' && last.items.length > 0)) &&
    before?.kind !== last.kind &&
    !(parts.length > 1 && isNumberList(last))
  if (!isHugged || docs.slice(0, -1).some((doc) => widthOf(doc) === Number.POSITIVE_INFINITY)) return group(apart)
  const heads = docs.slice(0, -1).flatMap((doc) => [doc, ', '])
  return choice(
    join(`${callee}(`, ...heads, docs.at(-1)!, ')'),
    join(`${callee}(`, ...heads, broken(contentOf(docs.at(-1)!)), ')'),
    broken(apart),
  )
}

const contentOf = (doc: Doc): Doc =>
  typeof doc === 'object' && (doc.kind === 'group' || doc.kind === 'broken') ? doc.content : doc

/** Characters on one line. */
export const widthOfExpression = (expression: Expression): number => {
  switch (expression.kind) {
    case 'atom':
      return expression.text.length
    case 'member':
      return widthOfExpression(expression.of) + expression.access.length
    case 'reference':
      return 6
    case 'list':
      // Lists of records never stand on one line.
      return expression.items.reduce((sum, item) => sum + widthOfExpression(item) + 2, isTable(expression.items) ? 60 : 0)
    case 'object':
      return expression.entries.reduce((sum, [key, value]) => sum + key.length + 2 + widthOfExpression(value) + 2, 2)
    case 'call':
      return expression.callee.length + expression.parts.reduce((sum, part) => sum + widthOfExpression(part) + 2, 0)
  }
}

/** Calls inside of calls inside of … */
export const depthOf = (expression: Expression): number => {
  switch (expression.kind) {
    case 'atom':
    case 'reference':
      return 0
    case 'member':
      return depthOf(expression.of)
    case 'list':
      return Math.max(0, ...expression.items.map(depthOf))
    case 'object':
      return Math.max(0, ...expression.entries.map(([, value]) => depthOf(value)))
    case 'call':
      return /^(?:w\.get|constant|full)$/.test(expression.callee) ? 0 : 1 + Math.max(0, ...expression.parts.map(depthOf))
  }
}

/** The tensors that an expression names. */
export function referencesOf(expression: Expression, found: Value[] = []): Value[] {
  switch (expression.kind) {
    case 'atom':
      break
    case 'reference':
      found.push(expression.value)
      break
    case 'member':
      referencesOf(expression.of, found)
      break
    case 'list':
      for (const item of expression.items) referencesOf(item, found)
      break
    case 'object':
      for (const [, value] of expression.entries) referencesOf(value, found)
      break
    case 'call':
      for (const part of expression.parts) referencesOf(part, found)
      break
  }
  return found
}

/** The expression with names in place of tensors. */
export function named(expression: Expression, nameOf: (value: Value) => string): Expression {
  const inner = (part: Expression) => named(part, nameOf)
  switch (expression.kind) {
    case 'atom':
      return expression
    case 'reference':
      return atom(nameOf(expression.value))
    case 'member':
      return { ...expression, of: inner(expression.of) }
    case 'list':
      return listOf(expression.items.map(inner))
    case 'object':
      return objectOf(expression.entries.map(([key, value]) => [key, inner(value)]))
    case 'call':
      return callOf(expression.callee, ...expression.parts.map(inner))
  }
}
