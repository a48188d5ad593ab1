// Loops, scans and branches: against the closed forms of what they compute.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ModelProblem, printGraph } from '../../compiler/graph/index.ts'
import {
  add,
  branch,
  cast,
  constant,
  div,
  exp,
  full,
  gather,
  greater,
  loop,
  mul,
  reshape,
  scan,
  sub,
  sum,
  type Tensor,
} from '../../dsl/index.ts'
import { extractModule } from '../../plugin/extract/index.ts'
import { run } from './run.ts'

type Any = Tensor<any, any>

test('a loop carries values, keeps of each turn what it is told, and says how many turns there were (ONNX Loop)', () => {
  const given = { x: { shape: [2], values: [2, 9] }, 'count:i64': { shape: [], values: [3] } }
  const { root, all, turns, none } = run(given, ({ x, count }) => {
    // Newton's iteration for the square root.
    const result = loop({ count: count as Any, carried: [x!], limit: 4 }, (_, [y]) => {
      const next = mul(add(y, div(x!, y)), 0.5) as Any
      return { carried: [next], kept: [next] }
    })
    const never = loop({ carried: [x!], condition: constant('bool', [], [0]) as Any }, (_, [y]) => ({ carried: [add(y, 1)] }))
    return { root: result.carried[0], all: result.kept[0] as Any, turns: result.turns, none: never.carried[0] }
  })
  assert.equal(turns!.values, [3])
  assert.equal(all!.shape, [4, 2])
  assert.equal(all!.values.slice(6), [0, 0])
  assert.ok(Math.abs(root!.values[0]! - Math.SQRT2) < 1e-5)
  assert.equal(root!.values, all!.values.slice(4, 6))
  assert.equal(none!.values, [2, 9])
})

test('a loop ends where its body says so, and loops stand in loops', () => {
  const { total, turns } = run({ x: { shape: [], values: [1] } }, ({ x }) => {
    const result = loop({ carried: [x!] }, (turn, [y]) => {
      const inner = loop({ count: 2, carried: [y] }, (_, [z]) => ({ carried: [add(z, cast(turn, 'f64'))] }))
      return { carried: [inner.carried[0]], proceed: greater(20, inner.carried[0]) as Any }
    })
    return { total: result.carried[0], turns: result.turns }
  })
  // 1 + 2 · (0 + 1 + 2 + 3 + 4)
  assert.equal([total!.values, turns!.values], [[21], [5]])
})

test('a scan walks along a dimension, forwards and backwards (ONNX Scan)', () => {
  const given = { x: { shape: [2, 3], values: [1, 2, 3, 4, 5, 6] } }
  const { forward, backward, last } = run(given, ({ x }) => {
    const step = ([column]: readonly Any[], [total]: readonly Any[]) => {
      const next = add(total!, column!) as Any
      return { carried: [next], kept: [next] }
    }
    const zero = full('f64', [2], 0)
    const ahead = scan([x!], { carried: [zero], axis: 1 }, step as any) as any
    const back = scan([x!], { carried: [zero], axis: 1, reverse: true }, step as any) as any
    return { forward: ahead.kept[0], backward: back.kept[0], last: ahead.carried[0] }
  })
  assert.equal(forward!.values, [1, 3, 6, 4, 9, 15])
  assert.equal(backward!.values, [6, 5, 3, 15, 11, 6])
  assert.equal(last!.values, [6, 15])
})

test('a branch computes the side that its condition names (ONNX If)', () => {
  const sides = (x: Any, condition: Any) =>
    branch(
      condition,
      () => [exp(x), sum(x)],
      () => [sub(x, 1), reshape(gather(x, constant('i64', [1], [0])), [])],
    )
  for (const [flag, expected] of [
    [1, [1, 0]],
    [0, [-1, 0]],
  ] as const) {
    const { a, b } = run({ x: { shape: [1], values: [0] }, 'c:bool': { shape: [], values: [flag] } }, ({ x, c }) => {
      const [a, b] = sides(x as Any, c as Any)
      return { a: a as Any, b: b as Any }
    })
    assert.equal([a!.values[0], b!.values[0]], expected)
  }
})

test('mistakes are named', () => {
  const fails = (make: (x: Any) => Any) => () => run({ x: { shape: [2], values: [1, 2] } }, ({ x }) => ({ y: make(x as Any) }))
  assert.throws(
    fails((x) => loop({ count: 2, carried: [x] }, () => ({})).carried[0]),
    /returns 0 carried values, 1 are carried/,
  )
  assert.throws(
    fails((x) => loop({ count: 2, carried: [x] }, (_, [y]) => ({ carried: [sum(y) as Any] })).carried[0]),
    /body output 1 is f64\[\], expected f64\[2\]/,
  )
  assert.throws(
    fails((x) => loop({ carried: [x] }, (_, [y]) => ({ carried: [y], kept: [y] })).kept[0]),
    /state limit/,
  )
  assert.throws(
    fails(
      (x) =>
        branch(
          greater(sum(x), 0) as Any,
          () => [x],
          () => [sum(x) as Any],
        )[0],
    ),
    /output of the second side/,
  )
  assert.throws(
    fails(() => scan([], {}, () => ({})) as any),
    /at least one sequence/,
  )
})

test('odd arguments end in a problem or a result, never in a crash', () => {
  const odd = [undefined, null, 0, -1, Number.NaN, 'x', [], [[]], {}, () => 0, () => undefined, new Proxy({}, {})]
  run({ x: { shape: [2], values: [1, 2] } }, ({ x }) => {
    const calls: Record<string, readonly unknown[]> = {
      loop: [{ count: 2, carried: [x] }, (_: unknown, values: unknown) => ({ carried: values })],
      scan: [[x], { axis: 0 }, (items: unknown) => ({ kept: items })],
      branch: [constant('bool', [], [1]), () => [x], () => [x], {}],
    }
    for (const [name, args] of Object.entries(calls))
      for (const at of args.keys())
        for (const value of odd) {
          const written = args.map((argument, i) => (i === at ? value : argument))
          try {
            ;(({ loop, scan, branch }) as any)[name](...written)
          } catch (problem) {
            assert.instance(problem, ModelProblem, `${name} ${at} ${String(problem)}`)
          }
        }
    return { y: x! }
  })
})

test('a model file with bodies reads as it runs', async () => {
  const source = `import { add, branch, greater, loop, model, mul, scan, sum, tensor } from 'glowplug'
const step = (x) => mul(x, 0.5)
export default model({
  name: 'looping',
  inputs: { x: tensor('f32', [3, 2]), count: tensor('i64', []) },
  forward({ x, count }) {
    const { carried: [y], turns } = loop({ count, carried: [x] }, (turn, [value]) => {
      const [half] = branch(greater(sum(value), 1), () => [step(value)], () => [value])
      return { carried: [half] }
    })
    const { kept: [sums] } = scan([y], { carried: [sum(x, { axes: [0] })] }, ([row], [total]) => {
      const next = add(total, row)
      return { carried: [next], kept: [next] }
    })
    return { sums, turns }
  },
})`
  const file = `${process.env.GLOWPLUG_ROOT}/test/dsl/looping.model.ts`
  const { models, diagnostics } = await extractModule(file, { root: process.env.GLOWPLUG_ROOT!, source })
  assert.equal(
    diagnostics.map(({ message }) => message),
    [],
  )
  const text = printGraph(models[0]!.model!.entries[0]!.graph)
  assert.match(text, /= branch\(/)
  assert.match(text, /= loop\(.*\) \{carried: 1, limit: 3\}/)
})

test.run()
