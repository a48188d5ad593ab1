import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph } from '../../compiler/fuse/index.ts'
import type { Builder, Node } from '../../compiler/graph/index.ts'
import {
  elideCopies,
  type InstructionList,
  printInstructions,
  selectInstructions,
  shareInPlace,
  verifyInstructions,
} from '../../compiler/instructions/index.ts'
import type { Target } from '../../compiler/target.ts'
import { conv, f32, graphOf, weights } from '../support/graphs.ts'
import { targetWith } from '../support/program.ts'

type Make = (b: Builder) => Readonly<Record<string, Node>>

function selected(make: Make, answers: Partial<Target> = {}): InstructionList {
  const target = targetWith(answers)
  const list = selectInstructions(fuseGraph(graphOf(make), target), target)
  verifyInstructions(list)
  return list
}

function verified(list: InstructionList): InstructionList {
  verifyInstructions(list)
  return list
}

/** The instructions without the buffers and their numbers. */
const bodyOf = (list: InstructionList): string[] =>
  printInstructions(list)
    .split('\n\n')[1]!
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^ *\d+: /, ''))

const square = (b: Builder, name: string) => b.input(name, f32(4, 4))
const product = (b: Builder, left: Node, right: Node) => b.add('matmul', { left, right })

test('LL-01 LL-02: every value has a buffer of its own, every output a copy, every operand a qualifier', () => {
  const list = selected((b) => {
    const x = square(b, 'x')
    const y = product(b, x, weights(b, 'w', 4, 4))
    return { y, z: product(b, y, y) }
  })
  assert.is(
    printInstructions(list),
    `instructions "test"
  %0 = input "x": f32[4, 4], 64 bytes
  %1 = output "y": f32[4, 4], 64 bytes
  %2 = output "z": f32[4, 4], 64 bytes
  %3 = activation "matmul_4x4": f32[4, 4], 64 bytes
  %4 = constant "w": f32[4, 4], 64 bytes
  %5 = activation "matmul_4x4_2": f32[4, 4], 64 bytes

  0: alloc %3
  1: call matmul_4x4 @in %0, @in %4, @out %3
  2: copy @in %3, @out %1: 64 bytes
  3: alloc %5
  4: call matmul_4x4_2 @in %3, @in %3, @out %5
  5: copy @in %5, @out %2: 64 bytes
  6: dealloc %3
  7: dealloc %5
`,
  )
})

test('outputs are written by their kernels, and read by others from there', () => {
  const list = selected((b) => {
    const y = product(b, square(b, 'x'), weights(b, 'w', 4, 4))
    return { y, z: product(b, y, y) }
  })
  assert.equal(bodyOf(verified(elideCopies(list))), [
    'call matmul_4x4 @in %0, @in %4, @out %3',
    'call matmul_4x4_2 @in %3, @in %3, @out %5',
  ])
})

test('an input, a constant, and a second name of an output are copied', () => {
  const list = selected((b) => {
    const x = square(b, 'x')
    const y = product(b, x, x)
    return { x, w: weights(b, 'w', 2), y, again: y }
  })
  assert.equal(bodyOf(verified(elideCopies(list))), [
    'copy @in %0, @out %1: 64 bytes',
    'copy @in %5, @out %2: 8 bytes',
    'call matmul_4x4 @in %0, @in %0, @out %6',
    'copy @in %6, @out %4: 64 bytes',
  ])
})

const joinAlong =
  (axis: number): Make =>
  (b) => {
    const x = square(b, 'x')
    const parts = ['p', 'q'].map((name) => product(b, x, weights(b, name, 4, 4)))
    const joined = b.add('concat', { inputs: parts }, { axis })
    return { y: product(b, joined, weights(b, 'after', joined.type.shape[1]!, 2)) }
  }

test('LL-07: parts along the outermost axis are produced in their places', () => {
  const list = selected(joinAlong(0))
  assert.equal(bodyOf(list), [
    'alloc %2',
    'call matmul_4x4 @in %0, @in %3, @out %2',
    'alloc %4',
    'call matmul_4x4 @in %0, @in %5, @out %4',
    'alloc %6',
    'copy @in %2, @out %7: 64 bytes',
    'copy @in %4, @out %8: 64 bytes',
    'dealloc %2',
    'dealloc %4',
    'alloc %9',
    'call matmul_8x2 @in %6, @in %10, @out %9',
    'copy @in %9, @out %1: 64 bytes',
    'dealloc %6',
    'dealloc %9',
  ])
  const elided = verified(elideCopies(list))
  assert.equal(bodyOf(elided), [
    'alloc %6',
    'call matmul_4x4 @in %0, @in %3, @out %2',
    'call matmul_4x4 @in %0, @in %5, @out %4',
    'call matmul_8x2 @in %6, @in %10, @out %9',
    'dealloc %6',
  ])
  const places = [...elided.buffers.values()].flatMap((buffer) =>
    buffer.kind === 'view' ? [[buffer.id, buffer.of, buffer.offset]] : [],
  )
  assert.equal(places, [
    [2, 6, 0],
    [4, 6, 64],
    [9, 1, 0],
  ])
})

test('LL-07: parts along an inner axis are stored in rows by their kernels, where the target does that', () => {
  const elided = verified(elideCopies(selected(joinAlong(1)), targetWith()))
  assert.equal(bodyOf(elided), [
    'alloc %6',
    'call matmul_4x4_rows8 @in %0, @in %3, @out %7',
    'call matmul_4x4_rows8 @in %0, @in %5, @out %8',
    'call matmul_4x2 @in %6, @in %10, @out %9',
    'dealloc %6',
  ])
  const stored = elided.instructions.flatMap((instruction) =>
    instruction.kind === 'call' ? instruction.kernel.results.map((result) => result.rows) : [],
  )
  assert.equal(stored, [{ length: 4, stride: 8 }, { length: 4, stride: 8 }, undefined])
})

const notInRows: Readonly<Record<string, { readonly make: Make; readonly answers?: Partial<Target> }>> = {
  'a target that does not store rows': { make: joinAlong(1), answers: { storesRows: () => false } },
  'a kernel that would need other working storage': {
    make: joinAlong(1),
    answers: { scratch: (kernel) => (kernel.results.some((result) => result.rows) ? 64 : 0) },
  },
  'a part that another kernel reads dense': {
    make: (b) => {
      const x = square(b, 'x')
      const part = product(b, x, weights(b, 'p', 4, 4))
      return { y: b.add('concat', { inputs: [part, x] }, { axis: 1 }), z: product(b, part, part) }
    },
  },
}

for (const [name, { make, answers = {} }] of Object.entries(notInRows)) {
  test(`LL-07: not stored in rows: ${name}`, () => {
    const elided = verified(elideCopies(selected(make, answers), targetWith(answers)))
    assert.not(elided.instructions.some((i) => i.kind === 'call' && i.kernel.results.some((result) => result.rows)))
    assert.is(elided.instructions.filter((instruction) => instruction.kind === 'copy').length, 2)
  })
}

test('LL-07: the dimensions of an elementwise kernel are parted where its rows begin', () => {
  const list = selected((b) => {
    const parts = ['a', 'b'].map((name) => b.add('exp', { input: b.input(name, f32(2, 3, 4)) }))
    return { y: b.add('concat', { inputs: parts }, { axis: 1 }) }
  })
  const domains = (of: InstructionList) => of.instructions.flatMap((i) => (i.kind === 'call' ? [i.kernel.domain] : []))
  assert.equal(domains(list), [[24], [24]])
  assert.equal(domains(verified(elideCopies(list, targetWith()))), [
    [2, 12],
    [2, 12],
  ])
})

test('LL-06: a store goes when all of it is written again in parts before anybody reads it', () => {
  const list = selected((b) => {
    const parts = ['p', 'q'].map((name) => product(b, square(b, 'x'), weights(b, name, 4, 4)))
    const joined = b.add('concat', { inputs: parts }, { axis: 0 })
    return { y: product(b, joined, weights(b, 'after', 4, 2)) }
  })
  const elided = elideCopies(list)
  const [alloc, first, second, ...rest] = elided.instructions
  // The same two parts are written twice.
  const again = { ...elided, instructions: [alloc!, second!, first!, first!, second!, ...rest] }
  verifyInstructions(again)
  assert.equal(bodyOf(elideCopies(again)), bodyOf(elided))
})

test('without a target, parts along an inner axis are copied row by row', () => {
  const copies = (list: InstructionList) =>
    list.instructions
      .filter((instruction) => instruction.kind === 'copy')
      .map(({ rows, rowBytes, fromStride, toStride }) => [rows, rowBytes, fromStride, toStride])
  const elided = verified(elideCopies(selected(joinAlong(1))))
  assert.equal(copies(elided), [
    [4, 16, 16, 32],
    [4, 16, 16, 32],
  ])
})

test('a value joined twice is produced in one place and copied to the other', () => {
  const list = selected((b) => {
    const y = product(b, square(b, 'x'), square(b, 'w'))
    return { y: b.add('concat', { inputs: [y, y] }, { axis: 0 }) }
  })
  assert.equal(bodyOf(verified(elideCopies(list))), ['call matmul_4x4 @in %0, @in %1, @out %3', 'copy @in %3, @out %5: 64 bytes'])
})

test('joins of joins end in one storage', () => {
  const list = selected((b) => {
    const x = square(b, 'x')
    const grow = (value: Node, label: string) =>
      b.add('concat', { inputs: [value, product(b, weights(b, label, 4, value.type.shape[0]!), value)] }, { axis: 0 })
    return { y: grow(grow(grow(x, 'a'), 'b'), 'c') }
  })
  const elided = verified(elideCopies(list))
  assert.equal(
    elided.instructions.map((instruction) => instruction.kind),
    ['call', 'copy', 'call', 'call'],
  )
})

test('a copy is kept where its absence would raise the peak', () => {
  // The first part is small and early, the join large, and a large value lives in between.
  const list = selected((b) => {
    const x = b.input('x', f32(4, 64))
    const first = product(b, x, weights(b, 'a', 64, 64))
    const wide = product(b, b.add('reshape', { input: first }, { shape: [256, 1] }), weights(b, 'b', 1, 256))
    const narrow = product(b, product(b, wide, weights(b, 'c', 256, 1)), weights(b, 'e', 1, 64))
    return { y: product(b, b.add('concat', { inputs: [first, narrow] }, { axis: 0 }), weights(b, 'd', 64, 1)) }
  })
  const elided = verified(elideCopies(list))
  assert.is(elided.instructions.filter((instruction) => instruction.kind === 'copy').length, 1)
})

test('LL-06: stores that nobody reads go, checks stay', () => {
  const list = selected((b) => {
    const x = square(b, 'x')
    return { a: product(b, x, x), b: b.add('gather', { input: x, indices: b.input('i', { dtype: 'i32', shape: [2] }) }) }
  })
  const without = { ...list, instructions: list.instructions.filter((instruction) => instruction.kind !== 'copy') }
  assert.equal(bodyOf(elideCopies(without)), ['alloc %5', 'call gather_2x4 @in %0, @in %1, @out %5', 'dealloc %5'])
})

test('LL-10 LL-11: lives are as short as uses, unused buffers are not allocated', () => {
  const list = selected((b) => {
    const x = square(b, 'x')
    return { y: product(b, product(b, product(b, x, x), x), x) }
  })
  const [first, ...rest] = list.instructions
  const spread = {
    ...list,
    instructions: [
      first!,
      ...list.instructions.filter((i) => i.kind === 'alloc' && i !== first),
      ...rest.filter((i) => i.kind !== 'alloc' && i.kind !== 'dealloc'),
      ...rest.filter((i) => i.kind === 'dealloc'),
    ],
  }
  verifyInstructions(spread)
  assert.equal(
    elideCopies(spread).instructions.map((instruction) => instruction.kind),
    ['alloc', 'call', 'alloc', 'call', 'dealloc', 'call', 'dealloc'],
  )
})

test('LL-09: the last reader of an operand may write over it', () => {
  const make: Make = (b) => {
    const x = product(b, square(b, 'x'), square(b, 'w'))
    const sum = b.add('reduceSum', { input: x }, { axes: [0], keepDims: true })
    const y = b.add('sub', { left: x, right: sum })
    return { y: product(b, y, y) }
  }
  const list = elideCopies(selected(make))
  const shared = verified(shareInPlace(list, targetWith()))
  assert.equal(bodyOf(shared), [
    'alloc %3',
    'call matmul_4x4 @in %0, @in %1, @out %3',
    'alloc %4',
    'call reduceSum_1x4 @in %3, @out %4',
    'call sub_4x4 @in %3, @in %4, @out %5',
    'dealloc %4',
    'call matmul_4x4 @in %5, @in %5, @out %6',
    'dealloc %3',
  ])
  assert.equal(
    [...shared.buffers.values()].filter((buffer) => buffer.kind === 'view').map((buffer) => [buffer.id, buffer.of]),
    [
      [5, 3],
      [6, 2],
    ],
  )
  assert.equal(bodyOf(shareInPlace(list, targetWith({ inPlace: () => false }))), bodyOf(list))
})

const unshared: Readonly<Record<string, Make>> = {
  'an operand that is read later': (b) => {
    const x = product(b, square(b, 'x'), square(b, 'w'))
    return { y: product(b, b.add('exp', { input: x }), x) }
  },
  'an operand read at other positions than it is written': (b) => {
    const x = product(b, square(b, 'x'), square(b, 'w'))
    const stored = b.add('reduceMax', { input: x }, { axes: [0], keepDims: false })
    const y = b.add('add', { left: b.add('transpose', { input: x }, { order: [1, 0] }), right: stored })
    return { y: product(b, y, y) }
  },
  'an anchor that does not declare it': (b) => {
    const x = product(b, square(b, 'x'), square(b, 'w'))
    return { y: product(b, product(b, x, square(b, 'v')), square(b, 'u')) }
  },
  'another dtype': (b) => {
    const x = b.add('gather', { input: square(b, 'x'), indices: b.input('i', { dtype: 'i32', shape: [4] }) })
    const whole = b.add('cast', { input: x }, { dtype: 'i32' })
    return { y: b.add('gather', { input: whole, indices: b.input('j', { dtype: 'i32', shape: [4] }) }) }
  },
}

for (const [name, make] of Object.entries(unshared)) {
  test(`LL-09: not shared: ${name}`, () => {
    const list = elideCopies(selected(make, { fusesAfter: () => false }))
    assert.equal(bodyOf(shareInPlace(list, targetWith())), bodyOf(list))
  })
}

test('a constant read dense and packed has two buffers; equal packings one', () => {
  const pack: Target['pack'] = (kernel, index) =>
    kernel.anchor && index === 1 && kernel.inputs[index]!.constant
      ? { key: 'rows', bytes: 128, pack: (dense) => new Uint8Array(128).map((_, i) => dense[i % 64]!) }
      : undefined
  const list = selected(
    (b) => {
      const w = weights(b, 'w', 4, 4)
      const x = product(b, square(b, 'x'), w)
      return { y: product(b, b.add('add', { left: x, right: w }), w) }
    },
    { pack },
  )
  const constants = [...list.buffers.values()].flatMap((buffer) =>
    buffer.kind === 'constant' ? [[buffer.packing?.key, buffer.bytes]] : [],
  )
  assert.equal(constants, [
    ['rows', 128],
    [undefined, 64],
  ])
})

test('scratch belongs to its call', () => {
  const list = selected((b) => ({ y: conv(b, conv(b, b.input('x', f32(1, 2, 4, 4)), 2, 3, 'a'), 2, 3, 'b') }), {
    scratch: (kernel) => (kernel.anchor ? 100 : 0),
  })
  assert.equal(
    [...list.buffers.values()].filter((buffer) => buffer.kind === 'scratch').map((buffer) => buffer.bytes),
    [100, 100],
  )
})

test('values without elements are neither made nor copied', () => {
  const list = selected((b) => {
    const x = b.input('x', f32(0, 4))
    return {
      y: b.add('exp', { input: x }),
      z: b.add('concat', { inputs: [x, weights(b, 'w', 2, 4)] }, { axis: 0 }),
      sum: b.add('reduceSum', { input: b.add('exp', { input: x }) }, { axes: [0], keepDims: false }),
    }
  })
  assert.equal(bodyOf(verified(elideCopies(list))), [
    'copy @in %7, @out %6: 32 bytes',
    'alloc %4',
    'call reduceSum_4 @in %4, @out %8',
    'dealloc %4',
  ])
})

test.run()
