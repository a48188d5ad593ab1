import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuseGraph } from '../../compiler/fuse/index.ts'
import { InvariantError } from '../../compiler/graph/index.ts'
import {
  type Buffer,
  type BufferId,
  elideCopies,
  type Instruction,
  type InstructionList,
  selectInstructions,
  verifyInstructions,
} from '../../compiler/instructions/index.ts'
import { f32, graphOf, weights } from '../support/graphs.ts'
import { targetWith } from '../support/program.ts'

const target = targetWith({ scratch: () => 8 })
// %0 x, %1 y, %2 z, %3 first product, %4 w, %5 scratch, %6 join, %7 and %8 parts, %9 sum, %10 scratch
const good = selectInstructions(
  fuseGraph(
    graphOf((b) => {
      const x = b.input('x', f32(4, 4))
      const first = b.add('matmul', { left: x, right: weights(b, 'w', 4, 4) })
      return {
        y: b.add('concat', { inputs: [first, first] }, { axis: 1 }),
        z: b.add('reduceSum', { input: first }, { axes: [0], keepDims: false }),
      }
    }),
    target,
  ),
  target,
)

const id = (number: number) => number as BufferId
const find = (kind: Instruction['kind'], n = 0) =>
  good.instructions.indexOf(good.instructions.filter((instruction) => instruction.kind === kind)[n]!)
const edit = (at: number, change: (instruction: any) => Instruction): InstructionList => ({
  ...good,
  instructions: good.instructions.map((instruction, i) => (i === at ? change(instruction) : instruction)),
})
const without = (at: number): InstructionList => ({ ...good, instructions: good.instructions.filter((_, i) => i !== at) })
const operand = (call: number, index: number, change: object) =>
  edit(find('call', call), (c) => ({
    ...c,
    operands: c.operands.map((o: object, i: number) => (i === index ? { ...o, ...change } : o)),
  }))
const declared = (buffer: number, change: object): InstructionList => ({
  ...good,
  buffers: new Map([...good.buffers].map(([key, value]) => [key, key === buffer ? ({ ...value, ...change } as Buffer) : value])),
})

const broken: readonly [string, InstructionList, RegExp][] = [
  ['LL-02: an input operand that is out', operand(0, 0, { qualifier: 'out' }), /operand 0 of matmul_4x4 is out/],
  ['LL-02: a result that is in', operand(0, 2, { qualifier: 'in' }), /is in, not out/],
  ['LL-02: a constant written', operand(0, 2, { buffer: id(4) }), /writes constant 4/],
  ['LL-02: an input written', operand(0, 2, { buffer: id(0) }), /writes input 0/],
  ['LL-02: an operand too few', edit(find('call'), (c) => ({ ...c, operands: c.operands.slice(0, 2) })), /got 2 operands/],
  ['LL-02: a buffer of another size', operand(1, 0, { buffer: id(6) }), /does not fit buffer 6/],
  ['LL-02: scratch of another call', operand(1, 2, { buffer: id(5) }), /scratch 5 belongs to another call/],
  ['LL-02: a read of scratch', edit(find('copy'), (c) => ({ ...c, from: id(5) })), /reads scratch/],
  ['LL-03: a view beyond its storage', declared(7, { offset: 64 }), /view 7 reaches beyond/],
  ['LL-03: a view of what is not declared', declared(7, { of: id(77) }), /77 is not declared/],
  ['LL-04: a use before the alloc', without(find('alloc')), /used outside the life of 3/],
  [
    'LL-04: a use after the dealloc',
    edit(find('alloc', 1), () => ({ kind: 'dealloc', buffer: id(3) })),
    /outside the life of|out of turn/,
  ],
  ['LL-04: two allocs', edit(find('alloc', 1), () => ({ kind: 'alloc', buffer: id(3) })), /alloc of buffer 3 out of turn/],
  ['LL-04: an alloc of an output', edit(find('alloc', 1), () => ({ kind: 'alloc', buffer: id(1) })), /no activation/],
  ['LL-04: no dealloc', without(find('dealloc')), /never freed/],
  ['LL-04: a read of what is not written', without(find('call')), /before it is wholly written/],
  ['LL-04: a read of what is half written', without(find('copy', 1)), /before it is wholly written|not wholly written/],
  ['LL-04: an output not written', without(find('copy', 3)), /output z is not wholly written/],
  ['LL-04: an operand overwritten by a kernel that may not', operand(1, 1, { buffer: id(3) }), /does not fit buffer 3/],
  ['LL-04: two inputs of one name', declared(2, { name: 'y' }), /two buffers are output y/],
  ['LL-04: two kernels of one name', edit(find('call', 1), (c) => ({ ...c, name: 'matmul_4x4' })), /two kernels are called/],
  ['a copy beyond its source', edit(find('copy'), (c) => ({ ...c, fromStride: 32 })), /copies more than buffer 3 holds/],
  ['a copy of rows that overlap', edit(find('copy'), (c) => ({ ...c, toStride: 8 })), /copy of 4 rows/],
]

test('LL-04: selected instructions pass', () => {
  assert.equal(
    good.instructions.map((instruction) => instruction.kind).join(' '),
    'alloc call alloc copy copy copy dealloc alloc call copy dealloc dealloc',
  )
  assert.not.throws(() => verifyInstructions(good))
})

for (const [name, list, message] of broken) {
  test(`found: ${name}`, () => {
    try {
      verifyInstructions(list)
    } catch (problem) {
      assert.instance(problem, InvariantError)
      assert.match((problem as Error).message, message)
      return
    }
    assert.unreachable('the verifier saw nothing')
  })
}

test('LL-04: in place is for element-by-element kernels and identical places only', () => {
  const make = (turn: boolean) => {
    const list = selectInstructions(
      fuseGraph(
        graphOf((b) => {
          const x = b.add('gather', { input: b.input('x', f32(4, 4)), indices: b.input('i', { dtype: 'i32', shape: [4] }) })
          return { y: b.add('exp', { input: turn ? b.add('transpose', { input: x }, { order: [1, 0] }) : x }) }
        }),
        targetWith({ fusesAfter: () => false }),
      ),
      targetWith(),
    )
    const calls = list.instructions.flatMap((instruction) => (instruction.kind === 'call' ? [instruction] : []))
    const [from, to] = calls[1]!.operands.map((o) => o.buffer) as [BufferId, BufferId]
    const swap = (buffer: BufferId) => (buffer === to ? from : buffer)
    const instructions = list.instructions.flatMap((instruction): Instruction[] => {
      if (instruction.kind === 'alloc' || instruction.kind === 'dealloc') return instruction.buffer === to ? [] : [instruction]
      if (instruction.kind === 'copy') return [{ ...instruction, from: swap(instruction.from) }]
      return [{ ...instruction, operands: instruction.operands.map((o) => ({ ...o, buffer: swap(o.buffer) })) }]
    })
    const last = instructions.findIndex((instruction) => instruction.kind === 'dealloc')
    return { ...list, instructions: [...instructions.slice(0, last), ...instructions.slice(last + 1), instructions[last]!] }
  }
  assert.not.throws(() => verifyInstructions(make(false)))
  assert.throws(() => verifyInstructions(make(true)), /overwrites its input 0 and may not/)
})

test('LL-04 LL-07: rows of a join count once they leave no gaps, and may lie between what their kernel reads', () => {
  const target = targetWith()
  const list = elideCopies(
    selectInstructions(
      fuseGraph(
        graphOf((b) => {
          const x = b.input('x', f32(4, 4))
          const parts = ['p', 'q', 'r'].map((name) => b.add('matmul', { left: x, right: weights(b, name, 4, 4) }))
          return {
            y: b.add('reduceSum', { input: b.add('concat', { inputs: parts }, { axis: 1 }) }, { axes: [0], keepDims: false }),
          }
        }),
        target,
      ),
      target,
    ),
    target,
  )
  verifyInstructions(list)
  const calls = list.instructions.flatMap((instruction, at) =>
    instruction.kind === 'call' && instruction.kernel.results[0]!.rows ? [at] : [],
  )
  assert.is(calls.length, 3)
  const partOf = (at: number) => {
    const call = list.instructions[at]!
    return call.kind === 'call' ? call.operands.at(-1)!.buffer : assert.unreachable()
  }
  const changed = (change: (instruction: Instruction, at: number) => readonly Instruction[]): InstructionList => ({
    ...list,
    instructions: list.instructions.flatMap(change),
  })
  const intoBuffer = (at: number, buffer: BufferId): InstructionList =>
    changed((instruction, i) =>
      i === at && instruction.kind === 'call'
        ? [{ ...instruction, operands: instruction.operands.with(-1, { buffer, qualifier: 'out' }) }]
        : [instruction],
    )

  for (const at of calls) {
    // Any part that is missing, or lies where another does, leaves a gap.
    assert.throws(
      () => verifyInstructions(changed((instruction, i) => (i === at ? [] : [instruction]))),
      /before it is wholly written/,
    )
    const other = calls.find((each) => each !== at)!
    assert.throws(() => verifyInstructions(intoBuffer(at, partOf(other) as BufferId)), /before it is wholly written/)
  }
  const whole = list.buffers.get(partOf(calls[0]!) as BufferId)!
  assert.ok(whole.kind === 'view')
  assert.throws(() => verifyInstructions(intoBuffer(calls[0]!, (whole as { of: BufferId }).of)), /does not fit buffer/)
})

test.run()
