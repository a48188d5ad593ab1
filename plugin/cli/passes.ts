import { listPasses } from '../../compiler/pipeline/listing.ts'
import { formatTable, printJson } from './terminal.ts'

/** `glowplug passes`: the pipeline. */
export function passes({ json }: { readonly json?: boolean }): void {
  const list = listPasses()
  if (json) {
    printJson({ passes: list })
    return
  }
  const rows = list.map(({ phase, pass, repeated, rules, summary }) => [
    phase,
    `${repeated ? '  ' : ''}${pass}`,
    rules.length > 0 ? String(rules.length) : '',
    summary,
  ])
  process.stdout.write(formatTable([['phase', 'pass', 'rules', 'does'], ...rows], [2]))
  process.stdout.write(
    'Indented passes run together, again and again until none changes anything. --json has their rules and reasons.\n',
  )
}
