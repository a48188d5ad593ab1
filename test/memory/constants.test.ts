import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type ConstantData, InvariantError } from '../../compiler/graph/index.ts'
import type { BufferId, Buffer as Storage } from '../../compiler/instructions/instruction.ts'
import { type Program, shareConstants, verifyConstants } from '../../compiler/memory/index.ts'
import { draw } from '../support/draw.ts'

const id = (number: number) => number as BufferId

/** Bytes turned round: another layout of the same data. */
const reversed = (bytes: number) => ({ key: 'reversed', bytes, pack: (dense: Uint8Array) => dense.slice().reverse() })

interface Constant {
  readonly data: ConstantData
  readonly packed: boolean
}

const dataOf = (bytes: readonly number[]): ConstantData => ({ label: `[${bytes}]`, read: () => new Uint8Array(bytes) })

/** A program that has nothing but constants, and a view of each that leaves out its first byte. */
function programOf(constants: readonly Constant[], alignment = 64): Program {
  const buffers: Storage[] = constants.flatMap(({ data, packed }, i): Storage[] => {
    const bytes = data.read().length
    const type = { dtype: 'u8' as const, shape: [bytes] }
    const constant: Storage = { kind: 'constant', id: id(2 * i), name: data.label, type, bytes, data }
    return [
      packed ? { ...constant, packing: reversed(bytes) } : constant,
      { kind: 'view', id: id(2 * i + 1), name: 'rest', type, bytes: bytes - 1, of: id(2 * i), offset: 1 },
    ]
  })
  return {
    name: 'p',
    buffers: new Map(buffers.map((buffer) => [buffer.id, buffer])),
    inputs: [],
    outputs: [],
    instructions: [],
    offsets: new Map([[id(999), 7]]),
    regions: { constants: 1, mutable: 64, activations: 128 },
    alignment,
    lowerBound: 0,
    unshared: 0,
    kernels: new Map(),
  }
}

const expectedBytes = ({ data, packed }: Constant): number[] => (packed ? [...data.read()].reverse() : [...data.read()])

const drawnConstant = fc
  .record({ bytes: fc.array(fc.nat(1), { minLength: 1, maxLength: 130 }), packed: fc.boolean() })
  .map(({ bytes, packed }): Constant => ({ data: dataOf(bytes), packed }))

test('every constant of every program lies in one region, equal bytes once (property)', () => {
  const property = fc.property(fc.array(fc.array(drawnConstant, { maxLength: 12 }), { minLength: 1, maxLength: 4 }), (drawn) => {
    const given = drawn.map((constants) => programOf(constants))
    const { programs, bytes } = shareConstants(given)
    for (const [p, program] of programs.entries()) {
      assert.is(program.regions.constants, bytes.length)
      assert.equal([program.regions.mutable, program.regions.activations, program.offsets.get(id(999))], [64, 128, 7])
      for (const [i, constant] of drawn[p]!.entries()) {
        const expected = expectedBytes(constant)
        const offset = program.offsets.get(id(2 * i))!
        assert.is(offset % 64, 0)
        assert.equal([...bytes.subarray(offset, offset + expected.length)], expected)
        assert.is(program.offsets.get(id(2 * i + 1)), offset + 1)
      }
    }
    const distinct = new Set(drawn.flat().map((constant) => expectedBytes(constant).join()))
    const total = [...distinct].reduce((sum, text) => sum + Math.ceil(text.split(',').length / 64) * 64, 0)
    assert.is(bytes.length, total)
    assert.equal(shareConstants(given), { programs, bytes })
    // One program more moves nothing that was there.
    const more = shareConstants([...given, programOf([{ data: dataOf([9, 9, 9]), packed: false }])])
    assert.equal(more.bytes.subarray(0, bytes.length), bytes)
  })
  fc.assert(property, draw(11, 100))
})

test('a tensor that two entries read in one layout is packed once', () => {
  let reads = 0
  const data: ConstantData = {
    label: 'w',
    read: () => {
      reads++
      return new Uint8Array([1, 2, 3])
    },
  }
  const constant = { ...programOf([{ data: dataOf([1, 2, 3]), packed: true }]).buffers.get(id(0))!, data } as Storage
  const program = { ...programOf([]), buffers: new Map([[constant.id, constant]]) }
  const { bytes, programs } = shareConstants([program, { ...program }])
  assert.equal([bytes.length, ...bytes.subarray(0, 4)], [64, 3, 2, 1, 0])
  assert.is(programs[0]!.offsets.get(id(0)), programs[1]!.offsets.get(id(0)))
  assert.is(reads, 1)
})

test('the validator refuses what does not hold', () => {
  const { programs, bytes } = shareConstants([programOf([1, 2].map((byte) => ({ data: dataOf([byte, 0, 5]), packed: false })))])
  const [program] = programs
  verifyConstants(programs, bytes)
  const refused = (change: Partial<Program>, region = bytes, message = /^constants of p: /) =>
    assert.throws(
      () => verifyConstants([{ ...program!, ...change }], region),
      (error: unknown) => error instanceof InvariantError && message.test(error.message),
    )
  const moved = (buffer: number, offset: number) => ({ offsets: new Map(program!.offsets).set(id(buffer), offset) })
  refused(moved(0, 64), bytes, /other bytes than those of '\[1,0,5\]' lie at 64/)
  refused(moved(0, 1), bytes, /not a multiple of 64/)
  refused(moved(2, 128), bytes, /other bytes/)
  refused(moved(1, 0), bytes, /view 1 does not lie/)
  refused({ regions: { ...program!.regions, constants: 64 } })
  refused({}, bytes.with(66, 4), /'\[2,0,5\]'/)
  refused({ offsets: new Map() }, bytes, /has no address/)
  const short = { ...program!.buffers.get(id(0))!, bytes: 9 } as Storage
  assert.throws(() => shareConstants([{ ...program!, buffers: new Map([[id(0), short]]) }]), /has 3 bytes where 9 were planned/)
})

test.run()
