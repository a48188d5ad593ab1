import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ModelProblem } from '../../compiler/graph/index.ts'
import type { Model } from '../../dsl/index.ts'
import { traceModel } from '../../dsl/trace.ts'
import { compile } from '../../plugin/compile.ts'
import { openBuckets } from '../../targets/runtime/index.ts'
import { draw } from '../support/draw.ts'
import { randomModel } from './random.ts'
import { assertSame, bucketed, exactly, mistakes, numbers, reference } from './support.ts'

const sizes = { seq: [5, 8, 13], batch: [1, 3] }
const least = { seq: 4 }

function drawing(seed: number) {
  let state = seed * 7919 + 17
  return (limit: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >> 8) % limit
  }
}

/** Requests of random lengths, and of those at the borders of buckets. */
function requests(seed: number, withBatch: boolean) {
  const draw = drawing(seed + 1)
  return [4, 5, 13, 4 + draw(10), 4 + draw(10)].map((seq) => {
    const batch = withBatch ? 1 + draw(3) : 2
    return { seq, batch, x: Float32Array.from(numbers(batch * seq * 4, seed + seq)) }
  })
}

/** The model of a seed, or the mistake that prevents it. */
function modelOf(seed: number) {
  const make = randomModel(drawing(seed))
  const whole = bucketed(make, sizes, least)
  const [wrong] = mistakes(whole)
  const withBatch = wrong === undefined && traceModel(whole).buckets![0]!.dims.length > 1
  return { make, whole, wrong, withBatch }
}

test('random models at random lengths: what buckets give is what the model at that length gives; others are refused', async () => {
  const found = { accepted: 0, refused: 0 }
  const { seed: first, numRuns } = draw(0, 250)
  for (let seed = first; seed < first + numRuns; seed++) {
    const { make, whole, wrong, withBatch } = modelOf(seed)
    if (wrong !== undefined) {
      assert.match(wrong, /^(padding-mixed|shape-mismatch|bad-attribute) /, `seed ${seed}: ${wrong}`)
      found.refused++
      continue
    }
    found.accepted++
    for (const { seq, batch, x } of requests(seed, withBatch)) {
      let expected: ReturnType<typeof reference>
      try {
        expected = reference(exactly(make, { seq, batch }), { x })
      } catch (error) {
        if (!(error instanceof ModelProblem)) throw error
        throw new Error(`seed ${seed}: seq ${seq}: ${error.message}`)
      }
      const actual = await (whole as Model<any, any>).run({ x: { data: x, shape: [batch, seq, 4] } })
      assertSame(actual, expected, 0, `seed ${seed}, seq ${seq}, batch ${batch}`)
    }
  }
  assert.ok(found.accepted > 60 && found.refused > 30, JSON.stringify(found))
})

test('through the whole compiler: the same within rounding', async () => {
  let done = 0
  for (let seed = 1000; done < 8; seed++) {
    const { make, whole, wrong, withBatch } = modelOf(seed)
    if (wrong !== undefined) continue
    done++
    const net = openBuckets(await compile(traceModel(whole), { target: 'interpreter' }))
    for (const { seq, batch, x } of requests(seed, withBatch))
      assertSame(
        net.runSync({ x: { data: x, shape: [batch, seq, 4] } }),
        reference(exactly(make, { seq, batch }), { x }),
        1e-4,
        `seed ${seed}, seq ${seq}`,
      )
    await net.close()
  }
})

test.run()
