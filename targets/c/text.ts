import { type Location, printSpan } from '../../compiler/graph/location.ts'
import { assertInvariant } from '../../compiler/graph/problem.ts'

/** Lines of C. */
export type Lines = readonly string[]

/**
 * The one way text from a model reaches C: as the inside of a comment, in an alphabet that can neither close the comment nor continue,
 * splice or hide a line. Long texts are cut.
 */
export const commentText = (text: string): string => text.replace(/[^A-Za-z0-9 _.,:;+\-=()[\]<>|@/]/g, '_').slice(0, 160)

/** `file:line:column` of the first known location; of an absolute path only the file's name, so that C does not depend on the folder. */
export function locationText(locations: readonly Location[]): string {
  const known = locations.find((location) => location.kind === 'source')
  if (known?.kind !== 'source') return 'derived'
  const { span } = known
  const absolute = /^(?:[A-Za-z][A-Za-z0-9+.-]*:|[/\\])/.test(span.file)
  return commentText(printSpan(absolute ? { ...span, file: span.file.replace(/^.*[/\\]/, '') } : span))
}

/** Names in generated C are kernel names, checked against an alphabet in which no keyword, helper or exported name can be written. */
export function identifier(name: string): string {
  assertInvariant(
    /^[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+$/.test(name) && name.length <= 240,
    `kernel name ${JSON.stringify(name)} is not a safe identifier`,
  )
  assertInvariant(!name.startsWith('gp_'), `kernel name ${name} is in the namespace of helpers`)
  return name
}

export const indent = (lines: Lines): string[] => lines.map((line) => (line === '' ? line : `  ${line}`))

/** `header {`, the indented lines, `}`. */
export const block = (header: string, lines: Lines): string[] => [header === '' ? '{' : `${header} {`, ...indent(lines), '}']

/** A counting loop, or its body alone under a constant when it runs once, or nothing when it never runs. */
export function loop(variable: string, from: number, to: number, step: number, body: Lines): string[] {
  if (to <= from) return []
  if (to - from <= step) return block('', [`const long ${variable} = ${from};`, `(void)${variable};`, ...body])
  return block(`for (long ${variable} = ${from}; ${variable} < ${to}; ${variable} += ${step})`, body)
}

/** Declarations `const … name = …;` and what follows them, without those that nobody reads. */
export function declared(declarations: readonly (readonly [name: string, line: string])[], body: Lines): Lines {
  const read: string[] = []
  for (const [name, line] of declarations.toReversed()) {
    const word = new RegExp(`\\b${name}\\b`)
    if ([...read, ...body].some((text) => word.test(text))) read.push(line)
  }
  return [...read.toReversed(), ...body]
}

/** A sum of products as C text: `scaled('i', 4)` terms without the superfluous. */
export function sum(terms: readonly (readonly [expression: string, factor: number])[], constant = 0): string {
  const parts = terms
    .filter(([expression, factor]) => expression !== '0' && factor !== 0)
    .map(([expression, factor]) => (factor === 1 ? expression : `${expression} * ${factor < 0 ? `(${factor})` : factor}`))
  if (constant !== 0 || parts.length === 0) parts.push(String(constant))
  return parts.join(' + ').replaceAll('+ -', '- ')
}
