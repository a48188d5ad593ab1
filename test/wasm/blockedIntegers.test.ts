import { test } from 'uvu'
import { type Level, lanesOf, simd128 } from '../../targets/c/level.ts'
import { blockedIntegerSuite } from '../support/blockedIntegerCases.ts'
import { runSuite } from './harness.ts'

test('blocked layers of integers give every bit of the interpreter', () =>
  runSuite(blockedIntegerSuite(170, lanesOf(simd128), 0.4)))

test('so they do for wider vectors, and without instructions for pairs', () => {
  const { pairs, ...plain } = simd128
  const wide: Level = { ...plain, name: 'wide', vectorBytes: 32 }
  return runSuite(blockedIntegerSuite(171, lanesOf(wide), 0.15), wide)
})

test.run()
