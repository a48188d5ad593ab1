import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { together } from '../support/kernelProgram.ts'
import { compilerCalled, levels, runSuite } from './harness.ts'

for (const command of ['gcc', 'clang']) {
  const compiler = await compilerCalled(command)
  if (!compiler) {
    console.log(`skipped: recurrent layers as addons by ${command} need ${command}`)
    continue
  }
  for (const [k, level] of levels().entries()) {
    test(`recurrent layers by ${command} at ${level.name} give what the interpreter does`, async () => {
      const suites = anchoredSuites(97 + k, 0.8).filter(({ name }) => name.startsWith('recurrent'))
      await runSuite(together('recurrent', suites), level, compiler)
    })
  }
}

test.run()
