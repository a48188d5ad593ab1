import { test } from 'uvu'
import { simd128 } from '../../targets/c/level.ts'
import { blockedSuite } from '../support/blockedCases.ts'
import { runSuite } from './harness.ts'

const { suite, level } = blockedSuite(simd128, 90, 40)
test(`${suite.name} equal the interpreter`, () => runSuite(suite, level))

{
  const { suite, level } = blockedSuite(simd128, 190, 16, false, 'bf16')
  test(`${suite.name}: what the interpreter makes of them`, () => runSuite(suite, level))
}

test.run()
