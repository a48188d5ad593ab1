import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { together } from '../support/kernelProgram.ts'
import { compilerCalled, levels, runSuite } from './harness.ts'

for (const command of ['gcc', 'clang']) {
  const compiler = await compilerCalled(command)
  if (!compiler) {
    console.log(`skipped: embedding bags as addons by ${command} need ${command}`)
    continue
  }
  for (const [k, level] of levels().entries()) {
    test(`embedding bags by ${command} at ${level.name} give what the interpreter does`, async () => {
      const suites = anchoredSuites(83 + k, 0.25).filter(({ name }) => name.startsWith('embedding'))
      await runSuite(together('bags', suites), level, compiler)
    })
  }
}

test.run()
