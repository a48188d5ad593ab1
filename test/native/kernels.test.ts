import { test } from 'uvu'
import { anchoredSuites } from '../support/anchoredCases.ts'
import { elementwiseSuites } from '../support/elementwiseCases.ts'
import { together } from '../support/kernelProgram.ts'
import { compilerCalled, levels, runSuite } from './harness.ts'

for (const [i, command] of ['gcc', 'clang'].entries()) {
  const compiler = await compilerCalled(command)
  if (!compiler) {
    console.log(`skipped: kernels as addons by ${command} needs ${command}`)
    continue
  }
  for (const [k, level] of levels().entries()) {
    // Elementwise kernels are the larger part, and the simpler: each level has them by one of the compilers.
    const elementwise = i === k ? elementwiseSuites() : []
    test(`kernels in an addon by ${command} at ${level.name} give what the interpreter does`, async () => {
      await runSuite(together('kernels', [...elementwise, ...anchoredSuites(17 + k, 0.1)]), level, compiler)
    })
  }
}

test.run()
