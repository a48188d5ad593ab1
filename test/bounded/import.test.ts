// Imported values whose sizes data decides, against the same files with that data known: then all sizes are.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { elementsOf, type Graph, isFloat } from '../../compiler/graph/index.ts'
import { importGraph } from '../../dsl/onnx/import/importGraph.ts'
import { UnsupportedOperators } from '../../dsl/onnx/import/problem.ts'
import type { OnnxNode, OnnxTensor } from '../../dsl/onnx/model.ts'
import { bindConstants } from '../../dsl/onnx/prepare/bind.ts'
import { prepare } from '../../dsl/onnx/prepare/index.ts'
import { runGraph } from '../../targets/interpreter/index.ts'
import { trimmed } from '../../targets/runtime/bounded.ts'
import { onnxGraph, onnxModel, onnxNode, onnxTensor } from '../onnx/build.ts'
import { draw } from '../support/draw.ts'

function mulberry(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const [rows, columns] = [6, 3]
const long = (name: string, ...values: number[]) => onnxTensor(name, 'i64', [values.length], values)
const constants: readonly OnnxTensor[] = [
  ...[-2, -1, 0, 1, 2, 3].map((value) => long(`i${value}`, value)),
  long('big', 2 ** 40),
  long('m1c3', -1, 3),
  long('pick', 0, -1),
  onnxTensor('s0', 'i64', [], [0]),
  onnxTensor('l1', 'i64', [], [1]),
  onnxTensor('zeros', 'f32', [columns], [0, 0, 0]),
  onnxTensor('zero', 'f32', [], [0]),
  onnxTensor('fixed', 'f32', [2, columns], [1, -2, 3, -4, 5, -6]),
  onnxTensor('weights', 'f32', [columns, 2], [1, 2, -1, 0.5, 3, -2]),
  onnxTensor(
    'table',
    'f32',
    [8, 2],
    Array.from({ length: 16 }, (_, i) => i / 4 - 2),
  ),
]

type Pick = <T>(list: readonly T[]) => T
/** Nodes that make `out` of earlier values, most of which suit some shapes alone. */
const steps: readonly ((pick: Pick, value: () => string, out: string) => OnnxNode[])[] = [
  (pick, value, out) => [onnxNode(pick(['Relu', 'Neg', 'Abs', 'Exp', 'Sigmoid', 'Log']), value(), out)],
  (pick, value, out) => [onnxNode(pick(['Add', 'Sub', 'Mul', 'Max']), `${value()}, ${value()}`, out)],
  (_, value, out) => [onnxNode('Transpose', value(), out)],
  (pick, value, out) => [onnxNode('Unsqueeze', `${value()}, ${pick(['i0', 'i1', 'i-1'])}`, out)],
  (pick, value, out) => [onnxNode('Squeeze', `${value()}, ${pick(['i0', 'i1', 'i-1'])}`, out)],
  (pick, value, out) => [
    onnxNode('Concat', `${value()}, ${pick([value(), 'fixed'])}, ${value()}`, out, { axis: pick([0, 1, -1]) }),
  ],
  (pick, value, out) => [onnxNode('Concat', pick([`fixed, ${value()}`, `${value()}, fixed`]), out, { axis: 0 })],
  (pick, value, out) => [
    onnxNode(
      'Slice',
      `${value()}, ${pick(['i0', 'i1', 'i-2'])}, ${pick(['i2', 'i-1', 'big'])}, ${pick(['i0', 'i-1'])}, ${pick(['i1', 'i2'])}`,
      out,
    ),
  ],
  (pick, value, out) => [onnxNode('Gather', `${value()}, ${pick(['pick', 's0'])}`, out, { axis: pick([0, 1, -1]) })],
  (pick, value, out) => [
    onnxNode(
      pick(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL2', 'ReduceLogSumExp']),
      `${value()}, ${pick(['i0', 'i1', 'i-1'])}`,
      out,
      {
        keepdims: pick([0, 1]),
      },
    ),
  ],
  (pick, value, out) => [onnxNode(pick(['Softmax', 'LogSoftmax']), value(), out, { axis: pick([0, -1]) })],
  (pick, value, out) => [onnxNode('Reshape', `${value()}, ${pick(['i-1', 'm1c3'])}`, out)],
  (pick, value, out) => [onnxNode('Flatten', value(), out, { axis: pick([0, 1, 2]) })],
  (pick, value, out) => [onnxNode('CumSum', `${value()}, s0`, out, { reverse: pick([0, 1]), exclusive: pick([0, 1]) })],
  (_, value, out) => [onnxNode('MatMul', `${value()}, ${value()}`, out)],
  (pick, value, out) => [onnxNode('MatMul', pick([`${value()}, weights`, `fixed, ${value()}`]), out)],
  (pick, value, out) => {
    const x = value()
    return [
      onnxNode('Shape', x, `${out}.s`),
      onnxNode('Gather', `${out}.s, i0`, `${out}.n`),
      onnxNode('Min', `${out}.n, i2`, `${out}.k`),
      onnxNode('TopK', `${x}, ${out}.k`, pick([`${out}, ${out}.i`, `${out}.v, ${out}.l`]), { axis: 0, largest: pick([0, 1]) }),
      ...(pick([true, false]) ? [] : [onnxNode('Identity', `${out}.i`, `${out}.j`)]),
    ]
  },
  (pick, value, out) => {
    const x = value()
    return [
      onnxNode('Greater', `${x}, zero`, `${out}.c`),
      onnxNode('NonZero', `${out}.c`, `${out}.z`),
      onnxNode('Transpose', `${out}.z`, `${out}.t`),
      onnxNode('GatherND', `${x}, ${out}.t`, pick([out, `${out}.g`])),
      onnxNode('ScatterND', `${x}, ${out}.t, ${out}.u`, `${out}.w`),
    ].slice(0, 4)
  },
  (_, value, out) => {
    const x = value()
    return [
      onnxNode('Greater', `${x}, zero`, `${out}.c`),
      onnxNode('NonZero', `${out}.c`, `${out}.z`),
      onnxNode('Transpose', `${out}.z`, `${out}.t`),
      onnxNode('GatherND', `${x}, ${out}.t`, `${out}.g`),
      onnxNode('Neg', `${out}.g`, `${out}.u`),
      onnxNode('ScatterND', `${x}, ${out}.t, ${out}.u`, out),
    ]
  },
  (pick, value, out) => [
    onnxNode('Shape', value(), `${out}.s`),
    onnxNode('ConstantOfShape', `${out}.s`, `${out}.z`),
    onnxNode('Add', `${out}.z, ${pick(['zero', value()])}`, out),
  ],
  (_, value, out) => [
    onnxNode('Shape', value(), `${out}.s`),
    onnxNode('Slice', `${out}.s, i0, i1`, `${out}.n`),
    onnxNode('Slice', `x, i0, ${out}.n`, out),
  ],
  (pick, value, out) => [
    onnxNode('Greater', `${value()}, zero`, `${out}.c`),
    onnxNode('Where', `${out}.c, ${value()}, ${pick(['zero', value()])}`, out),
  ],
  (_, value, out) => [
    onnxNode('Greater', `${value()}, zero`, `${out}.c`),
    onnxNode('Compress', `${value()}, ${out}.c`, out, { axis: 0 }),
  ],
  (pick, value, out) => {
    const parts = [out, `${out}.b`]
    return [
      onnxNode('Split', value(), (pick([true, false]) ? parts : parts.toReversed()).join(', '), {
        axis: pick([0, 1]),
        num_outputs: 2,
      }),
    ]
  },
  (pick, value, out) => [
    pick([true, false])
      ? onnxNode('Unique', value(), pick([out, `${out}.y, ${out}`, `${out}.y, , ${out}`, `${out}.y, , , ${out}`]))
      : onnxNode('Unique', value(), out, { axis: pick([0, 1]) }),
  ],
  (_, value, out) => [
    onnxNode('Shape', value(), `${out}.s`),
    onnxNode('Slice', `${out}.s, i1, i2`, `${out}.m`),
    onnxNode('Concat', `${out}.m, i-1`, `${out}.r`, { axis: 0 }),
    onnxNode('Reshape', `${value()}, ${out}.r`, out),
  ],
]

interface Imported {
  readonly graph: Graph
  readonly outputs: readonly { readonly onnx: string; readonly name: string }[]
}

async function imported(
  nodes: readonly OnnxNode[],
  outputs: readonly string[],
  keep: readonly number[] | undefined,
  limits?: Readonly<Record<string, number>>,
): Promise<Imported> {
  const model = onnxModel(
    {
      inputs: { x: ['f32', [rows, columns]], keep: ['i32', [rows]] },
      constants: [...constants],
      nodes: [
        onnxNode('Cast', 'keep', 'kept', { to: 9 }),
        onnxNode('Compress', 'x, kept', 'v0', { axis: 0 }),
        onnxNode('Compress', 'x, kept', 'v1', { axis: 0 }),
        ...nodes,
      ],
      outputs: [...outputs],
    },
    18,
  )
  const { graph, outputs: names } = await importGraph(
    prepare(keep ? bindConstants(model, { keep }) : model),
    limits && { limits },
  )
  return { graph: graph.entries[0]!.graph, outputs: names }
}

interface Seen {
  readonly shape: readonly number[]
  readonly values: readonly number[]
  readonly isExact: boolean
}

function computed({ graph, outputs }: Imported, inputs: Readonly<Record<string, Uint8Array>>): Seen[] {
  const given = Object.fromEntries(
    graph.inputs.map(({ attributes }) => [attributes.name as string, inputs[attributes.name as string]!]),
  )
  const results = runGraph(graph, given)
  const whole = graph.outputs.map(({ name, value: { type } }) => {
    const elements = elementsOf(type.dtype, results[name]!)
    return [name, { data: Float64Array.from({ length: elements.length }, (_, i) => elements.get(i)), shape: type.shape }] as const
  })
  const filled = trimmed(Object.fromEntries(whole))
  return outputs.map(({ name }) => {
    const { data, shape } = filled[name]!
    const { dtype } = graph.outputs.find((output) => output.name === name)!.value.type
    return { shape: [...shape], values: Array.from(data, Number), isExact: !isFloat(dtype) }
  })
}

/** Undefined where the file is none: sizes that do not fit, an index into nothing. */
async function attempt<T>(step: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await step()
  } catch (error) {
    const name = (error as Error).name
    if (error instanceof UnsupportedOperators || name === 'EvaluationFault' || name === 'ModelProblem') return undefined
    throw error
  }
}

test('IM-07 what stands behind the part that is filled never counts', async () => {
  const { seed, numRuns } = draw(9, 12)
  let [followed, compared] = [0, 0]
  for (let run = 0; run < numRuns; run++) {
    const random = mulberry(seed * 1000 + run)
    const pick: Pick = (list) => list[Math.floor(random() * list.length)]!
    const x = onnxTensor(
      'x',
      'f32',
      [rows, columns],
      Array.from({ length: rows * columns }, () => Math.round(random() * 32 - 16) / 8),
    )
    const keeps = [0, 1, 2, 3].map((k) =>
      Array.from({ length: rows }, (_, i) => (k === 0 ? (i === 1 ? 1 : 0) : k === 1 ? 1 : Number(random() < 0.5))),
    )
    const nodes: OnnxNode[] = []
    const values = ['v0', 'v1']
    const bytesOf = (keep: readonly number[]) => ({
      x: x.read() as Uint8Array,
      keep: new Uint8Array(Int32Array.from(keep).buffer),
    })
    for (let tried = 0; tried < 14 && values.length < 9; tried++) {
      const out = `o${tried}`
      const made = pick(steps)(pick, () => pick(values.slice(-4)), out)
      const result = made.flatMap(({ outputs }) => outputs).includes(out) ? out : undefined
      if (!result) continue
      // A file that is right for this data.
      const next = [...nodes, ...made]
      if (!(await attempt(() => imported(next, [result], keeps[2])))) continue
      const open = await attempt(() => imported(next, [result], undefined))
      if (!open) continue
      nodes.push(...made)
      values.push(result)
      followed++
    }
    const outputs = values.slice(2)
    if (outputs.length === 0) continue
    const open = await imported(nodes, outputs, undefined)
    for (const keep of keeps) {
      const known = await attempt(async () => computed(await imported(nodes, outputs, keep), bytesOf(keep)))
      // Without the data, errors of sizes are found when the model runs, or not: nothing is promised then.
      if (!known) continue
      const found = computed(open, bytesOf(keep))
      for (const [i, { shape, values: wanted, isExact }] of known.entries()) {
        const text = `run ${run}, seed ${seed}, keep ${keep}, ${outputs[i]} of ${nodes.map(({ op, inputs, outputs }) => `${outputs} = ${op}(${inputs})`).join('; ')}`
        assert.equal(found[i]!.shape, shape, text)
        for (const [k, value] of wanted.entries()) {
          const other = found[i]!.values[k]!
          const near = isExact ? 0 : 1e-5 + 1e-4 * Math.abs(value)
          assert.ok(
            Object.is(other, value) || other === value || Math.abs(other - value) <= near,
            `${other} and not ${value}: ${text}`,
          )
        }
        compared++
      }
    }
  }
  assert.ok(followed > 2 * numRuns && compared > 5 * numRuns, `${followed} steps were followed, ${compared} outputs compared`)
})

/** `If` over branches of other sizes, of which one is what data picks. */
const branches = (cond: string) => [
  onnxNode('ReduceMax', cond, 'top', { keepdims: 0 }),
  onnxNode('Greater', 'top, zero', 'is'),
  onnxNode('If', 'is', 'o0', {
    then_branch: onnxGraph({ nodes: [onnxNode('Neg', 'v0', 'a')], outputs: ['a'] }),
    else_branch: onnxGraph({ nodes: [onnxNode('Identity', 'fixed', 'b')], outputs: ['b'] }),
  }),
  onnxNode('ReduceSum', 'o0, i0', 'o1', { keepdims: 0 }),
]

test('an If gives what its branch does, as large as that is', async () => {
  for (const sign of [1, -1]) {
    const values = Array.from({ length: rows * columns }, (_, i) => sign * (1 + i))
    const x = onnxTensor('x', 'f32', [rows, columns], values).read()
    const keep = [1, 0, 1, 0, 0, 1]
    const inputs = { x, keep: new Uint8Array(Int32Array.from(keep).buffer) }
    const [all, sum] = computed(await imported(branches('x'), ['o0', 'o1'], undefined), inputs)
    const taken = keep.flatMap((kept, row) =>
      kept ? [values.slice(row * columns, row * columns + columns).map((value) => -value)] : [],
    )
    const wanted =
      sign > 0
        ? taken
        : [
            [1, -2, 3],
            [-4, 5, -6],
          ]
    assert.equal([all!.shape, all!.values], [[wanted.length, columns], wanted.flat()])
    assert.equal(
      sum!.values,
      [0, 1, 2].map((column) => wanted.reduce((total, row) => total + row[column]!, 0)),
    )
  }
})

/** A body that takes a value of which data decides how much is filled, carries one, and keeps one of each turn. */
const summing = onnxGraph({
  inputs: { i: ['i64', []], c: ['bool', []], s: ['f32', [columns]], v: ['f32', ['n', columns]] },
  nodes: [
    onnxNode('ReduceSum', 'v, i0', 't', { keepdims: 0 }),
    onnxNode('Add', 's, t', 's2'),
    onnxNode('Mul', 'v, v0', 'n'),
    onnxNode('ReduceMean', 'v0, i1', 'k', { keepdims: 0 }),
    onnxNode('Identity', 'c', 'c2'),
  ],
  outputs: ['c2', 's2', 'n', 'k'],
})
/** Keeps the rows whose first element is above the number of the turn: fewer from turn to turn. */
const dropping = onnxGraph({
  inputs: { i: ['i64', []], c: ['bool', []], v: ['f32', ['n', columns]] },
  nodes: [
    onnxNode('Gather', 'v, s0', 'a', { axis: 1 }),
    onnxNode('Cast', 'i', 'f', { to: 1 }),
    onnxNode('Greater', 'a, f', 'g'),
    onnxNode('Compress', 'v, g', 'n', { axis: 0 }),
    onnxNode('Identity', 'c', 'c2'),
  ],
  outputs: ['c2', 'n'],
})
/** One row more in each turn. */
const growing = onnxGraph({
  inputs: { i: ['i64', []], c: ['bool', []], v: ['f32', ['n', columns]] },
  nodes: [
    onnxNode('ReduceSum', 'v, i0', 't', { keepdims: 1 }),
    onnxNode('Concat', 'v, t', 'n', { axis: 0 }),
    onnxNode('Identity', 'c', 'c2'),
  ],
  outputs: ['c2', 'n'],
})
const step = onnxGraph({
  inputs: { s: ['f32', [columns]], r: ['f32', [columns]] },
  nodes: [onnxNode('Add', 's, r', 'n'), onnxNode('Mul', 'n, r', 'k')],
  outputs: ['n', 'k'],
})
const longSide = (first: string, last: string) =>
  Array.from({ length: 9 }, (_, i) =>
    onnxNode(i === 0 ? first : 'Abs', i === 0 ? 'v0' : `${last}${i - 1}`, i === 8 ? last : `${last}${i}`),
  )

/** Turns that data decides, 2 of them. */
const turns = [
  onnxNode('ReduceMax', 'keep', 'km', { keepdims: 0 }),
  onnxNode('Cast', 'km', 'k1', { to: 7 }),
  onnxNode('Add', 'k1, l1', 'turns'),
]
const bodies: Readonly<
  Record<string, { readonly nodes: OnnxNode[]; readonly outputs: string[]; readonly limits?: Record<string, number> }>
> = {
  'a loop takes, carries and keeps': {
    nodes: [...turns, onnxNode('Loop', 'turns, , zeros, v0', 'o0, o1, o2', { body: summing })],
    outputs: ['o0', 'o1', 'o2'],
    limits: { o2: 4 },
  },
  'a loop carries what becomes less': {
    nodes: [...turns, onnxNode('Loop', 'turns, , v0', 'o0', { body: dropping })],
    outputs: ['o0'],
  },
  'a loop carries what becomes more': {
    nodes: [...turns, onnxNode('Loop', 'turns, , v0', 'o0', { body: growing })],
    outputs: ['o0'],
    limits: { o0: 9 },
  },
  'as many turns as data picks': {
    nodes: [
      onnxNode('Shape', 'v0', 'sh'),
      onnxNode('Gather', 'sh, s0', 'count', { axis: 0 }),
      onnxNode('Loop', 'count, , zeros', 'o0, o1', {
        body: onnxGraph({
          inputs: { i: ['i64', []], c: ['bool', []], s: ['f32', [columns]] },
          nodes: [onnxNode('Gather', 'v0, i', 'r', { axis: 0 }), onnxNode('Add', 's, r', 'n'), onnxNode('Identity', 'c', 'c2')],
          outputs: ['c2', 'n', 'r'],
        }),
      }),
    ],
    outputs: ['o0', 'o1'],
  },
  'a scan along what data picks': {
    nodes: [onnxNode('Scan', 'zeros, v0', 'o0, o1', { body: step, num_scan_inputs: 1 })],
    outputs: ['o0', 'o1'],
  },
  'a scan from the end': {
    nodes: [
      onnxNode('Scan', 'zeros, v0', 'o0, o1', {
        body: step,
        num_scan_inputs: 1,
        scan_input_directions: [1],
        scan_output_directions: [1],
        scan_output_axes: [1],
      }),
    ],
    outputs: ['o0', 'o1'],
  },
  'a scan across what data picks': {
    nodes: [
      onnxNode('Scan', 'v0', 'o0', {
        body: onnxGraph({ inputs: { r: ['f32', ['n']] }, nodes: [onnxNode('Exp', 'r', 'k')], outputs: ['k'] }),
        num_scan_inputs: 1,
        scan_input_axes: [1],
      }),
    ],
    outputs: ['o0'],
  },
  'a branch of long sides': {
    nodes: [
      onnxNode('ReduceMax', 'x', 'top', { keepdims: 0 }),
      onnxNode('Greater', 'top, zero', 'is'),
      onnxNode('If', 'is', 'o0, o1', {
        then_branch: onnxGraph({
          nodes: [...longSide('Neg', 'a'), onnxNode('Concat', 'a, a', 'long', { axis: 0 })],
          outputs: ['a', 'long'],
        }),
        else_branch: onnxGraph({
          nodes: [...longSide('Identity', 'b'), onnxNode('Identity', 'fixed', 'other')],
          outputs: ['b', 'other'],
        }),
      }),
    ],
    outputs: ['o0', 'o1'],
  },
}

for (const [name, { nodes, outputs, limits }] of Object.entries(bodies))
  test(`${name}: as it is where the data is known`, async () => {
    const open = await imported(nodes, outputs, undefined, limits)
    // Three steps are written out.
    assert.is(
      open.graph.nodes.some(({ op }) => op === 'loop' || op === 'branch'),
      !name.startsWith('a scan across'),
    )
    for (const sign of [1, -1])
      for (const keep of [
        [1, 0, 1, 0, 0, 1],
        [1, 1, 1, 1, 1, 1],
        [0, 0, 0, 1, 0, 0],
      ]) {
        const x = onnxTensor(
          'x',
          'f32',
          [rows, columns],
          Array.from({ length: rows * columns }, (_, i) => (sign * (1 + ((i * 5) % 7))) / 4),
        ).read()
        const inputs = { x: x as Uint8Array, keep: new Uint8Array(Int32Array.from(keep).buffer) }
        const wanted = computed(await imported(nodes, outputs, keep, limits), inputs)
        const found = computed(open, inputs)
        for (const [i, { shape, values }] of wanted.entries()) {
          assert.equal(found[i]!.shape, shape, outputs[i])
          for (const [k, value] of values.entries())
            assert.ok(
              Math.abs(found[i]!.values[k]! - value) <= 1e-5 + 1e-5 * Math.abs(value),
              `${found[i]!.values} and not ${values}`,
            )
        }
      }
  })

test('a carried value that becomes longer needs to be told how long, and no longer', async () => {
  const { nodes, outputs } = bodies['a loop carries what becomes more']!
  try {
    await imported(nodes, outputs, undefined)
    assert.unreachable()
  } catch (error) {
    assert.match((error as Error).message, /becomes?|before a turn .* behind it.*--limit o0=64 says how long it may become/)
  }
  const tight = await imported(nodes, outputs, undefined, { o0: 4 })
  const x = new Uint8Array(4 * rows * columns)
  assert.throws(() => computed(tight, { x, keep: new Uint8Array(Int32Array.of(1, 1, 1, 1, 0, 0).buffer) }), /index/)
  assert.equal(computed(tight, { x, keep: new Uint8Array(Int32Array.of(1, 1, 0, 0, 0, 0).buffer) })[0]!.shape, [4, columns])
})

test('what cannot be followed is refused: sizes that are not one, operators without a rule for it', async () => {
  const refused = async (nodes: OnnxNode[]) => {
    try {
      await imported(nodes, ['o0'], undefined)
      return 'imported'
    } catch (error) {
      assert.instance(error, UnsupportedOperators, String((error as Error).stack))
      return (error as Error).message
    }
  }
  const first = [
    onnxNode('Gather', 'weights, s0', 'w0', { axis: 1 }),
    onnxNode('Shape', 'keep', 'ks'),
    onnxNode('ReduceMax', 'keep', 'km', { keepdims: 1 }),
  ]
  assert.match(await refused([onnxNode('Add', 'v0, x', 'o0')]), 'whose sizes data decides')
  assert.match(await refused([onnxNode('Det', 'v0', 'o0')]), 'Det over a value whose size data decides is not supported')
  assert.match(await refused([...first, onnxNode('Range', 's0, km, i1', 'o0')]), '--limit km=100 says the most')
})

test.run()
