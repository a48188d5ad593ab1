import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findOverlap, fitMemory, type Interval, solveMemory } from '../../compiler/allocation/index.ts'
import { searchPlacement } from '../../compiler/allocation/restarts.ts'
import { cutRectangle } from '../support/cutRectangle.ts'
import { draw } from '../support/draw.ts'

const intervals = (...rows: readonly (readonly [start: number, end: number, bytes: number])[]): Interval[] =>
  rows.map(([start, end, bytes]) => ({ start, end, bytes }))

test('LL-15: the small published instance (google/minimalloc, input.12) fits its capacity of 12', () => {
  const problem = intervals([0, 3, 4], [3, 9, 4], [0, 9, 4], [9, 21, 4], [0, 21, 4])
  const { offsets, peak, bound } = solveMemory(problem, 1)
  assert.is(bound, 12)
  assert.is(peak, 12)
  assert.is(findOverlap(problem, offsets, 1, peak), undefined)
})

test('LL-15: an instance that no order of one kind solves is solved by another', () => {
  // Biggest first would put the 5 at the bottom and leave 3 split; by hand: 3 at 0, 5 at 3, 2 at 8 …
  const problem = intervals([0, 4, 3], [2, 8, 5], [4, 10, 3], [0, 2, 7], [8, 10, 7], [4, 8, 2])
  const { offsets, peak } = solveMemory(problem, 1)
  assert.is(peak, 10)
  assert.is(findOverlap(problem, offsets, 1, peak), undefined)
})

test('LL-16: offsets are multiples of the alignment', () => {
  const problem = intervals([0, 2, 1], [1, 3, 65], [2, 4, 10])
  const { offsets, peak, bound } = solveMemory(problem, 64)
  assert.ok(offsets.every((offset) => offset % 64 === 0))
  assert.is(bound, 192)
  assert.is(peak, 192)
})

test('nothing, empty buffers and empty lifetimes need no room', () => {
  assert.equal(solveMemory([], 64), { offsets: [], peak: 0, bound: 0 })
  assert.is(solveMemory(intervals([0, 5, 0], [3, 3, 100]), 64).peak, 0)
})

const arbitraryIntervals = fc
  .array(fc.tuple(fc.nat(30), fc.nat(12), fc.nat(300)), { maxLength: 14 })
  .map((rows) => intervals(...rows.map(([start, length, bytes]) => [start, start + length, bytes] as const)))

test('LL-17: 10,000 random problems: no overlap, and bound ≤ peak ≤ sum', () => {
  fc.assert(
    fc.property(arbitraryIntervals, fc.constantFrom(1, 16, 64), (problem, alignment) => {
      const { offsets, peak, bound } = solveMemory(problem, alignment)
      assert.is(findOverlap(problem, offsets, alignment, peak), undefined)
      const live = (time: number) =>
        problem.reduce((sum, i) => sum + (i.start <= time && time < i.end ? Math.ceil(i.bytes / alignment) * alignment : 0), 0)
      assert.is(bound, Math.max(0, ...Array.from({ length: 45 }, (_, time) => live(time))))
      assert.ok(bound <= peak)
      assert.ok(
        peak <= problem.reduce((sum, i) => sum + (i.start === i.end ? 0 : 1) * Math.ceil(i.bytes / alignment) * alignment, 0),
      )
    }),
    draw(1, 10_000),
  )
})

test('LL-15: full rectangles are packed to their height, without a gap', () => {
  for (let seed = 0; seed < 40; seed++) {
    const { problem, height } = cutRectangle({ pieces: 10 + seed * 2, seed })
    const { offsets, peak, bound } = solveMemory(problem, 64)
    assert.is(bound, height)
    assert.is(peak, height)
    assert.is(findOverlap(problem, offsets, 64, peak), undefined)
  }
})

test('LL-15: the search for a placement under a capacity finds one if and only if there is one', () => {
  const small = fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })), {
    minLength: 1,
    maxLength: 5,
  })
  fc.assert(
    fc.property(small, fc.integer({ min: 1, max: 12 }), (rows, capacity) => {
      const problem = intervals(...rows.map(([start, length, bytes]) => [start, start + length, bytes] as const))
      const found = searchPlacement(problem, capacity, 1e6)
      if (found.kind === 'found') assert.is(findOverlap(problem, found.offsets, 1, capacity), undefined)
      assert.is(found.kind, fitsSomehow(problem, capacity) ? 'found' : 'impossible')
    }),
    draw(8, 300),
  )
})

/** Tries every offset of every buffer. */
function fitsSomehow(problem: readonly Interval[], capacity: number, offsets: readonly number[] = []): boolean {
  const next = problem[offsets.length]
  if (!next) return true
  return Array.from({ length: Math.max(0, capacity - next.bytes + 1) }, (_, offset) => [...offsets, offset]).some(
    (tried) =>
      findOverlap(problem.slice(0, tried.length), tried, 1, capacity) === undefined && fitsSomehow(problem, capacity, tried),
  )
}

test('LL-15: hard instances, full rectangles of 150 to 250 pieces, are fitted without a gap', () => {
  for (const pieces of [150, 200, 250]) {
    const { problem, height } = cutRectangle({ pieces, seed: pieces, height: 1 << 20, time: 2000, unit: 1024 })
    const found = fitMemory(problem, height, 1, 200_000_000)
    assert.is(found.kind, 'found')
    if (found.kind === 'found') assert.is(findOverlap(problem, found.offsets, 1, height), undefined)
  }
})

test('LL-15: what cannot fit is refused, by the bound or by searching everything', () => {
  assert.equal(fitMemory(intervals([0, 2, 4], [1, 3, 4]), 7), { kind: 'impossible' })
  // At most 4 are live at one time, and yet 4 is not enough.
  const problem = intervals([0, 2, 1], [0, 1, 3], [1, 4, 2], [2, 3, 2], [3, 5, 1], [4, 5, 3])
  assert.is(fitMemory(problem, 4).kind, fitsSomehow(problem, 4) ? 'found' : 'impossible')
})

test('LL-15: a search that spent its budget says so', () => {
  const { problem, height } = cutRectangle({ pieces: 200, seed: 9 })
  const result = searchPlacement(problem, height, 1000)
  assert.is(result.kind, 'unknown')
})

test('equal problems have equal solutions', () => {
  const { problem } = cutRectangle({ pieces: 60, seed: 5 })
  assert.equal(solveMemory(problem, 64), solveMemory(problem, 64))
})

test('450 buffers of an ordinary network reach the bound', () => {
  // A chain with residual connections: each value lives until the next, every third until three later.
  const problem = Array.from({ length: 450 }, (_, i) => ({
    start: i,
    end: i + (i % 3 === 0 ? 4 : 2),
    bytes: 64 * (1 + ((i * 37) % 29)),
  }))
  const { offsets, peak, bound } = solveMemory(problem, 64)
  assert.is(findOverlap(problem, offsets, 64, peak), undefined)
  assert.is(peak, bound)
})

test('the validator sees overlaps, misalignment and a peak too low', () => {
  const problem = intervals([0, 2, 64], [1, 3, 64])
  assert.is(findOverlap(problem, [0, 64], 64, 128), undefined)
  assert.match(findOverlap(problem, [0, 0], 64, 128)!, /overlap/)
  assert.match(findOverlap(problem, [0, 65], 64, 200)!, /multiple of 64/)
  assert.match(findOverlap(problem, [0, 64], 64, 100)!, /above 100/)
  assert.is(findOverlap(intervals([0, 2, 64], [2, 3, 64]), [0, 0], 64, 64), undefined)
})

test.run()
