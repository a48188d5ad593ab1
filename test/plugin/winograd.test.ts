import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createBuilder, type Graph } from '../../compiler/graph/index.ts'
import { compileCode } from '../../plugin/compile.ts'
import { variantOf } from '../../plugin/core.ts'
import { findOptionProblems } from '../../plugin/options.ts'
import { randomValues } from '../support/winogradCases.ts'

/** A window of 3×3. */
function image(): Graph {
  const builder = createBuilder()
  const input = builder.input('x', { dtype: 'f32', shape: [1, 32, 20, 20] })
  const data = { label: 'w', read: () => new Uint8Array(randomValues(32 * 32 * 9, 3).buffer) }
  const weight = builder.constant({ dtype: 'f32', shape: [32, 32, 3, 3] }, data)
  const every = (size: number) => [size, size]
  const attributes = { stride: every(1), dilation: every(1), before: every(1), after: every(1), groups: 1 }
  const value = builder.addFlat('conv', [input, weight], attributes)
  return builder.finish('image', [input], [{ name: 'y', value }])
}

test('winograd is checked, and decides about what the cache gives', async () => {
  assert.equal(await findOptionProblems({ winograd: false }), [])
  assert.match((await findOptionProblems({ winograd: 'no' }))[0]!, /option 'winograd' must be true or false/)
  assert.is.not(variantOf({ winograd: false }, 'node'), variantOf({}, 'node'))
})

test('convolutions take fewer multiplications unless direct sums are asked for', async () => {
  const sourceOf = async (options: object) => (await compileCode(image(), options)).code.source
  assert.match(await sourceOf({}), /gp_winograd/)
  assert.not.match(await sourceOf({ winograd: false }), /gp_winograd/)
})

test.run()
