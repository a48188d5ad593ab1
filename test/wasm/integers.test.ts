import { test } from 'uvu'
import { type Level, simd128 } from '../../targets/c/level.ts'
import { integerSuites } from '../support/integerCases.ts'
import { together } from '../support/kernelProgram.ts'
import { runSuite } from './harness.ts'

test('integer kernels give every bit of the interpreter', () => runSuite(together('all', integerSuites(70, 0.3))))

test('so they do for other vector widths and tiles, and without instructions for pairs', () => {
  const { pairs, ...plain } = simd128
  const wide: Level = { ...plain, name: 'wide', vectorBytes: 32, tile: { rows: 3, vectors: 3 } }
  return runSuite(together('all', integerSuites(71, 0.15)), wide)
})

test.run()
