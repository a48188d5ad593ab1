import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { definitionOf } from '../../compiler/graph/index.ts'
import { elementwise, elementwiseSuites } from '../support/elementwiseCases.ts'
import { runSuite } from './harness.ts'

for (const suite of elementwiseSuites()) test(suite.name, () => runSuite(suite))

test('the table of elementwise ops covers what the language calls elementwise', () => {
  assert.ok(elementwise.length > 30)
  for (const { name } of elementwise) assert.is(definitionOf(name).kind, 'primitive')
})

test.run()
