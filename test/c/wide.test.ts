import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import { platforms } from '../../targets/native/levels.ts'
import { executeSuite } from '../support/executable.ts'
import { emulatedMachines, installed, machineOf, skip } from '../support/machines.ts'
import { wideSuite } from '../support/wideCases.ts'
import { runSuite } from '../wasm/harness.ts'

const suite = wideSuite()

test(`${suite.name} equal the interpreter on wasm`, () => runSuite(suite))

const isLinux = process.arch === 'x64' && process.platform === 'linux'
/** What this processor has, in the words of the kernel, which calls one thing by its older name. */
const features = new Set((isLinux ? readFileSync('/proc/cpuinfo', 'utf8') : '').replace(/\bpni\b/g, 'sse3').match(/\w+/g))

for (const compiler of ['gcc', 'clang']) {
  for (const level of platforms['linux-x64'].levels) {
    const what = `${suite.name} by ${compiler} at ${level.name}`
    const lacking = level.needs.find((feature) => !features.has(feature))
    if (!isLinux || lacking) skip(what, isLinux ? lacking! : 'linux-x64')
    else if (!installed(compiler)) skip(what, compiler)
    else
      test(`${suite.name} equal the interpreter: ${compiler}, ${level.name}`, () =>
        executeSuite(machineOf(compiler, level, []), suite))
  }
}
for (const machine of emulatedMachines(suite.name))
  test(`${suite.name} equal the interpreter: ${machine.name}, emulated`, () => executeSuite(machine, suite))

test.run()
