import { test } from 'uvu'
import { relayoutSuite } from '../support/relayoutCases.ts'
import { runSuite } from './harness.ts'

const suite = relayoutSuite(30, 50)
test(`${suite.name} arrive as they are`, () => runSuite(suite))

test.run()
