import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dtypes } from '../../../compiler/graph/index.ts'
import { supportedOperators } from '../../../dsl/onnx/import/rules/index.ts'
import { sequenceOperators } from '../../../dsl/onnx/import/sequences.ts'
import { glow } from './glow.ts'
import { misses, partial, reasons } from './reasons.ts'

const targets = ['interpreter', 'wasm', 'native'] as const
type Target = (typeof targets)[number]

/** Passed, of how many, of those that onnxruntime passes, of how many. */
type Counts = readonly [passed: number, cases: number, both: number, onnxruntime: number]

interface Results {
  readonly suite: Readonly<
    Record<
      Target,
      {
        readonly operators: Readonly<Record<string, Counts>>
        readonly misses: Readonly<Record<string, { readonly onnxruntime: boolean; readonly reason: string }>>
        readonly outside: Readonly<Record<string, readonly [passed: number, cases: number]>>
      }
    >
  >
  readonly matrix: Readonly<
    Record<
      Target,
      Readonly<Record<string, { readonly right: readonly string[]; readonly wrong: Readonly<Record<string, string>> }>>
    >
  >
}

interface Standard {
  readonly license: string
  readonly operators: Readonly<Record<string, { readonly since: readonly number[]; readonly types: readonly string[] }>>
}

const folder = join(process.env.GLOWPLUG_ROOT!, 'test/onnx/coverage')
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'))
export const standard: Standard = read('standard.json')
const results: Results = read('results.json')

/** Operators that the importer itself takes apart, because they hold graphs of their own. */
const withBodies = ['If', 'Loop', 'Scan']

/** Operators as the standard's table names them. */
export const imported: ReadonlySet<string> = new Set([
  ...supportedOperators().flatMap(([domain, op]) => (domain === '' ? [op] : domain === 'ai.onnx.ml' ? [`${domain}:${op}`] : [])),
  ...sequenceOperators,
  ...withBodies,
])

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
const head = (...cells: readonly string[]): string[] => [row(...cells), `|${cells.map(() => ' --- |').join('')}`]
const percent = (part: number, whole: number): string => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`)

/** Counts of a case's operator, and of what it is expanded to. */
function countsOf(target: Target, operator: string): Counts {
  const { operators } = results.suite[target]
  const all = [operators[operator], operators[`${operator} (expanded)`]].filter((counts) => counts !== undefined)
  return all.reduce<Counts>((sum, next) => [sum[0] + next[0], sum[1] + next[1], sum[2] + next[2], sum[3] + next[3]], [0, 0, 0, 0])
}

function suiteCell(operator: string): string {
  const texts = targets.map((target) => {
    const [passed, cases] = countsOf(target, operator)
    return cases === 0 ? '' : `${passed} / ${cases}`
  })
  if (texts.every((text) => text === texts[0])) return texts[0]!
  const measured = targets.flatMap((target, i) => (texts[i] === '' ? [] : [{ target, text: texts[i]! }]))
  return [...new Set(measured.map(({ text }) => text))]
    .map((text) => `${text} on ${measured.flatMap((each) => (each.text === text ? [each.target] : [])).join(' and ')}`)
    .join(', ')
}

const ordered = (types: readonly string[]): string[] => dtypes.filter((type) => types.includes(type))

/** Element types of the standard that compute right, and on which targets others do not. */
function typesCell(operator: string): string {
  const rows = targets.map((target) => results.matrix[target][operator])
  if (!rows[0]) return ''
  const all = ordered([...rows[0].right, ...Object.keys(rows[0].wrong)])
  const wrong = all.filter((type) => rows.some((each) => !each?.right.includes(type)))
  const right = all.filter((type) => !wrong.includes(type))
  const failing = wrong.map((type) => {
    const where = targets.filter((_, i) => !rows[i]?.right.includes(type))
    return where.length === targets.length ? type : `${type} on ${where.join(' and ')}`
  })
  return [right.join(' '), failing.length > 0 ? `**not** ${failing.join(', ')}` : ''].filter((text) => text !== '').join('; ')
}

const sinceText = (since: readonly number[]): string => (since.length > 4 ? `${since[0]} … ${since.at(-1)}` : since.join(', '))

function summary(): string[] {
  const lines = targets.map((target) => {
    const all = Object.values(results.suite[target].operators)
    const sum = (at: 0 | 1 | 2 | 3) => all.reduce((total, counts) => total + counts[at], 0)
    const cells = Object.values(results.matrix[target])
    const right = cells.reduce((total, { right }) => total + right.length, 0)
    const wrong = cells.reduce((total, { wrong }) => total + Object.keys(wrong).length, 0)
    return row(
      target,
      `${sum(0)} of ${sum(1)} (${percent(sum(0), sum(1))})`,
      `${sum(2)} of ${sum(3)} (${percent(sum(2), sum(3))})`,
      `${right} of ${right + wrong} (${percent(right, right + wrong)})`,
    )
  })
  return [
    ...head('target', 'backend node tests in scope', 'of those that onnxruntime 1.30 passes', 'operator × element type'),
    ...lines,
  ]
}

function operatorsTable(): string[] {
  const names = Object.keys(standard.operators).filter((name) => imported.has(name))
  const lines = names.map((name) => {
    const { since } = standard.operators[name]!
    return row(name, sinceText(since), suiteCell(name), typesCell(name), partial[name] ?? '')
  })
  return [...head('operator', 'versions', 'node tests', 'element types', 'note'), ...lines]
}

function outsideTable(): string[] {
  const names = Object.keys(standard.operators).filter((name) => !imported.has(name))
  return [
    ...head('operator', 'versions', 'why'),
    ...names.map((name) => row(name, sinceText(standard.operators[name]!.since), reasons[name] ?? '')),
  ]
}

function missesTable(): string[] {
  const names = [...new Set(targets.flatMap((target) => Object.keys(results.suite[target].misses)))].sort()
  const lines = names.map((name) => {
    const where = targets.filter((target) => results.suite[target].misses[name])
    const { onnxruntime, reason } = results.suite[where[0]!].misses[name]!
    return row(
      name,
      where.length === targets.length ? 'all' : where.join(', '),
      onnxruntime ? 'passes' : 'does not pass',
      misses[name] ?? reason,
    )
  })
  return [...head('case', 'targets', 'onnxruntime', 'why'), ...lines]
}

function typeMisses(): string[] {
  const lines = targets.flatMap((target) =>
    Object.entries(results.matrix[target]).flatMap(([operator, { wrong }]) =>
      Object.entries(wrong).map(([type, reason]) => ({ key: `${operator} ${type}`, target, reason })),
    ),
  )
  const keys = [...new Set(lines.map(({ key }) => key))].filter((key) => imported.has(key.split(' ')[0]!)).sort()
  return [
    ...head('operator and type', 'targets', 'what is said'),
    ...keys.map((key) => {
      const mine = lines.filter((line) => line.key === key)
      return row(key, mine.length === targets.length ? 'all' : mine.map(({ target }) => target).join(', '), mine[0]!.reason)
    }),
  ]
}

function outsideOfSuite(): string[] {
  const { outside } = results.suite.interpreter
  return [
    ...head('cases that are not scored', 'cases', 'of them pass'),
    ...Object.entries(outside).map(([why, [passed, cases]]) =>
      row(why === 'operators' ? 'operators that are out of scope' : why, String(cases), String(passed)),
    ),
  ]
}

function contribList(): string {
  return supportedOperators()
    .flatMap(([domain, op]) => (domain === 'com.microsoft' ? [op] : []))
    .sort()
    .map((op) => `\`${op}\``)
    .join(' ')
}

function glowTables(): string[] {
  return Object.entries(glow).flatMap(([family, nodes]) => [
    `### ${family}`,
    '',
    ...head('node', 'here'),
    ...Object.entries(nodes).map(([node, there]) =>
      row(
        node,
        'out' in there
          ? `out of scope: ${there.out}`
          : [
              'by' in there
                ? there.by
                    .split(' ')
                    .map((name) => `\`${name}\``)
                    .join(' ')
                : '',
              there.as ?? '',
            ]
              .filter((text) => text !== '')
              .join(', '),
      ),
    ),
    '',
  ])
}

/** Cases in scope that do not pass on some target. */
export const missed: readonly string[] = [...new Set(targets.flatMap((target) => Object.keys(results.suite[target].misses)))]

/** The page `dsl/onnx/COVERAGE.md`. */
export function coveragePage(): string {
  const lines = [
    '# What is covered',
    '',
    'Made by `node test/run.mjs onnx/coverage --update` from what was measured; `test/onnx/coverage/` says how. Not to be edited.',
    '',
    'Scored are the backend node tests of ONNX, each case imported, run on a target and compared, and a model of one node for each operator and each',
    'element type that the standard gives it, compared with what `onnx.reference` computes.',
    '',
    ...summary(),
    '',
    '## Operators of ONNX',
    '',
    'Names and versions of `ai.onnx` up to 26, and of `ai.onnx.ml`. *Node tests*: how many pass, on all targets alike unless said. *Element types*: those that',
    'compute right on all targets, of those that the standard names for the main operand.',
    '',
    ...operatorsTable(),
    '',
    '## Operators of com.microsoft',
    '',
    'What optimisers of onnxruntime, Olive and quantisers write into files:',
    '',
    contribList(),
    '',
    '## Operators that are out of scope',
    '',
    ...outsideTable(),
    '',
    '## Cases that do not pass',
    '',
    ...missesTable(),
    '',
    '## Element types that do not compute',
    '',
    ...typeMisses(),
    '',
    '## Cases that are not scored',
    '',
    'Types of 4 and 2 bits are read into whole bytes and have no arithmetic of their own; those of 8 bits beside `float8e4m3fn` and `float8e5m2`, strings and',
    'complex numbers have no counterpart (`type` and a number of `TensorProto.DataType`).',
    '',
    ...outsideOfSuite(),
    '',
    '## Nodes of Glow',
    '',
    'Each node definition of Glow, and what a model writes instead.',
    '',
    ...glowTables(),
    `Operators of the standard: ${standard.license}.`,
    '',
  ]
  return lines.join('\n')
}
