import { test } from 'uvu'
import { lanesOf } from '../../targets/c/level.ts'
import { blockedIntegerSuite } from '../support/blockedIntegerCases.ts'
import { compilerCalled, levels, runSuite } from './harness.ts'

for (const [i, command] of ['gcc', 'clang'].entries()) {
  const compiler = await compilerCalled(command)
  if (!compiler) {
    console.log(`skipped: blocked convolutions of integers as addons by ${command} need ${command}`)
    continue
  }
  for (const [k, level] of levels().entries()) {
    test(`blocked convolutions of integers in an addon by ${command} at ${level.name} give every bit of the interpreter`, () =>
      runSuite(blockedIntegerSuite(172 + 2 * i + k, lanesOf(level.level), 0.4), level, compiler))
  }
}

test.run()
