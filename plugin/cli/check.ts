import colors from 'picocolors'
import { type ReadModels, readModels } from './models.ts'
import { report } from './terminal.ts'

/** `glowplug check`: every mistake in every file. */
export async function check(files: readonly string[], { json }: { readonly json?: boolean }): Promise<number> {
  const results: (ReadModels & { readonly file: string })[] = []
  for (const file of files) results.push({ file, ...(await readModels(file)) })
  const diagnostics = results.flatMap((result) => result.diagnostics)
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length
  if (json) {
    const summary = results.map(({ file, models, diagnostics }) => ({
      file,
      models: models.map(({ model }) => ({ name: model.name, entries: model.entries.map(({ name }) => name) })),
      diagnostics,
    }))
    process.stdout.write(`${JSON.stringify({ files: summary }, undefined, 2)}\n`)
    return errors > 0 ? 1 : 0
  }
  await report(diagnostics)
  const models = results.reduce((sum, result) => sum + result.models.length, 0)
  const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`
  const verdict = errors > 0 ? colors.red(count(errors, 'error')) : colors.green('no errors')
  process.stdout.write(
    `${count(models, 'model')} in ${count(files.length, 'file')}: ${verdict}${diagnostics.length > errors ? `, ${count(diagnostics.length - errors, 'warning')}` : ''}\n`,
  )
  return errors > 0 ? 1 : 0
}
