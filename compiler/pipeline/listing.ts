// The pipeline as data, for `glowplug passes` and the page of the documentation.
import type { PassList } from './passList.ts'
import { phases } from './phases.ts'

/** One place of a pass in the pipeline. */
export interface ListedPass {
  readonly phase: string
  readonly pass: string
  readonly summary: string
  /** Repeated with the others of its loop until none changes anything. */
  readonly repeated: boolean
  readonly level: 'composite' | 'any'
  /** Why it stands where it stands, where that matters. */
  readonly because?: string
  readonly follows: readonly { readonly pass: string; readonly because: string }[]
  readonly rules: readonly { readonly name: string; readonly note: string }[]
}

/** Every pass of the given lists, by default those of the pipeline, in order. */
export const listPasses = (lists: Readonly<Record<string, PassList>> = phases): readonly ListedPass[] =>
  Object.entries(lists).flatMap(([phase, list]) => listed(phase, list, false))

const listed = (phase: string, list: PassList, repeated: boolean): ListedPass[] =>
  list.flatMap((entry): ListedPass[] => {
    if (entry.kind !== 'pass') return listed(phase, entry.entries, true)
    const { name, summary, level, follows = [], rules = [] } = entry.pass
    return [
      {
        phase,
        pass: name,
        summary,
        repeated,
        level,
        ...(entry.because !== undefined && { because: entry.because }),
        follows,
        rules: rules.map(({ name, note }) => ({ name, note })),
      },
    ]
  })

const cell = (text: string): string => text.replaceAll('|', '\\|')

/** The page `PASSES.md`: each pass once, where it runs, and its rules. */
export function passesPage(): string {
  const all = listPasses()
  const names = [...new Set(all.map(({ pass }) => pass))]
  const rows = names.map((name) => {
    const places = all.filter(({ pass }) => pass === name)
    const { summary, because } = places[0]!
    const where = places.map(({ phase, repeated }) => `${phase}${repeated ? ', repeated' : ''}`).join('; ')
    return `| \`${name}\` | ${cell(summary)} | ${where} | ${cell(because ?? '')} |`
  })
  const details = names.flatMap((name) => {
    const { rules, follows } = all.find(({ pass }) => pass === name)!
    if (rules.length === 0 && follows.length === 0) return []
    return [
      `## ${name}`,
      '',
      ...follows.map(({ pass, because }) => `Runs after \`${pass}\`: ${because}.`),
      ...(follows.length > 0 ? [''] : []),
      ...(rules.length > 0 ? ['| rule | rewrites |', '| --- | --- |'] : []),
      ...rules.map(({ name: rule, note }) => `| \`${rule}\` | \`${cell(note)}\` |`),
      ...(rules.length > 0 ? [''] : []),
    ]
  })
  return [
    '# The passes',
    '',
    'What runs on a graph, in order: `optimise` on the graph as it was written, `optimise-lowered` after lowering. What is *repeated* runs',
    'with its neighbours until none of them changes anything. `glowplug passes` prints the same; `node test/run.mjs passes/page --update`',
    'writes this page.',
    '',
    '| pass | does | runs in | why there |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    ...details,
  ].join('\n')
}
