import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { together } from '../support/kernelProgram.ts'
import { compilerCalled, levels, runSuite } from './harness.ts'

for (const command of ['gcc', 'clang']) {
  const compiler = await compilerCalled(command)
  if (!compiler) {
    console.log(`skipped: integers in blocks as addons by ${command} need ${command}`)
    continue
  }
  for (const [k, level] of levels().entries()) {
    test(`integers in blocks by ${command} at ${level.name} give what the interpreter does`, async () => {
      const suites = anchoredSuites(61 + k, 0.3).filter(({ name }) => name === 'integers in blocks')
      await runSuite(together('blocks', suites), level, compiler)
    })
  }
}

test.run()
