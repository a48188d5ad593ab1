// The least of `npm run test:sanitize`, so that what it needs does not fall into disrepair unseen.
import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { executeSuite } from '../support/executable.ts'
import { integerSuites } from '../support/integerCases.ts'
import { together } from '../support/kernelProgram.ts'
import { installed, levelsHere, machineOf, skip } from '../support/machines.ts'

const compiler = ['gcc', 'clang'].find(installed)
if (!compiler) skip('a few kernels under sanitizers', 'gcc or clang')
else
  for (const level of levelsHere('kernels under sanitizers').slice(-1))
    test(`a few kernels touch nothing but their tensors (${compiler}, ${level.name})`, () => {
      const flags = ['-O0', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
      return executeSuite(
        { ...machineOf(compiler, level, flags), gap: 64 },
        together('kernels', [...anchoredSuites(60, 0.15), ...integerSuites(61, 0.1)]),
      )
    })

test.run()
