import { InvariantError } from '../graph/index.ts'
import type { Buffer, BufferId } from '../instructions/instruction.ts'
import { verifyInstructions } from '../instructions/verify.ts'
import type { Program } from './program.ts'

function fail(message: string): never {
  throw new InvariantError(`program: ${message}`)
}

const regionOf = (kind: Buffer['kind']): keyof Program['regions'] =>
  kind === 'constant' ? 'constants' : kind === 'input' || kind === 'output' ? 'mutable' : 'activations'

/**
 * Throws InvariantError unless every buffer has an aligned place inside its region, views lie where their
 * storage says, and no two buffers that are live together share a byte. Walks the instructions with a list of what is live, and so
 * shares nothing with the solver.
 */
export function verifyProgram(program: Program): void {
  verifyInstructions(program)
  const { offsets, regions, alignment } = program
  const offsetOf = (id: BufferId) => offsets.get(id) ?? fail(`buffer ${id} has no address`)

  const always: Buffer[] = []
  for (const buffer of program.buffers.values()) {
    const at = offsetOf(buffer.id)
    if (buffer.kind === 'view') {
      if (at !== offsetOf(buffer.of) + buffer.offset)
        fail(`view ${buffer.id} is at ${at}, its storage ${buffer.of} + ${buffer.offset} is not`)
      continue
    }
    const region = regionOf(buffer.kind)
    if (at < 0 || at % alignment !== 0) fail(`buffer ${buffer.id} is at ${at}, not a multiple of ${alignment}`)
    if (at + buffer.bytes > regions[region])
      fail(`buffer ${buffer.id} ends at ${at + buffer.bytes}, beyond the ${regions[region]} bytes of ${region}`)
    if (region !== 'activations') {
      requireApart(
        buffer,
        always.filter((other) => regionOf(other.kind) === region),
        offsetOf,
      )
      always.push(buffer)
    }
  }

  const live = new Map<BufferId, Buffer>()
  for (const instruction of program.instructions) {
    if (instruction.kind === 'alloc') {
      const buffer = program.buffers.get(instruction.buffer)!
      requireApart(buffer, live.values(), offsetOf)
      live.set(buffer.id, buffer)
    } else if (instruction.kind === 'dealloc') live.delete(instruction.buffer)
    else if (instruction.kind === 'call') {
      if (!program.kernels.has(instruction.name)) fail(`${instruction.name} is not among the kernels`)
      for (const { buffer, qualifier } of instruction.operands) {
        if (qualifier === 'scratch') requireApart(program.buffers.get(buffer)!, live.values(), offsetOf)
      }
    }
  }
}

function requireApart(buffer: Buffer, others: Iterable<Buffer>, offsetOf: (id: BufferId) => number): void {
  const at = offsetOf(buffer.id)
  for (const other of others) {
    const from = offsetOf(other.id)
    if (at < from + other.bytes && from < at + buffer.bytes)
      fail(`buffers ${other.id} and ${buffer.id} are live together and share bytes`)
  }
}
