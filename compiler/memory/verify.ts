import { InvariantError } from '../graph/index.ts'
import type { Buffer, BufferId } from '../instructions/instruction.ts'
import { createRangeSet } from '../instructions/ranges.ts'
import { verifyInstructions } from '../instructions/verify.ts'
import { bodiesOf } from './control.ts'
import type { Program } from './program.ts'

function fail(message: string): never {
  throw new InvariantError(`program: ${message}`)
}

const regionOf = (kind: Buffer['kind']): keyof Program['regions'] =>
  kind === 'constant'
    ? 'constants'
    : kind === 'state'
      ? 'state'
      : kind === 'input' || kind === 'output'
        ? 'mutable'
        : 'activations'

/**
 * Throws InvariantError unless every buffer has an aligned place inside its region, views lie where their
 * storage says, and no two buffers that are live together share a byte. Walks the instructions with a list of what is live, and so
 * shares nothing with the solver.
 */
export function verifyProgram(program: Program): void {
  verifyInstructions(program)
  for (const kernel of program.kernels.values()) for (const body of bodiesOf(kernel)) verifyProgram(body)
  const { offsets, regions, alignment } = program
  const offsetOf = (id: BufferId) => offsets.get(id) ?? fail(`buffer ${id} has no address`)

  const always = { constants: createOccupied(offsetOf), mutable: createOccupied(offsetOf), state: createOccupied(offsetOf) }
  for (const buffer of program.buffers.values()) {
    const at = offsetOf(buffer.id)
    if (buffer.kind === 'view') {
      if (at !== offsetOf(buffer.of) + buffer.offset)
        fail(`view ${buffer.id} is at ${at}, its storage ${buffer.of} + ${buffer.offset} is not`)
      continue
    }
    const region = regionOf(buffer.kind)
    if (at < 0 || at % alignment !== 0) fail(`buffer ${buffer.id} is at ${at}, not a multiple of ${alignment}`)
    const size = regions[region] ?? 0
    if (at + buffer.bytes > size) fail(`buffer ${buffer.id} ends at ${at + buffer.bytes}, beyond the ${size} bytes of ${region}`)
    if (region !== 'activations') always[region].add(buffer)
  }

  const live = createOccupied(offsetOf)
  for (const instruction of program.instructions) {
    if (instruction.kind === 'alloc') live.add(program.buffers.get(instruction.buffer)!)
    else if (instruction.kind === 'dealloc') live.remove(program.buffers.get(instruction.buffer)!)
    else if (instruction.kind === 'call') {
      if (!program.kernels.has(instruction.name)) fail(`${instruction.name} is not among the kernels`)
      for (const { buffer, qualifier } of instruction.operands) {
        if (qualifier === 'scratch') live.requireApart(program.buffers.get(buffer)!)
      }
    }
  }
}

/** What lies in a region at one time. */
function createOccupied(offsetOf: (id: BufferId) => number) {
  const bytes = createRangeSet()
  const buffers = new Set<Buffer>()
  const rangeOf = (buffer: Buffer) => ({ from: offsetOf(buffer.id), to: offsetOf(buffer.id) + buffer.bytes })

  function requireApart(buffer: Buffer): void {
    const range = rangeOf(buffer)
    if (!bytes.meets(range)) return
    const other = [...buffers]
      .map((each) => ({ ...rangeOf(each), id: each.id }))
      .find(({ from, to }) => range.from < to && from < range.to)
    fail(`buffers ${other?.id} and ${buffer.id} are live together and share bytes`)
  }
  return {
    requireApart,
    add(buffer: Buffer): void {
      requireApart(buffer)
      bytes.add(rangeOf(buffer))
      buffers.add(buffer)
    },
    remove(buffer: Buffer): void {
      bytes.remove(rangeOf(buffer))
      buffers.delete(buffer)
    },
  }
}
