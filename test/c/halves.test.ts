import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { blockedConv } from '../../targets/c/kernels/blocked/index.ts'
import { type Level, lanesOf, levelWith, neon, simd128, x86v3, x86v4 } from '../../targets/c/level.ts'
import { winogradKernel } from '../support/winogradCases.ts'

/** A direct convolution with so many output channels: lines that multiply halves of vectors, and those that multiply whole ones. */
function multiplyAdds(level: Level, outputs: number, groups = 1) {
  const shape = { batch: 1, groups, inputs: 16, outputs, size: [9, 14], before: [1, 1], after: [1, 1], bias: true } as const
  const kernel = winogradKernel(shape, lanesOf(level))!
  const text = blockedConv.body(kernel, levelWith(level, { winograd: false })).join('\n')
  return { halves: /\bMAC(?:_ELEMENT)?_HALF\(/.test(text), whole: /\bMAC(?:_ELEMENT)?\(/.test(text) }
}

test('a last block with channels in its lower half alone is computed in halves of vectors, where the level has them', () => {
  for (const outputs of [1, 6, 8]) assert.equal(multiplyAdds(x86v4, outputs), { halves: true, whole: false })
  for (const outputs of [17, 24, 40, 120]) assert.equal(multiplyAdds(x86v4, outputs), { halves: true, whole: true })
  for (const outputs of [9, 16, 31, 48]) assert.equal(multiplyAdds(x86v4, outputs), { halves: false, whole: true })
  for (const level of [x86v3, neon, simd128])
    for (const outputs of [1, 6, 20]) assert.equal(multiplyAdds(level, outputs), { halves: false, whole: true })
})

test('groups count as one row of channels', () => {
  assert.equal(multiplyAdds(x86v4, 20, 2), { halves: true, whole: true })
  assert.equal(multiplyAdds(x86v4, 16, 2), { halves: false, whole: true })
})

test.run()
