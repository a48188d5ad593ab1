// The least of `npm run test:sanitize`, so that what it needs does not fall into disrepair unseen.
import { test } from 'uvu'
import { lanesOf } from '../../targets/c/level.ts'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { blockedIntegerSuite, windowSuite } from '../support/blockedIntegerCases.ts'
import { executeSuite } from '../support/executable.ts'
import { integerSuites } from '../support/integerCases.ts'
import { together } from '../support/kernelProgram.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'
import { productSuite } from '../support/productCases.ts'

/** Masked accesses as loops: those of the processor are hidden from sanitizers. */
const loops = {
  load: '({ vf v_ = {0}; for (int i_ = 0; i_ < (n); i_++) v_[i_] = (p)[i_]; v_; })',
  store: 'do { const vf v_ = (v); for (int i_ = 0; i_ < (n); i_++) (p)[i_] = v_[i_]; } while (0)',
}

const compiler = ['gcc', 'clang'].find(installed)
if (!compiler) skip('a few kernels under sanitizers', 'gcc or clang')
else
  for (const level of levelsHere('kernels under sanitizers').slice(-1))
    test(`a few kernels touch nothing but their tensors (${compiler}, ${level.name})`, () => {
      const flags = ['-O0', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
      return executeSuite(
        { ...machineOf(compiler, level, flags), gap: 64 },
        together('kernels', [
          ...anchoredSuites(60, 0.15),
          ...integerSuites(61, 0.1),
          blockedIntegerSuite(161, lanesOf(level.level), 0.1),
        ]),
      )
    })

if (compiler)
  for (const native of levelsHere('products under sanitizers').slice(0, 1))
    test(`a few products touch nothing but their tensors (${compiler}, ${native.name})`, () => {
      const flags = ['-O0', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
      const { level: given } = machineOf(compiler, native, flags)
      const { suite, level } = productSuite({ ...given, some: loops }, 62, 8)
      return executeSuite({ ...machineOf(compiler, native, flags), level, gap: 64 }, suite)
    })

if (compiler)
  for (const native of levelsHere('convolutions of bytes under sanitizers').slice(0, 1))
    test(`a few convolutions of bytes touch nothing but their tensors (${compiler}, ${native.name})`, () => {
      const machine = machineOf(compiler, native, ['-O0', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'])
      const level = { ...machine.level, chosen: { get: () => 'winograd4' } }
      return executeSuite({ ...machine, level, gap: 64 }, windowSuite(67, lanesOf(level), 6))
    })

test.run()
