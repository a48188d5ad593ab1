// `npm run soak` in small.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { soak } from './soak.ts'

test('under random load and faults nothing is lost, doubled or wrong (RT-11, RT-13, RT-29, RT-30, HW-07)', async () => {
  const { problems, counts, losses, asked } = await soak({ seconds: 10, seed: 7, calm: 2, report: () => {} })
  assert.equal(problems, [])
  assert.ok(counts.answered! > asked / 4, JSON.stringify(counts))
  assert.ok(losses > 0)
})

test.run()
