import { test } from 'uvu'
import { blockedSuite } from '../support/blockedCases.ts'
import { executeSuite } from '../support/executable.ts'
import { emulatedMachines } from '../support/machines.ts'

for (const [k, machine] of emulatedMachines('blocked convolutions for aarch64').entries()) {
  const { suite, level } = blockedSuite(machine.level, 100 + k, 30)
  test(`${suite.name} for aarch64 give what the interpreter does (${machine.name})`, () =>
    executeSuite({ ...machine, level }, suite))
  const operands = k % 2 === 0 ? 'bf16' : 'f16'
  const narrow = blockedSuite(machine.level, 120 + k, 16, false, operands)
  test(`${narrow.suite.name} for aarch64: what the interpreter makes of them (${machine.name})`, () =>
    executeSuite({ ...machine, level: narrow.level }, narrow.suite))
}

test.run()
