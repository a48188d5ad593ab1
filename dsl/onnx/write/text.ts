import * as vocabulary from '../../index.ts'

/**
 * Any text as a string literal: printable ASCII stands for itself, everything else and what could end a string, a template or a script is
 * escaped. The only way for text of a file into the code.
 */
export const quoted = (text: string): string => `'${escaped(text)}'`

/** The same as the content of a template string between `${}` parts. */
export function escaped(text: string): string {
  let result = ''
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const character = text[i]!
    const plain = code >= 0x20 && code < 0x7f && !`'"\`\\`.includes(character)
    const opens = (character === '{' && text[i - 1] === '$') || (character === '/' && text[i - 1] === '<')
    result += plain && !opens ? character : `\\u${code.toString(16).padStart(4, '0')}`
  }
  return result
}

/** Longest line of a comment that repeats text of a file. */
const maximumComment = 200

/** Text as part of a comment: one line of letters, digits and ASCII that neither end the comment nor command a tool. */
export function commented(text: string): string {
  const line = text
    .slice(0, maximumComment * 2)
    .replace(/[^\x20-\x7e\p{L}\p{M}\p{N}]+/gu, ' ')
    .replace(/\*\/|\/\*|<\/|<!|-->/g, (found) => [...found].join(' '))
    .trim()
  const cut = line.length > maximumComment ? `${line.slice(0, maximumComment - 3)}...` : line
  // Compilers, linters and bundlers take orders from comments that begin so.
  return /^[^A-Za-z0-9]|^(?:biome|eslint|prettier|ts|tslint|istanbul|c8|v8|webpack|vite|global|jsx?|deno|oxlint)\b/i.test(cut)
    ? `"${cut}"`
    : cut
}

const reserved = new Set(
  `arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function
  if implements import in instanceof interface let new null package private protected public return static super switch this throw true try
  typeof undefined var void while with yield async of as get set NaN Infinity Array BigInt Boolean Date Error Function JSON Map Math Number
  Object Promise Proxy Reflect RegExp Set String Symbol URL WeakMap globalThis global process console require module exports
  constructor prototype hasOwnProperty toString valueOf name length w Tensor Rank`.split(/\s+/),
)
const allowedWords = new Set(['name', 'length'])

/** Whether a name can stand for something of the module: an ASCII identifier that means nothing else there. */
const isFree = (name: string): boolean =>
  /^[a-zA-Z][a-zA-Z0-9]{0,40}$/.test(name) &&
  (!reserved.has(name) || allowedWords.has(name)) &&
  !Object.hasOwn(vocabulary, name) &&
  !(name in Object.prototype)

/** Words of a name as one identifier in camel case; undefined when nothing is left that could be one. */
export function camelCase(text: string): string | undefined {
  const words = text
    .slice(0, 200)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
  const joined = words
    .map((word, i) => (i === 0 ? word.toLowerCase() : word[0]!.toUpperCase() + word.slice(1).toLowerCase()))
    .join('')
  return /^[a-z][a-zA-Z0-9]{0,40}$/.test(joined) ? joined : undefined
}

/** Names of one scope. A name that is taken or means something else gets a number. */
export interface Scope {
  /** The first of `wanted` that is free, else the last with a number. */
  take(...wanted: readonly string[]): string
  has(name: string): boolean
}

export function createScope(outer?: Scope): Scope {
  const taken = new Set<string>()
  const has = (name: string): boolean => taken.has(name) || (outer?.has(name) ?? false)
  return {
    has,
    take(...wanted) {
      const usable = wanted.filter(isFree)
      let name = usable.find((candidate) => !has(candidate))
      const base = usable[0] ?? (wanted.length > 0 && isFree(`${wanted.at(-1)}Value`) ? `${wanted.at(-1)}Value` : 'value')
      for (let i = name === undefined && !usable.includes(base) && !has(base) ? 1 : 2; name === undefined; i++) {
        const candidate = i === 1 ? base : `${base}${i}`
        if (isFree(candidate) && !has(candidate)) name = candidate
      }
      taken.add(name)
      return name
    },
  }
}

/** A number or bigint as source. */
export function printNumber(value: number | bigint): string {
  if (typeof value === 'bigint') return `${value}n`
  if (Object.is(value, -0)) return '-0'
  const [plain, scientific] = [String(value), value.toExponential()].map((text) => text.replace('e+', 'e')) as [string, string]
  const isRound = Math.abs(value) >= 1e5 && scientific.length < plain.length - 2
  return isRound || (Math.abs(value) < 1e-2 && scientific.length < plain.length) ? scientific : plain
}
