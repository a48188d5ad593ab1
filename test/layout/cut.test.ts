import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type CutEdge, type CutProblem, minimumCut } from '../../compiler/layout/cut.ts'
import { draw } from '../support/draw.ts'

const [source, sink] = [0, 1]

const costOf = (edges: readonly CutEdge[], side: readonly boolean[]): number =>
  edges.reduce((sum, { from, to, capacity }) => sum + (side[from] && !side[to] ? capacity : 0), 0)

/** Every way to divide the vertices; the least cost, and of those that have it the fewest vertices with the source. */
function byEnumeration({ vertices, edges }: CutProblem): { readonly cost: number; readonly size: number } {
  let best = { cost: Number.POSITIVE_INFINITY, size: 0 }
  for (let bits = 0; bits < 1 << (vertices - 2); bits++) {
    const side = Array.from({ length: vertices }, (_, v) => v === source || (v > 1 && ((bits >> (v - 2)) & 1) === 1))
    const cost = costOf(edges, side)
    const size = side.filter(Boolean).length
    if (cost < best.cost || (cost === best.cost && size < best.size)) best = { cost, size }
  }
  return best
}

const problems: fc.Arbitrary<CutProblem> = fc.integer({ min: 2, max: 9 }).chain((vertices) => {
  const vertex = fc.nat(vertices - 1)
  const capacity = fc.oneof({ arbitrary: fc.nat(20), weight: 5 }, { arbitrary: fc.constant(Number.POSITIVE_INFINITY), weight: 1 })
  return fc.array(fc.record({ from: vertex, to: vertex, capacity }), { maxLength: 24 }).map((edges) => ({
    vertices,
    source,
    sink,
    // What comes from the source has an end, as callers promise.
    edges: edges.map((edge) => (edge.from === source && edge.capacity > 20 ? { ...edge, capacity: 50 } : edge)),
  }))
})

test('IR-19 a minimum cut costs what the best of all cuts costs, and has as few vertices with the source', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const side = minimumCut(problem)!
      assert.ok(side[source] && !side[sink])
      assert.equal({ cost: costOf(problem.edges, side), size: side.filter(Boolean).length }, byEnumeration(problem))
    }),
    draw(1, 400),
  )
})

test('IR-19 a search that takes too long is given up', () => {
  const edges = Array.from({ length: 40 }, (_, i) => ({
    from: i === 0 ? source : i + 1,
    to: i === 39 ? sink : i + 2,
    capacity: 40 - i,
  }))
  const problem = { vertices: 41, source, sink, edges }
  assert.is(minimumCut(problem, 20), undefined)
  assert.is(minimumCut(problem)!.filter(Boolean).length, 40)
})

test('IR-19 a long chain of vertices is cut in time that grows with its length', () => {
  const count = 40_000
  // Every vertex would rather be with the source; only the two ends are held by the sink, and each neighbour by its neighbours.
  const edges: CutEdge[] = []
  for (let v = 2; v < count; v++) {
    edges.push({ from: source, to: v, capacity: 5 })
    if (v > 2) edges.push({ from: v, to: v - 1, capacity: 90 }, { from: v - 1, to: v, capacity: 90 })
  }
  edges.push({ from: 2, to: sink, capacity: 70 }, { from: count - 1, to: sink, capacity: 70 })
  const side = minimumCut({ vertices: count, source, sink, edges }, 2e7)
  assert.ok(side?.every((with_, v) => with_ === (v !== sink)))
})

test.run()
