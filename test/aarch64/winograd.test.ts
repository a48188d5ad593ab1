import { test } from 'uvu'
import { executeSuite } from '../support/executable.ts'
import { emulatedMachines } from '../support/machines.ts'
import { winogradSuite } from '../support/winogradCases.ts'

for (const [k, machine] of emulatedMachines('convolutions by the algorithm of Winograd for aarch64').entries()) {
  const { suite, level } = winogradSuite(machine.level, 91 + k, 25)
  test(`${suite.name} for aarch64 give what the interpreter does (${machine.name})`, () =>
    executeSuite({ ...machine, level }, suite))
}

test.run()
