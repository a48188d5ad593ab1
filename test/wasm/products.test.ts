// The tile that products take unasked is run by test/c/products.test.ts.
import { test } from 'uvu'
import { simd128 } from '../../targets/c/level.ts'
import { productSuite } from '../support/productCases.ts'
import { runSuite } from './harness.ts'

for (const [i, tile] of simd128.tiles.slice(1).entries()) {
  const { suite, level } = productSuite({ ...simd128, tiles: [tile] }, 121 + i, 10)
  test(`${suite.name}, in tiles of ${tile.rows} rows and ${tile.vectors} vectors, equal the interpreter`, () =>
    runSuite(suite, level))
}

test.run()
