import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph, verifyKernels } from '../../compiler/fuse/index.ts'
import type { Builder, Node } from '../../compiler/graph/index.ts'
import { elideCopies } from '../../compiler/instructions/elide.ts'
import { selectInstructions, shareInPlace } from '../../compiler/instructions/index.ts'
import { peakBytes } from '../../compiler/instructions/lifetime.ts'
import { searchPart } from '../../compiler/schedule/exact.ts'
import { leastAlive, postOrder } from '../../compiler/schedule/heuristic.ts'
import { scheduleKernels } from '../../compiler/schedule/index.ts'
import { modelOf } from '../../compiler/schedule/model.ts'
import { cutsOf, partsOf } from '../../compiler/schedule/part.ts'
import { type Order, type Overwrite, peakOf, prepare, type ScheduleProblem, type Task } from '../../compiler/schedule/problem.ts'
import { solveOrder } from '../../compiler/schedule/solve.ts'
import { solveTree } from '../../compiler/schedule/tree.ts'
import { draw } from '../support/draw.ts'
import { f32, graphOf, weights } from '../support/graphs.ts'
import { targetWith } from '../support/program.ts'
import { arbitraryGraph } from '../support/randomGraph.ts'

interface Drawn {
  readonly bytes: number
  readonly reads: readonly number[]
  readonly scratch: number
  readonly others: readonly number[]
  readonly inPlace: boolean
}

/**
 * Tasks in a random acyclic graph, each making one storage; some need scratch, some touch storages of tasks further back as one that reads a
 * join does, some may write over what they read: over one storage, or over several as large together.
 */
const arbitraryProblem = (maximum: number, minimum = 1, reach = maximum): fc.Arbitrary<ScheduleProblem> =>
  fc
    .array(
      fc.record({
        bytes: fc.constantFrom(2, 4, 8, 8, 16, 24),
        reads: fc.array(fc.nat(), { maxLength: 3 }),
        scratch: fc.constantFrom(0, 0, 0, 5),
        others: fc.array(fc.nat(), { maxLength: 1 }),
        inPlace: fc.boolean(),
      }),
      { minLength: minimum, maxLength: maximum, size: 'max' },
    )
    .map((list) => problemOf(list, reach))

function problemOf(list: readonly Drawn[], reach: number): ScheduleProblem {
  const bytes = list.map((each) => each.bytes)
  const tasks: Task[] = []
  for (const [i, { reads, scratch, others, inPlace }] of list.entries()) {
    const after = i === 0 ? [] : [...new Set(reads.map((n) => i - 1 - (n % Math.min(i, reach))))]
    const behind = after.flatMap((earlier) => tasks[earlier]!.touches)
    const more = behind.length > 0 ? others.map((n) => behind[n % behind.length]!) : []
    const touches = [...new Set([...after, ...more, i])]
    const read = touches.filter((storage) => storage !== i)
    const single = read.filter((storage) => bytes[storage] === bytes[i]).map((storage) => [storage])
    const sum = read.reduce((total, storage) => total + bytes[storage]!, 0)
    const operands = read.length > 1 && sum === bytes[i] ? [read, ...single] : single
    const overwrites: Overwrite[] = inPlace && operands.length > 0 ? [{ bytes: bytes[i]!, operands }] : []
    tasks.push({ after, touches, scratch, ...(overwrites.length > 0 && { overwrites }) })
  }
  return { bytes, tasks }
}

/** The peak of an order as its definition says, from the first and the last task that touch each storage. */
function peakByDefinition({ tasks, bytes }: ScheduleProblem, order: Order): number {
  const span = bytes.map((_, storage) => {
    const touched = order.flatMap((task, at) => (tasks[task]!.touches.includes(storage) ? [at] : []))
    return { first: touched[0]!, last: touched.at(-1)! }
  })
  const needs = order.map((task, at) => {
    const live = span.reduce((sum, { first, last }, storage) => sum + (first <= at && at <= last ? bytes[storage]! : 0), 0)
    const dying = (operand: readonly number[]) =>
      operand.reduce((sum, storage) => sum + (span[storage]!.last === at ? bytes[storage]! : 0), 0)
    const saved = (tasks[task]!.overwrites ?? []).map(({ operands }) => Math.max(0, ...operands.map(dying)))
    return live + (tasks[task]!.scratch ?? 0) - saved.reduce((sum, each) => sum + each, 0)
  })
  return Math.max(0, ...needs)
}

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

test('LL-13: a result written over an operand that dies does not add its bytes', () => {
  const problem = (after: readonly number[]): ScheduleProblem => ({
    bytes: [10, 10, 1],
    tasks: [
      { after: [], touches: [0] },
      { after: [0], touches: [0, 1], overwrites: [{ bytes: 10, operands: [[0]] }] },
      { after: [0, ...after], touches: [0, 2] },
    ],
  })
  assert.is(peakOf(problem([]), [0, 1, 2]), 20)
  assert.is(peakOf(problem([]), [0, 2, 1]), 11)
  assert.equal(solveOrder(problem([])), { order: [0, 2, 1], peak: 11, bound: 11 })
  assert.equal(solveOrder(problem([1])), { order: [0, 1, 2], peak: 20, bound: 20 })
})

test('LL-13: the best order of small problems is found and proven, as trying every order does, in parts and as a whole', () => {
  fc.assert(
    fc.property(arbitraryProblem(7), (problem) => {
      const orders = everyOrder(problem)
      const peaks = orders.map((order) => peakByDefinition(problem, order))
      assert.is(peakOf(problem, orders.at(-1)!), peaks.at(-1)!)
      const best = Math.min(...peaks)
      for (const decompose of [true, false]) {
        const { order, peak, bound } = solveOrder(problem, decompose)
        assert.is(peakByDefinition(problem, order), peak)
        assert.is(peak, best)
        assert.is(bound, best)
      }
    }),
    draw(3, 400),
  )
})

test('LL-13: the search needs no heuristic, and proves that there is no better order than the best', () => {
  fc.assert(
    fc.property(arbitraryProblem(7), (problem) => {
      const best = Math.min(...everyOrder(problem).map((order) => peakByDefinition(problem, order)))
      const part = partsOf(prepare(problem), [0])[0]!()
      const found = searchPart(part, 0, Number.POSITIVE_INFINITY, { left: 1e6 })
      assert.is(peakByDefinition(problem, found.order!), best)
      assert.is(found.bound, best)
      assert.equal(searchPart(part, 0, best, { left: 1e6 }), { order: undefined, bound: best })
    }),
    draw(5, 400),
  )
})

/** The best of all orders by a table over sets of done tasks, which needs no argument about what may be left out. */
function bestByTable(problem: ScheduleProblem): number {
  const { tasks } = problem
  const all = 2 ** tasks.length - 1
  const best = new Float64Array(all + 1).fill(Number.POSITIVE_INFINITY)
  best[0] = 0
  const users = problem.bytes.map((_, storage) =>
    tasks.reduce((set, { touches }, task) => (touches.includes(storage) ? set | (1 << task) : set), 0),
  )
  for (let set = 0; set < all; set++) {
    if (best[set] === Number.POSITIVE_INFINITY) continue
    for (const [task, { after, touches, scratch = 0, overwrites = [] }] of tasks.entries()) {
      if (set & (1 << task) || !after.every((earlier) => set & (1 << earlier))) continue
      const next = set | (1 << task)
      const need = problem.bytes.reduce(
        (sum, bytes, storage) =>
          sum + (touches.includes(storage) || (users[storage]! & set && users[storage]! & ~set) ? bytes : 0),
        scratch,
      )
      const dying = (operand: readonly number[]) =>
        operand.reduce((sum, storage) => sum + (users[storage]! & ~next ? 0 : problem.bytes[storage]!), 0)
      const saved = overwrites.reduce((sum, { operands }) => sum + Math.max(0, ...operands.map(dying)), 0)
      best[next] = Math.min(best[next]!, Math.max(best[set]!, need - saved))
    }
  }
  return best[all]!
}

test('LL-13: problems with many orders are solved as a table over all sets of tasks does', () => {
  for (const reach of [3, 12]) {
    fc.assert(
      fc.property(arbitraryProblem(13, 10, reach), (problem) => {
        const best = bestByTable(problem)
        for (const decompose of [true, false]) {
          const { peak, bound } = solveOrder(problem, decompose)
          assert.is(peak, best)
          assert.is(bound, best)
        }
      }),
      draw(6 + reach, 60),
    )
  }
})

test('LL-13: trees are solved by hills and valleys as a table over all sets of tasks does', () => {
  const arbitraryTree = fc
    .array(
      fc.record({
        bytes: fc.constantFrom(2, 4, 8, 8, 16, 24),
        next: fc.nat(3),
        scratch: fc.constantFrom(0, 0, 20),
        inPlace: fc.boolean(),
      }),
      {
        minLength: 2,
        maxLength: 13,
        size: 'max',
      },
    )
    .map((list): ScheduleProblem => {
      const bytes = list.map((each) => each.bytes)
      const tasks = list.map(({ scratch, inPlace }, i): Task => {
        const after = list.slice(0, i).flatMap(({ next }, earlier) => (earlier + 1 + next === i ? [earlier] : []))
        const operands = after.filter((earlier) => bytes[earlier] === bytes[i]).map((earlier) => [earlier])
        const overwrites = inPlace && operands.length > 0 ? [{ bytes: bytes[i]!, operands }] : []
        return { after, touches: [...after, i], scratch, ...(overwrites.length > 0 && { overwrites }) }
      })
      return { bytes, tasks }
    })
  fc.assert(
    fc.property(arbitraryTree, (problem) => {
      const tree = solveTree(partsOf(prepare(problem), [0])[0]!())
      assert.is(tree!.peak, bestByTable(problem))
      assert.is(peakByDefinition(problem, tree!.order), tree!.peak)
      assert.is(solveOrder(problem).bound, tree!.peak)
    }),
    draw(10, 200),
  )
})

test('LL-13: an order is cut where every order has done the same tasks', () => {
  fc.assert(
    fc.property(arbitraryProblem(7, 1, 3), (problem) => {
      const orders = everyOrder(problem)
      const isCut = (at: number) => orders.every((order) => Math.max(...order.slice(0, at)) === at - 1)
      const cuts = cutsOf(prepare(problem))
      for (const cut of cuts) assert.ok(cut === 0 || isCut(cut))
      // A task that all others come before or after ends a part.
      const before = problem.tasks.map((_, task) => orders.map((order) => order.indexOf(task)))
      const sets = problem.tasks.flatMap((_, task) =>
        before[task]!.every((at) => at === task) && task + 1 < problem.tasks.length ? [task + 1] : [],
      )
      assert.equal(cuts, [0, ...sets])
    }),
    draw(8, 200),
  )
})

test('LL-13: orders are complete and respect what comes before what', () => {
  fc.assert(
    fc.property(arbitraryProblem(40), (problem) => {
      const prepared = prepare(problem)
      // peakOf throws when they do not.
      const peaks = [given(problem), postOrder(prepared), leastAlive(prepared)].map((order) => peakOf(problem, order))
      const { order, peak, bound } = solveOrder(problem)
      assert.is(peakOf(problem, order), peak)
      assert.ok(peak <= Math.min(...peaks))
      assert.ok(bound <= peak)
    }),
    draw(4, 200),
  )
})

test('LL-13: where heuristics go wrong, the search does not', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 40 }), (blocks) => {
      // Blocks of two branches: one must begin, stop half way, and wait for the other.
      const bytes: number[] = [1]
      const tasks: Task[] = [{ after: [], touches: [0] }]
      const task = (size: number, ...reads: number[]) => {
        bytes.push(size)
        return tasks.push({ after: reads, touches: [...reads, tasks.length] }) - 1
      }
      let last = 0
      for (let block = 0; block < blocks; block++) {
        const left = task(3, task(16, task(2, task(20, last))))
        const right = task(6, task(15, task(1, task(21, last))))
        last = task(1, left, right)
      }
      const problem = { bytes, tasks }
      const prepared = prepare(problem)
      const peaks = [given(problem), postOrder(prepared), leastAlive(prepared)].map((order) => peakOf(problem, order))
      const { peak, bound } = solveOrder(problem)
      assert.ok(peak < Math.min(...peaks), `${peak} of ${peaks}`)
      assert.is(bound, peak)
    }),
    draw(11, 5),
  )
})

test('LL-13: a hundred branches side by side are put in order and proven', () => {
  // Each grows and leaves something, more or less; those that leave least of what they need go last.
  const bytes = [1]
  const tasks: Task[] = [{ after: [], touches: [0] }]
  const ends: number[] = []
  for (let branch = 0; branch < 100; branch++) {
    const large = 50 + ((branch * 37) % 101)
    bytes.push(large, 1 + ((branch * 17) % 23))
    tasks.push({ after: [0], touches: [0, tasks.length] })
    tasks.push({ after: [tasks.length - 1], touches: [tasks.length - 1, tasks.length] })
    ends.push(tasks.length - 1)
  }
  bytes.push(1)
  tasks.push({ after: ends, touches: [...ends, tasks.length] })
  // By Liu's rule: falling by what a branch needs beyond what it leaves.
  const left = ends.toSorted((a, b) => bytes[b - 1]! - bytes[a - 1]!)
  const liu = [0, ...left.flatMap((end) => [end - 1, end]), tasks.length - 1]
  const { peak, bound } = solveOrder({ bytes, tasks })
  assert.is(peak, peakOf({ bytes, tasks }, liu))
  assert.is(bound, peak)
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
  const { kernels: scheduled, peak, topologicalPeak, lowerBound, exact } = scheduleKernels(kernels, target)
  verifyKernels(scheduled)
  const grown = 8 * 64 * 4
  // What is joined is made inside the output, which is the caller's memory.
  assert.is(topologicalPeak, 4 * grown)
  assert.is(peak, grown)
  assert.is(lowerBound, peak)
  assert.ok(exact)
})

test('an order that cannot be bettered stays as it is', () => {
  const target = targetWith()
  const kernels = fuseGraph(
    graphOf((b) => ({ y: b.add('exp', { input: b.input('x', f32(4)) }) })),
    target,
  )
  assert.is(scheduleKernels(kernels, target).kernels, kernels)
})

/** A random order of steps in which each comes after what it reads. */
function shuffled(count: number, afterOf: (task: number) => readonly number[], choices: readonly number[]): Order {
  const done = new Set<number>()
  for (let n = 0; done.size < count; n++) {
    const ready = Array.from({ length: count }, (_, task) => task).filter(
      (task) => !done.has(task) && afterOf(task).every((earlier) => done.has(earlier)),
    )
    done.add(ready[choices[n % choices.length]! % ready.length]!)
  }
  return [...done]
}

const joining = [
  'add',
  'mul',
  'exp',
  'tanh',
  'matmul',
  'concat',
  'slice',
  'reshape',
  'reduceSum',
  'transpose',
  'maximum',
  'negate',
] as const

test('LL-13: the bound holds for the instructions of every order, and exact means that it is reached', () => {
  const target = targetWith()
  fc.assert(
    fc.property(
      arbitraryGraph({ ops: joining, maximumNodes: 16, dtypes: ['f32'], extents: [2, 3, 4] }),
      fc.array(fc.array(fc.nat(), { minLength: 8, maxLength: 8 }), { minLength: 6, maxLength: 6 }),
      (graph, choices) => {
        const kernels = fuseGraph(graph, target)
        const { problem, inOrder } = modelOf(kernels, target, 'pieces')
        const { bound } = solveOrder(problem)
        for (const each of choices) {
          const order = inOrder(shuffled(problem.tasks.length, (task) => problem.tasks[task]!.after, each))
          verifyKernels(order)
          const real = shareInPlace(elideCopies(selectInstructions(order, target), target), target)
          assert.ok(bound <= peakBytes(real, target.alignment), `bound ${bound}, peak ${peakBytes(real, target.alignment)}`)
        }
        const scheduled = scheduleKernels(kernels, target)
        verifyKernels(scheduled.kernels)
        assert.ok(scheduled.peak <= scheduled.topologicalPeak)
        assert.is(scheduled.lowerBound, bound)
        assert.is(scheduled.exact, scheduled.peak === bound)
      },
    ),
    draw(12, 80),
  )
})

test('LL-13: large problems without structure end by count, with an order and a bound', () => {
  const [problem] = fc.sample(arbitraryProblem(450, 450), draw(9, 1))
  const { order, peak, bound } = solveOrder(problem!)
  assert.is(peakOf(problem!, order), peak)
  assert.ok(bound <= peak)
})

test.run()
