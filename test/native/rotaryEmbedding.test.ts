import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { together } from '../support/kernelProgram.ts'
import { compilerCalled, levels, runSuite } from './harness.ts'

for (const command of ['gcc', 'clang']) {
  const compiler = await compilerCalled(command)
  if (!compiler) {
    console.log(`skipped: rotary embedding as addons by ${command} needs ${command}`)
    continue
  }
  for (const [k, level] of levels().entries()) {
    test(`rotary embedding by ${command} at ${level.name} gives what the interpreter does`, async () => {
      const suites = anchoredSuites(61 + k, 1).filter(({ name }) => name.startsWith('rotary'))
      await runSuite(together('rotary', suites), level, compiler)
    })
  }
}

test.run()
