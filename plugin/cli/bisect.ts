import { bisectGraph, type Differences } from '../inspect/bisect.ts'
import { describeDifference } from '../inspect/compare.ts'
import { findLevel, type InputOptions, prepareInputs, readRequest, type SourceOptions, type TargetOptions } from './source.ts'
import { printJson, withProgress } from './terminal.ts'

export interface BisectCommandOptions extends SourceOptions, InputOptions, TargetOptions {
  readonly json?: boolean
}

/** One line for each output that differs. */
export const differenceLines = (differences: Differences): string[] =>
  Object.entries(differences).map(
    ([name, difference]) =>
      `  ${name}: ${difference === 'refused' ? 'the compiled model refuses a value' : describeDifference(difference)}`,
  )

/** `glowplug bisect`: which rewrite makes a model wrong. Exit status 1 where it is wrong. */
export async function bisect(file: string, options: BisectCommandOptions): Promise<number> {
  const target = await findLevel('bisect', options, { file })
  const { source, origin, report } = await withProgress(`reading ${file}`, async (update) => {
    const source = await readRequest(file, options)
    const { origin, ...prepared } = await prepareInputs(source, options, update)
    return { source, origin, report: await bisectGraph(source.graph, { ...prepared, target, update }) }
  })
  const status = report.verdict === 'equal' ? 0 : 1
  if (options.json) {
    printJson({
      model: source.graph.name,
      entry: source.entry,
      target: target.name,
      level: target.level,
      inputs: origin,
      ...report,
    })
    return status
  }
  const { verdict, shownBy, rewrites, tried, culprit, differences } = report
  const lines = [`${source.graph.name} on ${target.name}: ${rewrites} rewrites, ${tried} compilations, ${origin}`]
  if (verdict === 'equal') lines.push('nothing differs: the passes and the target give what the model as written gives')
  else if (culprit) {
    const { application, pass, phase, round, rule, note, locations, change } = culprit
    lines.push(
      `rewrite ${application} is the first that makes it wrong, as ${shownBy === 'target' ? `${target.name} runs it` : 'the interpreter shows'}`,
      `  pass ${pass} (${phase}, round ${round})${rule === pass ? '' : `, rule ${rule}`}: ${note}`,
      ...(locations.length > 0 ? [`  at ${locations.join(', ')}`] : []),
      ...change.flatMap(({ lines }) => ['', ...lines]),
      '',
      'outputs then:',
      ...differenceLines(differences),
    )
    if (shownBy === 'target')
      lines.push(
        'The interpreter finds no fault with the rewritten graph, so the rewrite may only bring to light what a kernel does',
        "wrong: 'glowplug debug' with the same options shows the kernel.",
      )
  } else {
    lines.push(
      verdict === 'lowering'
        ? 'it is wrong before any rewrite: the lowering of an op changes the result'
        : `it is wrong on ${target.name} before any rewrite, and right by the interpreter: a kernel or its memory is at fault`,
      ...differenceLines(differences),
      "next: 'glowplug debug' with the same options shows the layer",
    )
  }
  process.stdout.write(`${lines.join('\n')}\n`)
  return status
}
