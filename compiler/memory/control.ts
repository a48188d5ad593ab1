// How kernels with bodies move values in and out of them: plain numbers, the same for every target.
import { roundUp } from '../allocation/index.ts'
import type { Anchor, Body, Kernel } from '../fuse/kernel.ts'
import { byteSize, InvariantError, type ResultLayout, resultsOf, type TensorType } from '../graph/index.ts'
import type { BufferId } from '../instructions/instruction.ts'
import { placeOf } from '../instructions/place.ts'
import type { Program } from './program.ts'

/** Bytes that are moved as they lie. */
export interface Move {
  readonly from: number
  readonly to: number
  readonly bytes: number
}

/** Moves the value of operand `operand` to byte `to` of the working storage. */
export interface Bring {
  readonly operand: number
  readonly to: number
  readonly bytes: number
}

/** Where a body has its regions, in bytes of the working storage of the call. */
export interface BodyRegions {
  readonly mutable: number
  readonly activations: number
  readonly state: number
}

/** One of the bodies of a call. `take` moves from the working storage to the result. */
export interface BodyPlan {
  readonly regions: BodyRegions
  readonly bring: readonly Bring[]
  readonly take: readonly Move[]
}

/** What a loop does besides: in the working storage, unless it is said otherwise. */
export interface LoopPlan {
  /** Turns at most; 0 means any number. */
  readonly limit: number
  /** Where the number of the turn is written before each, and where the body says whether to go on. */
  readonly turn: number
  readonly proceed: number
  /** What is kept of each turn: to `to` + turn · `bytes` of the result, which has `places` of them. */
  readonly keep: readonly Move[]
  readonly places: number
}

export interface ControlPlan {
  readonly bodies: readonly BodyPlan[]
  /** Absent of a branch. */
  readonly loop?: LoopPlan
  /** Stretches of the result between results, which are 0: equal calls give equal bytes. */
  readonly gaps: readonly { readonly from: number; readonly to: number }[]
  /** Bytes of working storage. */
  readonly scratch: number
}

export type ControlKernel = Kernel & { readonly anchor: Anchor & { readonly bodies: readonly Body[] } }

export const isControl = (kernel: Kernel): kernel is ControlKernel => kernel.anchor?.bodies !== undefined

/** The state of a body that is the value which a loop carries as number `index`. */
export const carriedName = (index: number): string => `carried${index}`

const alignment = 64

/** Bytes in front of a body's regions for what threads that run it together tell each other. */
export const sharedBytes = 64

/** Regions one behind the other. */
function regionsOf({ regions }: Program): BodyRegions & { readonly end: number } {
  const mutable = sharedBytes
  const activations = mutable + roundUp(regions.mutable, alignment)
  const state = activations + roundUp(regions.activations, alignment)
  return { mutable, activations, state, end: state + roundUp(regions.state ?? 0, alignment) }
}

const plans = new WeakMap<Kernel, ControlPlan>()

/** How a kernel with bodies goes about it. */
export function controlPlan(kernel: ControlKernel): ControlPlan {
  const known = plans.get(kernel) ?? (kernel.anchor.op === 'loop' ? planLoop(kernel) : planBranch(kernel))
  plans.set(kernel, known)
  return known
}

function planLoop({ anchor }: ControlKernel): ControlPlan {
  const { carried, limit } = anchor.attributes as { readonly carried: number; readonly limit: number }
  const { program } = anchor.bodies[0]!
  const { end, ...regions } = regionsOf(program)
  const [turn, ...captured] = program.inputs
  const [proceed, ...scanned] = program.outputs
  const states = Array.from({ length: carried }, (_, i) => {
    const state = program.states?.get(carriedName(i))
    if (!state) throw new InvariantError(`loop: the body of ${program.name} does not carry value ${i}`)
    return state.buffer
  })
  const types = [proceed!, ...states, ...scanned].map((buffer) => typeOf(program, buffer))
  const layout = resultsOf(anchor.op, types, anchor.attributes)
  const { offsets } = layout
  const at = (buffer: BufferId) => addressIn(program, regions, buffer)
  const bring = (buffer: BufferId, operand: number): Bring => ({ operand, to: at(buffer), bytes: sizeOf(program, buffer) })
  return {
    bodies: [
      {
        regions,
        bring: [...states, ...captured].map((buffer, i) => bring(buffer, 2 + i)),
        take: states.map((buffer, i) => ({ from: at(buffer), to: offsets[1 + i]!, bytes: sizeOf(program, buffer) })),
      },
    ],
    loop: {
      limit,
      turn: at(turn!),
      proceed: at(proceed!),
      keep: scanned.map((buffer, i) => ({ from: at(buffer), to: offsets[1 + carried + i]!, bytes: sizeOf(program, buffer) })),
      places: limit,
    },
    gaps: gapsOf(layout),
    scratch: end,
  }
}

const gapsOf = ({ types, offsets, bytes }: ResultLayout): ControlPlan['gaps'] =>
  types.flatMap((type, i) => {
    const [from, to] = [offsets[i]! + byteSize(type), offsets[i + 1] ?? bytes]
    return from < to ? [{ from, to }] : []
  })

function planBranch({ anchor }: ControlKernel): ControlPlan {
  const plans = anchor.bodies.map(({ program }): BodyPlan & { readonly end: number } => {
    const { end, ...regions } = regionsOf(program)
    const at = (buffer: BufferId) => addressIn(program, regions, buffer)
    const { offsets } = resultsOf(
      anchor.op,
      program.outputs.map((buffer) => typeOf(program, buffer)),
      anchor.attributes,
    )
    return {
      regions,
      bring: program.inputs.map((buffer, i) => ({ operand: 1 + i, to: at(buffer), bytes: sizeOf(program, buffer) })),
      take: program.outputs.map((buffer, i) => ({ from: at(buffer), to: offsets[i]!, bytes: sizeOf(program, buffer) })),
      end,
    }
  })
  const { program } = anchor.bodies[0]!
  const types = program.outputs.map((buffer) => typeOf(program, buffer))
  return {
    bodies: plans.map(({ end, ...plan }) => plan),
    gaps: gapsOf(resultsOf(anchor.op, types, anchor.attributes)),
    scratch: Math.max(...plans.map(({ end }) => end)),
  }
}

function addressIn({ buffers, offsets }: Program, regions: BodyRegions, id: BufferId): number {
  const { kind } = buffers.get(placeOf(buffers, id).origin)!
  return (kind === 'state' ? regions.state : regions.mutable) + offsets.get(id)!
}

const sizeOf = ({ buffers }: Program, id: BufferId): number => buffers.get(id)!.bytes

function typeOf({ buffers }: Program, id: BufferId): TensorType {
  const buffer = buffers.get(id)!
  if (buffer.kind === 'scratch') throw new InvariantError('working storage is no value')
  return buffer.type
}

/** Bytes of working storage that a kernel needs for its bodies; 0 where it has none. */
export const controlScratch = (kernel: Kernel): number => (isControl(kernel) ? controlPlan(kernel).scratch : 0)

/** The programs of a kernel's bodies. */
export const bodiesOf = (kernel: Kernel): readonly Program[] => (kernel.anchor?.bodies ?? []).map(({ program }) => program)

/** A program and those of the bodies within it, each behind those that it runs. */
export function* programsWithin(program: Program): Generator<Program> {
  for (const kernel of program.kernels.values()) for (const body of bodiesOf(kernel)) yield* programsWithin(body)
  yield program
}

/** The program over other bodies. */
export function mapBodies(program: Program, change: (body: Program) => Program): Program {
  if (![...program.kernels.values()].some(isControl)) return program
  const kernels = new Map(
    [...program.kernels].map(([name, kernel]) => {
      if (!isControl(kernel)) return [name, kernel]
      const bodies = kernel.anchor.bodies.map((body) => ({ ...body, program: change(body.program) }))
      return [name, { ...kernel, anchor: { ...kernel.anchor, bodies } }]
    }),
  )
  const instructions = program.instructions.map((instruction) =>
    instruction.kind === 'call' ? { ...instruction, kernel: kernels.get(instruction.name)! } : instruction,
  )
  return { ...program, kernels, instructions }
}
