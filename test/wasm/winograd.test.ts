import { test } from 'uvu'
import { simd128 } from '../../targets/c/level.ts'
import { winogradSuite } from '../support/winogradCases.ts'
import { runSuite } from './harness.ts'

const { suite, level } = winogradSuite(simd128, 81, 25)
test(`${suite.name} equal the interpreter`, () => runSuite(suite, level))

test.run()
