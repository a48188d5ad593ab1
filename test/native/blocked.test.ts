import { test } from 'uvu'
import type { Level } from '../../targets/c/level.ts'
import { type BlockedOperands, blockedSuite } from '../support/blockedCases.ts'
import { executeSuite } from '../support/executable.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'

const operandsAt = ({ bf16Pairs }: Level): readonly BlockedOperands[] => [
  ...(bf16Pairs ? ['rounded' as const] : []),
  'bf16',
  'f16',
]

for (const compiler of ['gcc', 'clang']) {
  if (!installed(compiler)) {
    skip(`blocked convolutions by ${compiler}`, compiler)
    continue
  }
  for (const [k, native] of levelsHere('blocked convolutions').entries()) {
    const machine = machineOf(compiler, native, ['-Werror'])
    const { suite, level } = blockedSuite(native.level, 70 + k + (compiler === 'gcc' ? 0 : 10), 30)
    test(`${suite.name} give what the interpreter does (${machine.name})`, () => executeSuite({ ...machine, level }, suite))
    for (const operands of operandsAt(native.level)) {
      const { suite, level } = blockedSuite(native.level, 170 + k + (compiler === 'gcc' ? 0 : 10), 16, false, operands)
      test(`${suite.name}: what the interpreter makes of them (${machine.name})`, () =>
        executeSuite({ ...machine, level }, suite))
    }
  }
}

const [first] = levelsHere('blocked convolutions by teams')
if (first && installed('gcc')) {
  const { suite, level } = blockedSuite(first.level, 95, 30, true)
  for (const parts of [1, 3])
    test(`${suite.name} give the same, divided among ${parts} threads`, () =>
      executeSuite({ ...machineOf('gcc', first, ['-Werror']), level, parts }, suite))
  for (const operands of operandsAt(first.level).slice(0, 2)) {
    const { suite, level } = blockedSuite(first.level, 195, 24, true, operands)
    test(`${suite.name}, divided among 3 threads`, () =>
      executeSuite({ ...machineOf('gcc', first, ['-Werror']), level, parts: 3 }, suite))
  }
}

test.run()
