import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph, printKernels, verifyKernels } from '../../compiler/fuse/index.ts'
import type { Builder, Node } from '../../compiler/graph/index.ts'
import type { Target } from '../../compiler/target.ts'
import { interpreter } from '../../targets/interpreter/index.ts'
import { conv, f32, graphOf, relu, weights } from '../support/graphs.ts'
import { targetWith } from '../support/program.ts'

const fused = (make: (b: Builder) => Readonly<Record<string, Node>>, answers: Partial<Target> = {}) => {
  const kernels = fuseGraph(graphOf(make), targetWith(answers))
  verifyKernels(kernels)
  return kernels
}

/** The steps alone, as `name(operands)` in the printed form. */
function stepsOf(make: (b: Builder) => Readonly<Record<string, Node>>, answers: Partial<Target> = {}): string[] {
  const [graph] = printKernels(fused(make, answers)).split('\n\nkernel ')
  return graph!
    .split('\n')
    .filter((line) => / = (?!input|constant)/.test(line) && !line.startsWith('  output'))
    .map((line) => line.replace(/^ *%\d+(, %\d+)* = /, '').replace(/: .*/, ''))
}

test('an anchor takes the elementwise work behind it: bias by channel, residual element by element, scalars as literals', () => {
  const kernels = fused((b) => {
    const x = b.input('x', f32(1, 4, 8, 8))
    const c = b.add(
      'conv',
      { input: x, weight: weights(b, 'w', 4, 4, 1, 1) },
      { stride: [1, 1], before: [0, 0], after: [0, 0], dilation: [1, 1], groups: 1 },
    )
    const shifted = b.add('add', { left: c, right: weights(b, 'shift', 4, 1, 1) })
    return { y: b.add('add', { left: relu(b, shifted), right: x }) }
  })
  assert.is(
    printKernels(kernels),
    `kernels "test"
  %0 = input "x": f32[1, 4, 8, 8]
  %1 = constant "w": f32[4, 4, 1, 1]
  %2 = constant "shift": f32[4, 1, 1]
  %3 = conv_add_maximum_add_1x4x8x8(%0, %1, %2): f32[1, 4, 8, 8]
  output "y" = %3

kernel conv_add_maximum_add_1x4x8x8
  input 0: f32[1, 4, 8, 8]
  input 1: constant f32[4, 4, 1, 1]
  input 2: constant f32[4]
  anchor conv {stride: [1, 1], before: [0, 0], after: [0, 0], dilation: [1, 1], groups: 1} (f32[1, 4, 8, 8], f32[4, 4, 1, 1]): f32[1, 4, 8, 8]
  over [1, 4, 8, 8]
    $0 = anchor: f32
    $1 = load 2 [0, 1, 0, 0]: f32
    $2 = add $0 $1: f32
    $3 = literal 0: f32
    $4 = maximum $2 $3: f32
    $5 = load 0 [256, 64, 8, 1]: f32
    $6 = add $4 $5: f32
  result f32[1, 4, 8, 8]
`,
  )
})

test('LL-20: an elementwise tree and a diamond are one loop, flat where no operand broadcasts', () => {
  const kernels = fused((b) => {
    const [x, y] = [b.input('x', f32(1, 4, 8, 8)), b.input('y', f32(1, 4, 8, 8))]
    const sum = b.add('add', { left: x, right: y })
    return { z: b.add('mul', { left: b.add('exp', { input: sum }), right: b.add('negate', { input: sum }) }) }
  })
  const [step] = kernels.steps
  assert.is(kernels.steps.length, 1)
  assert.ok(step?.kind === 'call')
  assert.is(step.name, 'add_exp_negate_mul_256')
  assert.equal(step.kernel.domain, [256])
  assert.is(step.kernel.steps.length, 6)
})

test('a value that two kernels read is stored once, by the one that has its positions', () => {
  assert.equal(
    stepsOf((b) => {
      const x = b.input('x', f32(2, 8))
      const e = b.add('exp', { input: x })
      return { a: b.add('negate', { input: e }), b: b.add('matmul', { left: e, right: weights(b, 'w', 8, 8) }) }
    }),
    ['exp_negate_16(%0)', 'matmul_2x8(%2, %1)'],
  )
})

const square = (b: Builder, node: Node): Node =>
  b.add('matmul', { left: node, right: weights(b, `w${node.id}`, node.type.shape.at(-1)!, node.type.shape.at(-1)!) })

test('siblings over the same positions become one kernel that loads what both read once', () => {
  const make = (b: Builder) => {
    const x = b.input('x', f32(4, 32))
    return { a: b.add('exp', { input: x }), b: b.add('tanh', { input: x }) }
  }
  assert.equal(stepsOf(make), ['exp_tanh_128(%0)'])
  assert.equal(stepsOf(make, { runsTogether: () => false }), ['exp_128(%0)', 'tanh_128(%0)'])
  const [call] = fused(make).steps
  assert.ok(call?.kind === 'call')
  assert.equal(
    call.kernel.steps.map((step) => step.kind),
    ['load', 'apply', 'apply'],
  )
  assert.equal(
    call.results.map((node) => node.op),
    ['exp', 'tanh'],
  )
})

test('what only one kernel with several results reads never touches memory', () => {
  assert.equal(
    stepsOf((b) => {
      const x = b.input('x', f32(4, 32))
      const shared = b.add('sin', { input: x })
      return { a: b.add('exp', { input: shared }), b: b.add('tanh', { input: shared }) }
    }),
    ['sin_exp_tanh_128(%0)'],
  )
})

test('kernels that wait for each other stay apart', () => {
  assert.equal(
    stepsOf((b) => {
      const x = b.input('x', f32(4, 32))
      const e = b.add('exp', { input: x })
      return { y: b.add('sub', { left: b.add('tanh', { input: square(b, e) }), right: b.add('sin', { input: e }) }) }
    }),
    ['exp_128(%0)', 'matmul_tanh_sin_sub_4x32(%2, %1)'],
  )
  // b reads what a product makes of a: they share x, but cannot run together.
  assert.equal(
    stepsOf((b) => {
      const x = b.input('x', f32(4, 32))
      const a = b.add('exp', { input: x })
      const product = b.add('reduceMax', { input: square(b, a) }, { axes: [0, 1], keepDims: false })
      return { a, y: b.add('sin', { input: b.add('sub', { left: x, right: product }) }) }
    }),
    ['exp_128(%0)', 'matmul_4x32(%2, %1)', 'reduceMax_scalar(%3)', 'sub_sin_128(%0, %4)'],
  )
})

test('an epilogue stores more than one value', () => {
  const make = (b: Builder) => {
    const x = b.input('x', f32(4, 32))
    const sum = b.add('add', { left: square(b, x), right: x })
    return { sum, y: relu(b, sum), z: square(b, sum) }
  }
  assert.equal(stepsOf(make), ['matmul_add_maximum_4x32(%0, %1)', 'matmul_4x32(%3, %2)'])
})

test('cheap values that two anchors would have to wait for are computed in each epilogue, dear ones are not', () => {
  const make = (op: 'negate' | 'erf') => (b: Builder) => {
    const [x, y] = [b.input('x', f32(4, 32)), b.input('y', f32(4, 32))]
    const shared = b.add(op, { input: x })
    const with_ = (node: Node) => b.add('add', { left: square(b, node), right: shared })
    return { a: with_(y), b: with_(b.add('exp', { input: y })) }
  }
  const rates = { ...interpreter.rates, operationsPerSecond: 1e12 }
  const cheap = fused(make('negate'), { rates })
  assert.equal(
    cheap.decisions.filter(({ place }) => place === 'again').map(({ value }) => value.op),
    ['negate'],
  )
  assert.not.ok(
    fused(make('negate'), { rates: { ...rates, operationsPerSecond: 1 } }).decisions.some(({ place }) => place === 'again'),
  )
  assert.not.ok(fused(make('erf'), { rates }).decisions.some(({ place }) => place === 'again'))
})

test('every computed value has one decision, and the printed reasons name what was compared', () => {
  const kernels = fused((b) => {
    const x = b.input('x', f32(4, 32))
    const e = b.add('exp', { input: x })
    return { a: b.add('negate', { input: e }), b: square(b, e) }
  })
  assert.equal(kernels.decisions.map(({ value, place }) => `${value.op} ${place}`).sort(), [
    'exp together',
    'matmul stored',
    'negate together',
  ])
  const text = printKernels(kernels, { reasons: true })
  assert.match(
    text,
    /\n {2}%\d+ exp f32\[4, 32\]: stored with others, matmul reads it dense; one kernel stores 2 values \(\d+ ns, else \d+ ns\)\n/,
  )
  assert.not.match(printKernels(kernels), /reasons/)
})

test('a value that would be computed once per broadcast is stored', () => {
  assert.equal(
    stepsOf((b) => {
      const [x, row] = [b.input('x', f32(64, 8)), b.input('row', f32(8))]
      return { y: b.add('add', { left: x, right: b.add('exp', { input: row }) }) }
    }),
    ['exp_8(%1)', 'add_64x8(%0, %2)'],
  )
})

test('a reduction takes the elementwise work before it and behind it', () => {
  const kernels = fused((b) => {
    const x = b.input('x', f32(4, 8))
    const sum = b.add('reduceSum', { input: b.add('mul', { left: x, right: x }) }, { axes: [1], keepDims: false })
    return { y: b.add('sqrt', { input: sum }) }
  })
  assert.is(
    printKernels(kernels),
    `kernels "test"
  %0 = input "x": f32[4, 8]
  %1 = mul_reduceSum_sqrt_4(%0): f32[4]
  output "y" = %1

kernel mul_reduceSum_sqrt_4
  input 0: f32[32]
  before, over [4, 8]
    $0 = load 0 [8, 1]: f32
    $1 = mul $0 $0: f32
  anchor reduceSum {axes: [1], keepDims: false} (f32[4, 8]): f32[4]
  over [4]
    $0 = anchor: f32
    $1 = sqrt $0: f32
  result f32[4]
`,
  )
})

test('softmax by parts: the exponentials are stored, as sum and quotient both need them', () => {
  assert.equal(
    stepsOf((b) => {
      const x = b.input('x', f32(4, 8))
      const e = b.add('exp', {
        input: b.add('sub', { left: x, right: b.add('reduceMax', { input: x }, { axes: [1], keepDims: true }) }),
      })
      return { y: b.add('div', { left: e, right: b.add('reduceSum', { input: e }, { axes: [1], keepDims: true }) }) }
    }),
    ['reduceMax_4x1(%0)', 'sub_exp_4x8(%0, %1)', 'reduceSum_4x1(%2)', 'div_4x8(%2, %3)'],
  )
})

test('transposes, slices, expansions and reshapes become strides of loads', () => {
  const kernels = fused((b) => {
    const [x, y] = [b.input('x', f32(6, 4)), b.input('y', f32(2, 3))]
    const part = b.add('slice', { input: x }, { start: [5, 1], size: [3, 2], step: [-2, 1] })
    const turned = b.add('transpose', { input: part }, { order: [1, 0] })
    const wide = b.add('expand', { input: b.add('reshape', { input: y }, { shape: [2, 1, 3] }) }, { shape: [2, 5, 3] })
    const sum = b.add('add', { left: b.add('reshape', { input: turned }, { shape: [2, 1, 3] }), right: wide })
    return { z: sum }
  })
  const [step] = kernels.steps
  assert.is(kernels.steps.length, 1)
  assert.ok(step?.kind === 'call')
  // x[5 − 2k, 1 + i] and y[i, k] at (i, j, k).
  assert.equal(step.kernel.domain, [2, 5, 3])
  assert.equal(
    step.kernel.steps.slice(0, 2).map((s) => s.kind === 'load' && s.access),
    [
      { offset: 21, strides: [1, 0, -8] },
      { offset: 0, strides: [3, 0, 1] },
    ],
  )
})

test('a reshape of a transposed tensor is folded where both split into common dimensions, else the transposed tensor is stored', () => {
  const turned = (b: Builder, ...shape: number[]) => {
    const transposed = b.add('transpose', { input: b.input('x', f32(4, 6)) }, { order: [1, 0] })
    return { y: b.add('exp', { input: b.add('reshape', { input: transposed }, { shape }) }) }
  }
  assert.equal(
    stepsOf((b) => turned(b, 3, 8)),
    ['exp_6x4(%0)'],
  )
  assert.equal(
    stepsOf((b) => turned(b, 8, 3)),
    ['relayout_6x4(%0)', 'exp_24(%1)'],
  )
})

test('a value needed at two places of one kernel is stored', () => {
  assert.equal(
    stepsOf((b) => {
      const e = b.add('exp', { input: b.input('x', f32(4, 4)) })
      return { y: b.add('add', { left: e, right: b.add('transpose', { input: e }, { order: [1, 0] }) }) }
    }),
    ['exp_16(%0)', 'add_4x4(%1)'],
  )
})

test('between anchor and movement, elementwise work goes to the anchor', () => {
  assert.equal(
    stepsOf((b) => {
      const x = b.input('x', f32(1, 8, 16))
      const biased = b.add('add', {
        left: b.add('matmul', { left: x, right: weights(b, 'w', 16, 16) }),
        right: weights(b, 'bias', 16),
      })
      const heads = b.add(
        'transpose',
        { input: b.add('reshape', { input: biased }, { shape: [1, 8, 2, 8] }) },
        { order: [0, 2, 1, 3] },
      )
      return { heads }
    }),
    ['matmul_add_1x8x16(%0, %1, %2)', 'relayout_2x8x8(%3)'],
  )
})

test('without an anchor, elementwise work is done while moving', () => {
  assert.equal(
    stepsOf((b) => ({ y: b.add('transpose', { input: b.add('exp', { input: b.input('x', f32(4, 6)) }) }, { order: [1, 0] }) })),
    ['exp_6x4(%0)'],
  )
})

test('LL-08: contiguous slices and reshapes of stored values are views, others are relayouts', () => {
  assert.equal(
    stepsOf((b) => {
      const x = conv(b, b.input('x', f32(1, 4, 8, 8)), 8, 3, 'c')
      const half = (start: number) =>
        b.add('slice', { input: x }, { start: [0, start, 0, 0], size: [1, 4, 8, 8], step: [1, 1, 1, 1] })
      const crop = b.add('slice', { input: x }, { start: [0, 0, 0, 2], size: [1, 8, 8, 4], step: [1, 1, 1, 1] })
      return { a: conv(b, half(0), 2, 3, 'a'), b: conv(b, half(4), 2, 3, 'b'), c: conv(b, crop, 2, 3, 'd') }
    }),
    [
      'conv_1x8x8x8(%0, %1, %2)',
      'relayout_64x4(%9)',
      'view %9',
      'conv_1x2x8x8(%11, %3, %4)',
      'view %9 + 256',
      'conv_1x2x8x8(%13, %5, %6)',
      'conv_1x2x8x4(%10, %7, %8)',
    ],
  )
})

test('of two anchors behind one sum, the later takes it and reads the other', () => {
  assert.equal(
    stepsOf((b) => {
      const x = b.input('x', f32(1, 4, 8, 8))
      return { y: relu(b, b.add('add', { left: conv(b, x, 4, 3, 'a'), right: conv(b, x, 4, 1, 'b') })) }
    }),
    ['conv_1x4x8x8(%0, %1, %2)', 'conv_add_maximum_1x4x8x8(%0, %3, %4, %5)'],
  )
})

test('a constant operand of an anchor is an input apart from loads of the same constant, which stay dense', () => {
  const kernels = fused((b) => {
    const w = weights(b, 'w', 8, 8)
    return { y: b.add('add', { left: b.add('matmul', { left: b.input('x', f32(8, 8)), right: w }), right: w }) }
  })
  const [step] = kernels.steps
  assert.ok(step?.kind === 'call')
  assert.equal(
    step.kernel.inputs.map((input) => input.constant),
    [false, true, true],
  )
  assert.is(step.inputs[1], step.inputs[2])
})

test('the target decides what fuses, and how much', () => {
  const make = (b: Builder) => {
    const x = b.input('x', f32(4, 8))
    const deep = [1, 2, 3, 4, 5].reduce<Node>(
      (value) => b.add('sin', { input: value }),
      b.add('matmul', { left: x, right: weights(b, 'w', 8, 8) }),
    )
    return { y: b.add('reduceSum', { input: deep }, { axes: [1], keepDims: false }) }
  }
  assert.equal(stepsOf(make), ['matmul_4x8(%0, %1)', 'sin_sin_sin_sin_2more_4(%2)'])
  assert.equal(stepsOf(make, { fusesBefore: () => false }), ['matmul_sin_sin_sin_2more_4x8(%0, %1)', 'reduceSum_4(%2)'])
  assert.equal(stepsOf(make, { fusesBefore: () => false, fusesAfter: () => false }), [
    'matmul_4x8(%0, %1)',
    'sin_sin_sin_sin_1more_32(%2)',
    'reduceSum_4(%3)',
  ])
  assert.equal(stepsOf(make, { fusesBefore: () => false, maximumSteps: 3 }), [
    'matmul_sin_4x8(%0, %1)',
    'sin_sin_32(%2)',
    'sin_sin_32(%3)',
    'reduceSum_4(%4)',
  ])
})

test('equal kernels share a name, different ones of equal description do not', () => {
  const kernels = fused((b) => {
    const x = b.input('x', f32(4, 8))
    const power = (node: Node, value: number) => b.add('pow', { left: node, right: b.scalar('f32', value) })
    const after = (node: Node, label: string) => b.add('matmul', { left: node, right: weights(b, label, 8, 8) })
    return {
      y: power(after(power(after(power(x, 2), 'a'), 3), 'b'), 3),
      z: b.add('reshape', { input: power(b.input('x2', f32(2, 16)), 2) }, { shape: [32] }),
    }
  })
  const names = kernels.steps.flatMap((step) => (step.kind === 'call' ? [step.name] : []))
  assert.equal(names, ['pow_32', 'matmul_pow_4x8', 'matmul_pow_4x8', 'pow_32'])
})

test('a kernel keeps the source locations of all it fused', () => {
  const at = (line: number) => ({ kind: 'source', span: { file: 'a.ts', line, column: 1 }, calls: [] }) as const
  const kernels = fused((b) => {
    const x = b.add('exp', { input: b.input('x', f32(4)) }, {}, at(1))
    return { y: b.add('negate', { input: b.add('reshape', { input: x }, { shape: [2, 2] }, at(2)) }, {}, at(3)) }
  })
  const [step] = kernels.steps
  assert.ok(step?.kind === 'call')
  assert.equal(step.locations.map((location) => location.kind === 'source' && location.span.line).sort(), [1, 2, 3])
})

test('empty tensors, scalars, and inputs or constants that are outputs need nothing special', () => {
  assert.equal(
    stepsOf((b) => {
      const none = b.input('none', f32(0, 3))
      const one = b.input('one', f32())
      return {
        none: b.add('exp', { input: none }),
        sum: b.add('reduceSum', { input: none }, { axes: [0], keepDims: false }),
        one,
        double: b.add('add', { left: one, right: one }),
        c: weights(b, 'c', 2),
      }
    }),
    ['exp_0(%0)', 'reduceSum_3(%0)', 'add_scalar(%1)'],
  )
})

test.run()
