import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph, verifyKernels } from '../../compiler/fuse/index.ts'
import type { Builder, Node } from '../../compiler/graph/index.ts'
import { searchOrder } from '../../compiler/schedule/exact.ts'
import { leastAlive, postOrder } from '../../compiler/schedule/heuristic.ts'
import { scheduleKernels } from '../../compiler/schedule/index.ts'
import { type Order, peakOf, prepare, type ScheduleProblem } from '../../compiler/schedule/problem.ts'
import { draw } from '../support/draw.ts'
import { f32, graphOf, weights } from '../support/graphs.ts'
import { targetWith } from '../support/program.ts'

/** Tasks in a random acyclic graph, each making one storage. */
const arbitraryProblem = (maximum: number, minimum = 1): fc.Arbitrary<ScheduleProblem> =>
  fc
    .array(fc.record({ bytes: fc.integer({ min: 1, max: 20 }), reads: fc.array(fc.nat(), { maxLength: 3 }) }), {
      minLength: minimum,
      maxLength: maximum,
      size: 'max',
    })
    .map((list) => {
      const after = list.map(({ reads }, i) => (i === 0 ? [] : [...new Set(reads.map((n) => n % i))]))
      return {
        bytes: list.map(({ bytes }) => bytes),
        tasks: after.map((earlier, i) => ({ after: earlier, touches: [...earlier, i] })),
      }
    })

function everyOrder({ tasks }: ScheduleProblem, done: Order = []): Order[] {
  if (done.length === tasks.length) return [done]
  return tasks.flatMap((task, i) =>
    done.includes(i) || !task.after.every((earlier) => done.includes(earlier))
      ? []
      : everyOrder({ tasks, bytes: [] }, [...done, i]),
  )
}

const given = (problem: ScheduleProblem): Order => problem.tasks.map((_, i) => i)

test('LL-13: a branch with the larger peak goes first', () => {
  // 0 and 2 make large values of which 1 and 3 keep little; the first branch has the larger result.
  const problem: ScheduleProblem = {
    bytes: [10, 6, 30, 1, 1],
    tasks: [
      { after: [], touches: [0] },
      { after: [0], touches: [0, 1] },
      { after: [], touches: [2] },
      { after: [2], touches: [2, 3] },
      { after: [1, 3], touches: [1, 3, 4] },
    ],
  }
  assert.is(peakOf(problem, given(problem)), 37)
  assert.equal(postOrder(prepare(problem)), [2, 3, 0, 1, 4])
  assert.is(peakOf(problem, [2, 3, 0, 1, 4]), 31)
})

test('LL-13: the search finds the best order of small problems, as trying every order does', () => {
  fc.assert(
    fc.property(arbitraryProblem(6), (problem) => {
      const prepared = prepare(problem)
      const best = Math.min(...everyOrder(problem).map((order) => peakOf(problem, order)))
      const { order, complete } = searchOrder(prepared, peakOf(problem, given(problem)) + 1)
      assert.ok(complete)
      assert.is(peakOf(problem, order!), best)
    }),
    draw(3, 300),
  )
})

test('LL-13: orders are complete and respect what comes before what', () => {
  fc.assert(
    fc.property(arbitraryProblem(40), (problem) => {
      const prepared = prepare(problem)
      // peakOf throws when they do not.
      const peaks = [postOrder(prepared), leastAlive(prepared)].map((order) => peakOf(problem, order))
      const { order } = searchOrder(prepared, Math.min(...peaks))
      if (order) assert.ok(peakOf(problem, order) < Math.min(...peaks))
    }),
    draw(4, 200),
  )
})

/** Two branches that grow and shrink, written in the worst order: all large values before any is used up. */
function branches(b: Builder): Record<string, Node> {
  const x = b.input('x', f32(8, 8))
  const grown = [1, 2, 3, 4].map((n) => b.add('matmul', { left: x, right: weights(b, `grow${n}`, 8, 64) }))
  const shrunk = grown.map((value, n) => b.add('matmul', { left: value, right: weights(b, `shrink${n}`, 64, 4) }))
  return { y: b.add('concat', { inputs: shrunk }, { axis: 1 }) }
}

test('LL-14: steps are reordered so that less is alive, and never worse', () => {
  const target = targetWith()
  const kernels = fuseGraph(graphOf(branches), target)
  const { kernels: scheduled, peak, peakBefore } = scheduleKernels(kernels, target)
  verifyKernels(scheduled)
  const [grown, shrunk] = [8 * 64 * 4, 8 * 4 * 4]
  assert.is(peakBefore, 4 * grown + shrunk)
  assert.is(peak, grown + 4 * shrunk)
})

test('an order that cannot be bettered stays as it is', () => {
  const target = targetWith()
  const kernels = fuseGraph(
    graphOf((b) => ({ y: b.add('exp', { input: b.input('x', f32(4)) }) })),
    target,
  )
  assert.is(scheduleKernels(kernels, target).kernels, kernels)
})

test('a problem of 450 tasks is ordered in a moment', () => {
  const [problem] = fc.sample(arbitraryProblem(450, 450), draw(9, 1))
  const started = performance.now()
  const prepared = prepare(problem!)
  searchOrder(prepared, Math.min(...[postOrder(prepared), leastAlive(prepared)].map((order) => peakOf(problem!, order))))
  const elapsed = performance.now() - started
  // Generous: the machine may be busy. Some 60 ms when it is not.
  assert.ok(elapsed < 5000)
})

test.run()
