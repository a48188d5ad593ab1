import { test } from 'uvu'
import { shortRowSuite } from '../support/shortRowCases.ts'
import { runSuite } from './harness.ts'

const suite = shortRowSuite(30, 20)
test(`${suite.name} are computed to the bit`, () => runSuite(suite))

test.run()
