import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { draw } from '../support/draw.ts'
import { elementwiseSuites } from '../support/elementwiseCases.ts'
import { executeGraphs, executeSuite } from '../support/executable.ts'
import { graphSuite } from '../support/graphSuite.ts'
import { integerSuites } from '../support/integerCases.ts'
import { together } from '../support/kernelProgram.ts'
import { emulatedMachines } from '../support/machines.ts'

for (const machine of emulatedMachines('kernels for aarch64')) {
  test(`kernels for aarch64 give what the interpreter does (${machine.name})`, () =>
    executeSuite(machine, together('kernels', [...elementwiseSuites(), ...anchoredSuites(31, 0.2)])))

  test(`integer kernels for aarch64 give every bit of the interpreter (${machine.name})`, () =>
    executeSuite(machine, together('kernels', integerSuites(32, 0.3))))

  test(`random graphs for aarch64 give what the interpreter makes of them (${machine.name})`, () =>
    executeGraphs(machine, graphSuite(draw(4, 30))))
}

test.run()
