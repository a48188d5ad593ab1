import { test } from 'uvu'
import { lanesOf } from '../../targets/c/level.ts'
import { blockedIntegerSuite } from '../support/blockedIntegerCases.ts'
import { executeSuite } from '../support/executable.ts'
import { emulatedMachines } from '../support/machines.ts'

for (const machine of emulatedMachines('blocked layers of integers for aarch64')) {
  test(`blocked layers of integers for aarch64 give every bit of the interpreter (${machine.name})`, () =>
    executeSuite(machine, blockedIntegerSuite(132, lanesOf(machine.level), 0.3)))
}

test.run()
