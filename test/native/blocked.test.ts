import { test } from 'uvu'
import { blockedSuite } from '../support/blockedCases.ts'
import { executeSuite } from '../support/executable.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'

for (const compiler of ['gcc', 'clang']) {
  if (!installed(compiler)) {
    skip(`blocked convolutions by ${compiler}`, compiler)
    continue
  }
  for (const [k, native] of levelsHere('blocked convolutions').entries()) {
    const machine = machineOf(compiler, native, ['-Werror'])
    const { suite, level } = blockedSuite(native.level, 70 + k + (compiler === 'gcc' ? 0 : 10), 30)
    test(`${suite.name} give what the interpreter does (${machine.name})`, () => executeSuite({ ...machine, level }, suite))
  }
}

const [first] = levelsHere('blocked convolutions by teams')
if (first && installed('gcc')) {
  const { suite, level } = blockedSuite(first.level, 95, 30, true)
  for (const parts of [1, 3])
    test(`${suite.name} give the same, divided among ${parts} threads`, () =>
      executeSuite({ ...machineOf('gcc', first, ['-Werror']), level, parts }, suite))
}

test.run()
