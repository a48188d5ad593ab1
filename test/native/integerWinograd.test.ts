// Convolutions of bytes by the algorithm of Winograd, which give every bit of direct sums.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { blockedConvInteger } from '../../targets/c/kernels/blocked/integer.ts'
import type { AnchoredKernel } from '../../targets/c/kernels/template.ts'
import { lanesOf } from '../../targets/c/level.ts'
import { windowSuite } from '../support/blockedIntegerCases.ts'
import { executeSuite, type Machine } from '../support/executable.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'

const way = 'winograd4'

for (const compiler of ['gcc', 'clang']) {
  if (!installed(compiler)) {
    skip(`convolutions of bytes by the algorithm of Winograd by ${compiler}`, compiler)
    continue
  }
  for (const [k, native] of levelsHere('convolutions of bytes by the algorithm of Winograd').entries()) {
    const machine = (more: Partial<Machine['level']> = {}, parts = 1): Machine => {
      const plain = machineOf(compiler, native, ['-Werror'])
      return { ...plain, level: { ...plain.level, chosen: { get: () => way }, ...more }, ...(parts > 1 && { parts }) }
    }
    const suite = windowSuite(80 + k + (compiler === 'gcc' ? 0 : 10), lanesOf(native.level), 20)
    const { level, name } = machine()
    const taken = suite.cases.filter(({ kernel }) =>
      blockedConvInteger.ways!(kernel as AnchoredKernel, level).some((one) => one.name === way),
    )
    test(`${suite.name} give what the interpreter does (${name})`, async () => {
      assert.ok(taken.length > suite.cases.length / 3, `${taken.length} of ${suite.cases.length}`)
      await executeSuite(machine(), suite)
    })
    if ((compiler === 'gcc') !== (k === 0)) continue
    for (const parts of [2, 3])
      test(`${suite.name} by ${parts} threads give what the interpreter does (${name})`, () =>
        executeSuite(machine({ teams: true, leastDivided: 0 }, parts), suite))
  }
}

test.run()
