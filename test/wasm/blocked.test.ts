import { test } from 'uvu'
import { simd128 } from '../../targets/c/level.ts'
import { blockedSuite } from '../support/blockedCases.ts'
import { runSuite } from './harness.ts'

const { suite, level } = blockedSuite(simd128, 90, 40)
test(`${suite.name} equal the interpreter`, () => runSuite(suite, level))

test.run()
