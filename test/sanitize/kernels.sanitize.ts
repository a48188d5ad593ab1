// Kernels under sanitizers: tensors lie apart, and what lies between may not be touched.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { lanesOf } from '../../targets/c/level.ts'
import { platforms } from '../../targets/native/levels.ts'
import { recordedModels } from '../fixtures/cases.ts'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { blockedSuite } from '../support/blockedCases.ts'
import { blockedIntegerSuite } from '../support/blockedIntegerCases.ts'
import { draw } from '../support/draw.ts'
import { elementwiseSuites } from '../support/elementwiseCases.ts'
import { compileExecutable, executeGraphs, executeSuite, type Machine } from '../support/executable.ts'
import { graphSuite } from '../support/graphSuite.ts'
import { integerSuites } from '../support/integerCases.ts'
import { inputsOf, programOf, together } from '../support/kernelProgram.ts'
import { levelsHere, machineOf } from '../support/machines.ts'
import { productSuite } from '../support/productCases.ts'
import { runRecorded } from '../support/recorded.ts'
import { shortRowSuite } from '../support/shortRowCases.ts'
import { storedSuite } from '../support/storedCases.ts'
import { winogradSuite } from '../support/winogradCases.ts'

const compiler = process.env.GLOWPLUG_COMPILER!
/** Without optimisation: the C is checked as it stands, and clang takes a hundred times as long to optimise what it has instrumented. */
const flags = ['-O0', '-g', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer', '-Wno-psabi']

/** Masked accesses as loops, and no loads by assembly: those of the processor are hidden from sanitizers. */
const some = {
  load: '({ vf v_ = {0}; for (int i_ = 0; i_ < (n); i_++) v_[i_] = (p)[i_]; v_; })',
  store: 'do { const vf v_ = (v); for (int i_ = 0; i_ < (n); i_++) (p)[i_] = v_[i_]; } while (0)',
}
const machines = levelsHere('kernels').map((native): Machine => {
  const machine = machineOf(compiler, native, [...flags, '-fsanitize=address,undefined'])
  const { widen, loadHalves, multiplyAdd: given, ...others } = machine.level
  const { element, ...multiplyAdd } = given
  const level = { ...others, multiplyAdd }
  return { ...machine, level: level.some ? { ...level, some } : level, gap: 64 }
})

for (const machine of machines) {
  for (const suite of [
    together('elementwise kernels', elementwiseSuites()),
    ...anchoredSuites(50),
    ...integerSuites(55),
    blockedIntegerSuite(155, lanesOf(machine.level)),
    shortRowSuite(58, 40),
  ])
    test(`${suite.name}: no access outside of tensors, nothing undefined (${machine.name})`, () => executeSuite(machine, suite))

  test(`products in every way: no access outside of tensors, nothing undefined (${machine.name})`, () => {
    const { suite, level } = productSuite(machine.level, 57, 24)
    return executeSuite({ ...machine, level }, suite)
  })

  for (const operands of ['f32', ...(machine.level.bf16Pairs ? ['rounded' as const] : []), 'bf16', 'f16'] as const) {
    const stored = storedSuite(machine.level, 58, 24)
    test(`${stored.suite.name}: no access outside of tensors, nothing undefined (${machine.name})`, () =>
      executeSuite({ ...machine, level: stored.level }, stored.suite))

    const blocked = blockedSuite(machine.level, 60, operands === 'f32' ? 40 : 16, false, operands)
    test(`${blocked.suite.name}: no access outside of tensors, nothing undefined (${machine.name})`, () =>
      executeSuite({ ...machine, level: blocked.level }, blocked.suite))
  }

  const winograd = winogradSuite(machine.level, 57, 16)
  test(`${winograd.suite.name}: no access outside of tensors, nothing undefined (${machine.name})`, () =>
    executeSuite({ ...machine, level: winograd.level }, winograd.suite))

  for (const seed of [51, 52])
    test(`random graphs: no access outside of regions, nothing undefined (${machine.name}, ${seed})`, () =>
      executeGraphs(machine, graphSuite(draw(seed, 30))))

  for (const [fixture, file] of recordedModels.filter(([, name]) => name !== 'undecoded'))
    test(`AO-05 every recorded case of ${file}: no access outside of regions, nothing undefined (${machine.name})`, async () => {
      assert.ok((await runRecorded(machine, fixture, file)) > 0)
    })

  test(`an access behind a tensor, or behind a region, is found (${machine.name})`, async () => {
    const { cases } = elementwiseSuites()[0]!
    const whole = programOf(cases.slice(0, 1), machine.level, machine.gap)
    const id = whole.outputs[0]!
    const output = whole.buffers.get(id)!
    const inputs = inputsOf(whole, cases.slice(0, 1))
    const shorter = new Map(whole.buffers).set(id, { ...output, bytes: output.bytes - 1 } as typeof output)
    const smaller = { ...whole.regions, mutable: whole.offsets.get(id)! + output.bytes - 1 }
    for (const program of [
      { ...whole, buffers: shorter },
      { ...whole, regions: smaller, buffers: shorter },
    ]) {
      const executable = await compileExecutable(machine, program)
      try {
        await executable.run(inputs)
        assert.unreachable()
      } catch (error) {
        assert.match((error as Error).message.slice(0, 20000), /AddressSanitizer: (use-after-poison|heap-buffer-overflow)/)
      } finally {
        executable.close()
      }
    }
  })
}

if (compiler === 'clang') {
  // The smallest level: its tails are C, and its vectors are as others'. Assembly may not read lanes that mean nothing.
  const whole = machineOf(compiler, platforms['linux-x64'].levels.at(-1)!, [...flags, '-fsanitize=memory', '-DUNINITIALISED'])
  const { pairs, instructions, ...level } = whole.level
  const machine: Machine = { ...whole, level }

  for (const suite of [
    together('elementwise kernels', elementwiseSuites()),
    ...anchoredSuites(53, 0.5),
    ...integerSuites(56, 0.5),
    blockedIntegerSuite(156, lanesOf(machine.level), 0.5),
  ])
    test(`${suite.name}: nothing depends on what scratch held before`, () => executeSuite(machine, suite))

  test('random graphs: nothing depends on what activations held before', () => executeGraphs(machine, graphSuite(draw(54, 30))))

  test('an output that depends on what an activation held before is found', async () => {
    const { cases } = elementwiseSuites()[0]!
    const whole = programOf(cases.slice(0, 1), machine.level)
    const [output] = whole.outputs
    const activation = whole.buffers.size as BufferId
    const program: Program = {
      ...whole,
      buffers: new Map(whole.buffers).set(activation, {
        ...{ kind: 'activation', id: activation, name: 'unwritten', bytes: 64 },
        type: { dtype: 'u8', shape: [64] },
      }),
      offsets: new Map(whole.offsets).set(activation, 0),
      regions: { ...whole.regions, activations: 64 },
      instructions: [
        ...whole.instructions,
        { kind: 'copy', from: activation, to: output!, rows: 1, rowBytes: 64, fromStride: 64, toStride: 64 },
      ],
    }
    const executable = await compileExecutable(machine, program)
    try {
      await executable.run(inputsOf(whole, cases.slice(0, 1)))
      assert.unreachable()
    } catch (error) {
      assert.match((error as Error).message, /MemorySanitizer: use-of-uninitialized-value/)
    } finally {
      executable.close()
    }
  })
}

test.run()
