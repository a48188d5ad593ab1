// What the passes over instructions stand on, each against the plainest way to do the same.
import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph } from '../../compiler/fuse/index.ts'
import { produceInPlace, readFromSource } from '../../compiler/instructions/elide.ts'
import { printInstructions, selectInstructions, shareInPlace } from '../../compiler/instructions/index.ts'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import { peakBytes } from '../../compiler/instructions/lifetime.ts'
import { createRangeSet } from '../../compiler/instructions/ranges.ts'
import { type Stripes, stripesMeet } from '../../compiler/instructions/stripes.ts'
import { createTimeline } from '../../compiler/instructions/timeline.ts'
import { openWorkspace } from '../../compiler/instructions/workspace.ts'
import { lowerGraph } from '../../compiler/lower/index.ts'
import { draw } from '../support/draw.ts'
import { targetWith } from '../support/program.ts'
import { arbitraryGraph } from '../support/randomGraph.ts'

const range = fc.tuple(fc.nat(40), fc.nat(12)).map(([from, length]) => ({ from, to: from + length }))

test('a set of ranges is a set of numbers', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ adds: fc.boolean(), range }), { maxLength: 30 }), range, (changes, asked) => {
      const set = createRangeSet()
      const numbers = new Set<number>()
      for (const { adds, range } of changes) {
        if (adds) set.add(range)
        else set.remove(range)
        for (let i = range.from; i < range.to; i++) {
          if (adds) numbers.add(i)
          else numbers.delete(i)
        }
      }
      const inside = Array.from({ length: asked.to - asked.from }, (_, i) => numbers.has(asked.from + i))
      assert.is(set.covers(asked), inside.every(Boolean))
      assert.is(set.meets(asked), inside.some(Boolean))
      const found = set.at(asked.from)
      assert.is(found !== undefined, numbers.has(asked.from))
      if (found) assert.equal([numbers.has(found.from - 1), numbers.has(found.to)], [false, false])
    }),
    draw(31, 500),
  )
})

test('the peak of a timeline is the largest of its sums', () => {
  const change = fc.record({ from: fc.nat(20), length: fc.nat(8), bytes: fc.integer({ min: -5, max: 9 }) })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 25 }), (changes) => {
      const timeline = createTimeline(29)
      const sums = new Array<number>(29).fill(0)
      for (const { from, length, bytes } of changes) {
        timeline.add(from, from + length, bytes)
        for (let i = from; i <= from + length; i++) sums[i]! += bytes
        // Moments beyond the last hold nothing.
        assert.is(timeline.peak(), Math.max(0, ...sums))
      }
    }),
    draw(32, 300),
  )
})

test('stripes meet where a byte belongs to both', () => {
  const stripes = fc
    .record({ from: fc.nat(30), length: fc.integer({ min: 1, max: 6 }), gap: fc.nat(5), blocks: fc.integer({ min: 1, max: 5 }) })
    .map(({ from, length, gap, blocks }): Stripes & { readonly bytes: ReadonlySet<number> } => {
      const stride = length + gap
      const to = from + (blocks - 1) * stride + length
      const bytes = new Set(
        Array.from({ length: blocks }, (_, row) => Array.from({ length }, (_, i) => from + row * stride + i)).flat(),
      )
      return { origin: 0 as BufferId, from, to, bytes, ...(blocks > 1 && gap > 0 && { pitch: { length, stride } }) }
    })
  fc.assert(
    fc.property(stripes, stripes, (a, b) => {
      const meet = [...a.bytes].some((byte) => b.bytes.has(byte))
      const exact = !a.pitch || !b.pitch || a.pitch.stride === b.pitch.stride
      // Equal strides are judged as if both had blocks beyond the ends of their places.
      if (meet) assert.ok(stripesMeet(a, b))
      else if (exact && !(a.pitch && b.pitch)) assert.not(stripesMeet(a, b))
      assert.is(stripesMeet(a, b), stripesMeet(b, a))
    }),
    draw(33, 1000),
  )
})

test('parts of one join beside each other do not meet', () => {
  const place = (from: number, length: number): Stripes => ({
    origin: 0 as BufferId,
    from,
    to: from + 3 * 12 + length,
    pitch: { length, stride: 12 },
  })
  assert.not(stripesMeet(place(0, 4), place(4, 8)))
  assert.ok(stripesMeet(place(0, 5), place(4, 8)))
  assert.not(stripesMeet(place(4, 8), place(0, 4)))
})

test('LL-03 LL-10: a workspace counts the peak of the list it would close into, and takes back what it did', () => {
  const target = targetWith({ scratch: (kernel) => 40 * kernel.steps.length })
  const options = { ops: ['concat', 'concat', 'slice', 'reshape', 'exp', 'add', 'matmul'] as const, maximumNodes: 25 }
  fc.assert(
    fc.property(arbitraryGraph({ ...options, ops: [...options.ops], dtypes: ['f32'] }), (graph) => {
      const list = selectInstructions(fuseGraph(lowerGraph(graph, new Set()), target), target)
      const work = openWorkspace(list)
      const before = printInstructions(work.close())
      const mark = work.mark()
      assert.is(work.peak(), peakBytes(work.close()))
      produceInPlace(work, target)
      assert.is(work.peak(), peakBytes(work.close()))
      readFromSource(work)
      assert.is(work.peak(), peakBytes(work.close()))
      for (let index = 0; index < work.count; index += 3) if (work.instruction(index)) work.drop(index)
      assert.is(work.peak(), peakBytes(work.close()))
      work.undo(mark)
      assert.is(printInstructions(work.close()), before)
      assert.is(work.peak(), peakBytes(work.close()))
    }),
    draw(34, 60),
  )
})

test('LL-03: views name the storage itself, and closing twice changes nothing', () => {
  fc.assert(
    fc.property(arbitraryGraph({ maximumNodes: 20 }), (graph) => {
      const target = targetWith()
      const list = selectInstructions(fuseGraph(lowerGraph(graph, new Set()), target), target)
      const once = openWorkspace(shareInPlace(list, target)).close()
      for (const buffer of once.buffers.values())
        if (buffer.kind === 'view') assert.is.not(once.buffers.get(buffer.of)?.kind, 'view')
      assert.is(printInstructions(openWorkspace(once).close()), printInstructions(once))
    }),
    draw(35, 60),
  )
})

test.run()
