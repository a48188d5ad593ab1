import { test } from 'uvu'
import { integerSuites } from '../support/integerCases.ts'
import { together } from '../support/kernelProgram.ts'
import { compilerCalled, levels, runSuite } from './harness.ts'

for (const [i, command] of ['gcc', 'clang'].entries()) {
  const compiler = await compilerCalled(command)
  if (!compiler) {
    console.log(`skipped: integer kernels as addons by ${command} needs ${command}`)
    continue
  }
  for (const [k, level] of levels().entries()) {
    test(`integer kernels in an addon by ${command} at ${level.name} give every bit of the interpreter`, () =>
      runSuite(together('kernels', integerSuites(72 + 2 * i + k, 0.25)), level, compiler))
  }
}

test.run()
