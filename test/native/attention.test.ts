import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { together } from '../support/kernelProgram.ts'
import { compilerCalled, levels, runSuite } from './harness.ts'

for (const command of ['gcc', 'clang']) {
  const compiler = await compilerCalled(command)
  if (!compiler) {
    console.log(`skipped: attention as addons by ${command} needs ${command}`)
    continue
  }
  for (const [k, level] of levels().entries()) {
    test(`attention by ${command} at ${level.name} gives what the interpreter does`, async () => {
      const suites = anchoredSuites(29 + k, 1).filter(({ name }) => name.startsWith('attention'))
      await runSuite(together('attention', suites), level, compiler)
    })
  }
}

test.run()
