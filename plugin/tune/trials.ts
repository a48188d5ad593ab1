// One program whose kernels can each be run in several ways: it has storage for all of them, and weights as each wants them.
import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { byteSize, type Graph } from '../../compiler/graph/index.ts'
import type { Buffer } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/index.ts'
import { type CompileResult, createCompilation, type PipelineOptions } from '../../compiler/pipeline.ts'
import type { KernelWay, Target, Tuning, TuningEntry, WayChoice } from '../../compiler/target.ts'
import { partOf, type RunningInstruction } from '../inspect/stepper.ts'
import type { CourseStep } from './measure.ts'

/** A kernel of several ways, among those that are worth measuring; the target's own choice first. */
export interface Candidate {
  readonly signature: string
  readonly kernel: Kernel
  readonly ways: readonly KernelWay[]
  /** The instructions that call it, by their place among those that run. */
  readonly places: readonly number[]
  readonly instruction: Extract<RunningInstruction, { readonly kind: 'call' }>
}

export interface Rehearsal {
  readonly program: Program
  readonly instructions: readonly RunningInstruction[]
  readonly candidates: readonly Candidate[]
}

/** Ways that are estimated to take so much longer than the best are not measured. */
const hopeless = 2.5

const only = (signature: string, way: string): WayChoice => ({
  get: (other) => (other === signature ? way : undefined),
})

/** The target at which one kernel takes one way. */
export const targetOf = (tuning: Tuning, { signature }: Pick<Candidate, 'signature'>, way: string): Target =>
  tuning.choosing(only(signature, way))

/**
 * Compiles an entry so that each of its kernels may be made in any of its ways: with the most working storage that one of them needs, and
 * sharing no storage that one of them wants for itself. `known` says what need not be measured.
 */
export function rehearse(
  graph: Graph,
  target: Target & { readonly tuning: Tuning },
  options: PipelineOptions,
  known: (signature: string) => boolean,
): Rehearsal {
  const { tuning } = target
  const found = new Map<string, readonly { readonly way: KernelWay; readonly target: Target }[]>()
  const waysOf = (kernel: Kernel) => {
    const signature = kernelSignature(kernel)
    const ways = found.get(signature) ?? variantsOf(kernel, signature)
    found.set(signature, ways)
    return ways
  }
  const variantsOf = (kernel: Kernel, signature: string) => {
    const ways = known(signature) ? [] : tuning.ways(kernel)
    const least = Math.min(...ways.map(({ nanoseconds }) => nanoseconds))
    const worthwhile = ways.filter(({ nanoseconds }, i) => i === 0 || nanoseconds <= hopeless * least)
    return worthwhile.length < 2 ? [] : worthwhile.map((way) => ({ way, target: targetOf(tuning, { signature }, way.name) }))
  }
  const each = (kernel: Kernel): readonly Target[] => [target, ...waysOf(kernel).map((variant) => variant.target)]
  const general: Target = {
    ...target,
    scratch: (kernel) => Math.max(...each(kernel).map((one) => one.scratch(kernel))),
    inPlace: (kernel, index, result) => each(kernel).every((one) => one.inPlace(kernel, index, result)),
    storesRows: (kernel) => each(kernel).every((one) => one.storesRows(kernel)),
  }
  const { program }: CompileResult = createCompilation(graph, options)(general)
  const instructions = program.instructions.filter(
    (instruction): instruction is RunningInstruction => instruction.kind === 'call' || instruction.kind === 'copy',
  )
  const candidates = new Map<string, Candidate>()
  for (const [place, instruction] of instructions.entries()) {
    if (instruction.kind !== 'call') continue
    const { kernel } = instruction
    const ways = waysOf(kernel).map(({ way }) => way)
    if (ways.length === 0) continue
    const signature = kernelSignature(kernel)
    const earlier = candidates.get(signature)
    candidates.set(signature, { signature, kernel, ways, instruction, places: [...(earlier?.places ?? []), place] })
  }
  return { program, instructions, candidates: [...candidates.values()] }
}

/** Calls of one kernel that are measured: more would only need more memory for weights. */
const mostPlaces = 3

/** The calls among which the measured ones are spread evenly. */
export const measuredPlaces = ({ places }: Candidate): readonly number[] =>
  places.length <= mostPlaces
    ? places
    : Array.from({ length: mostPlaces }, (_, i) => places[Math.floor(((i + 0.5) * places.length) / mostPlaces)]!)

/** Nanoseconds that a measured run should take: a call from JavaScript takes some 60, and to wake threads 20 000. */
const leastNanoseconds = 3000
const leastWithThreads = 400_000
const mostRepeats = 64

/** An entry for one step, `repeats` times over, with constants as this target wants them. */
function entryOf({ program, instructions }: Rehearsal, place: number, repeats: number, variant: Target): Program {
  const instruction = instructions[place]!
  const part = partOf(program, instruction)
  const times = <T>(one: T): readonly T[] => Array.from({ length: repeats }, () => one)
  if (instruction.kind !== 'call') return { ...part, instructions: times(instruction), inputs: [], outputs: [] }
  // There is storage for the way that needs most; others may need none.
  const operands = instruction.operands.filter(
    ({ qualifier }) => qualifier !== 'scratch' || variant.scratch(instruction.kernel) > 0,
  )
  const buffers = new Map(part.buffers)
  for (const [i, input] of instruction.kernel.inputs.entries()) {
    const id = instruction.operands[i]!.buffer
    const buffer = buffers.get(id)!
    if (!input.constant || buffer.kind !== 'constant') continue
    buffers.set(id, packed(buffer, variant.pack(instruction.kernel, i)))
  }
  return { ...part, instructions: times({ ...instruction, operands }), buffers, inputs: [], outputs: [] }
}

function packed(
  { packing: _, ...buffer }: Extract<Buffer, { kind: 'constant' }>,
  packing: ReturnType<Target['pack']>,
): Extract<Buffer, { kind: 'constant' }> {
  return { ...buffer, bytes: packing?.bytes ?? byteSize(buffer.type), ...(packing && { packing }) }
}

/** Bytes of the constants of all ways of a kernel at the calls that are measured. */
export function bytesOf(candidate: Candidate, tuning: Tuning): number {
  const variants = candidate.ways.map(({ name }) => targetOf(tuning, candidate, name))
  const ofCall = candidate.kernel.inputs.reduce((sum, { constant, type }, i) => {
    if (!constant) return sum
    const layouts = new Map(
      variants.map((variant) => {
        const packing = variant.pack(candidate.kernel, i)
        return [packing?.key ?? '', packing?.bytes ?? byteSize(type)]
      }),
    )
    return [...layouts.values()].reduce((total, bytes) => total + bytes, sum)
  }, 0)
  return ofCall * measuredPlaces(candidate).length
}

export interface Trials {
  readonly entries: readonly TuningEntry[]
  readonly steps: readonly CourseStep[]
}

/** Entries for all steps of the program, and for each way of the given kernels at the calls that are measured. */
export function trialsOf(
  rehearsal: Rehearsal,
  candidates: readonly Candidate[],
  target: Target & { readonly tuning: Tuning },
  threads: number,
): Trials {
  const { tuning } = target
  const entries: TuningEntry[] = []
  const none: WayChoice = { get: () => undefined }
  const add = (program: Program, ways: WayChoice): number => {
    const name = `entry${entries.length}`
    return entries.push({ entry: name, export: name, program, ways }) - 1
  }
  const steps = rehearsal.instructions.map((_, place): CourseStep => {
    const number = candidates.findIndex((candidate) => measuredPlaces(candidate).includes(place))
    const candidate = candidates[number]
    if (!candidate) return { entry: add(entryOf(rehearsal, place, 1, target), none) }
    const least = threads > 1 ? leastWithThreads : leastNanoseconds
    const repeats = Math.min(mostRepeats, Math.max(1, Math.ceil(least / (candidate.ways[0]!.nanoseconds + 1))))
    const trials = candidate.ways.map(({ name }) =>
      add(entryOf(rehearsal, place, repeats, targetOf(tuning, candidate, name)), only(candidate.signature, name)),
    )
    return { kernel: number, entries: trials, repeats }
  })
  return { entries, steps }
}
