// Runs a program of any target one instruction at a time. Each instruction becomes an entry of its own, on the addresses that it has in the
// whole program; activations move into the region of inputs and outputs, which a loader can read and write.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KernelGraph, KernelStep } from '../../compiler/fuse/kernel.ts'
import { InvariantError } from '../../compiler/graph/index.ts'
import type { Buffer, BufferId, Instruction } from '../../compiler/instructions/instruction.ts'
import { type Program, shareConstants } from '../../compiler/memory/index.ts'
import type { EntryProgram, Target } from '../../compiler/target.ts'
import { createHost } from '../../targets/runtime/load.ts'
import { native } from '../../targets/runtime/native.ts'
import type { Instance } from '../../targets/runtime/plan.ts'
import { threads } from '../../targets/runtime/threads.ts'
import { makeBundle } from '../bundle/make.ts'
import { writeBundle } from '../bundle/write.ts'

type KernelCallStep = Extract<KernelStep, { readonly kind: 'call' }>

/** An instruction that does something when the program runs. */
export type RunningInstruction = Exclude<Instruction, { readonly kind: 'alloc' | 'dealloc' }>

/** The program on memory of its own, filled with nothing in particular but the constants. */
export interface SteppedInstance {
  /** The bytes of a buffer that is no constant: a view, to read and to write. */
  bytes(buffer: BufferId): Uint8Array
  /** Runs one instruction, by its place in `instructions`. Returns 0, or 1 when it refused an operand's value. */
  step(index: number): number
  /** Does nothing, by the same way as `step`: what a call costs by itself. */
  idle(): void
  /** Runs them all at one go. Returns 0 or the number of a fault. */
  run(): number
}

export interface Stepper {
  readonly program: Program
  readonly instructions: readonly RunningInstruction[]
  /** Several instances share nothing but code and constants. */
  instantiate(): SteppedInstance
  /** Frees the instances, and removes what was written. */
  close(): Promise<void>
}

/** Compiles a program for stepping, or with `whole` for `run` alone, which takes less time. Errors are those of the target. */
export async function openStepper(program: Program, target: Target, { whole: onlyWhole = false } = {}): Promise<Stepper> {
  const { whole, start } = withReadableActivations(program)
  const instructions = program.instructions.filter(
    (instruction): instruction is RunningInstruction => instruction.kind === 'call' || instruction.kind === 'copy',
  )
  const parts = [whole, { ...whole, instructions: [], kernels: new Map(), buffers: new Map() }]
  if (!onlyWhole) for (const instruction of instructions) parts.push(partOf(whole, instruction))
  const shared = shareConstants(parts.map((part) => ({ ...part, inputs: [], outputs: [] })))
  const entries = shared.programs.map((part, i): EntryProgram => ({ entry: `entry${i}`, export: `entry${i}`, program: part }))
  const code = await target.emit(program.name, entries)
  const stub = { name: program.name, inputs: [], outputs: [], nodes: [], locations: new Map() }
  const model = { name: program.name, entries: entries.map(({ entry }) => ({ name: entry, graph: stub })) }
  const bundle = makeBundle({ model, codes: [{ target: target.name, entries, constants: shared.bytes, code }] })

  // The system loads native code from files alone.
  const folder = code.kind === 'addon' ? await mkdtemp(join(tmpdir(), 'glowplug-step-')) : undefined
  const opened: Instance[] = []
  const close = async () => {
    for (const instance of opened.splice(0)) instance.close?.()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
  try {
    if (folder !== undefined) await writeBundle(bundle, folder)
    const { instantiate } = createHost(folder ?? bundle, {}, { wasm: threads, module: threads, addon: native }).load()
    return { program, instructions, instantiate: () => wrap(instantiate()), close }
  } catch (error) {
    await close()
    throw error
  }

  function wrap(instance: Instance): SteppedInstance {
    opened.push(instance)
    return {
      bytes(id) {
        const buffer = program.buffers.get(id)
        const offset = program.offsets.get(id)
        const kind = buffer && rootOf(program, buffer).kind
        if (!buffer || offset === undefined || kind === 'constant') throw new InvariantError(`buffer ${id} cannot be read`)
        const from = kind === 'activation' || kind === 'scratch' ? start : 0
        return new Uint8Array(instance.memory, instance.mutable + from + offset, buffer.bytes)
      },
      step: (index) => instance.run(index + 2),
      idle: () => void instance.run(1),
      run: () => instance.run(0),
    }
  }
}

function rootOf({ buffers }: Program, buffer: Buffer): Buffer {
  let root = buffer
  while (root.kind === 'view') root = buffers.get(root.of)!
  return root
}

/** The same program with activations behind inputs and outputs, from `start` on. */
function withReadableActivations(program: Program): { readonly whole: Program; readonly start: number } {
  const { regions, alignment } = program
  const start = Math.ceil(regions.mutable / alignment) * alignment
  const offsets = new Map(program.offsets)
  const buffers = new Map(program.buffers)
  for (const buffer of program.buffers.values()) {
    const { kind } = rootOf(program, buffer)
    if (kind !== 'activation' && kind !== 'scratch') continue
    const offset = offsets.get(buffer.id)
    if (offset !== undefined) offsets.set(buffer.id, offset + start)
    const type = { dtype: 'u8', shape: [buffer.bytes] } as const
    if (buffer.kind !== 'view') buffers.set(buffer.id, { type, ...buffer, kind: 'output' } as Buffer)
  }
  // Something is left, because systems map no empty memory.
  const moved = { ...regions, mutable: start + regions.activations, activations: alignment }
  return { whole: { ...program, offsets, buffers, regions: moved }, start }
}

/** One instruction of a program, with the buffers and the kernel that it names. */
export function partOf(program: Program, instruction: RunningInstruction): Program {
  const named =
    instruction.kind === 'copy' ? [instruction.from, instruction.to] : instruction.operands.map(({ buffer }) => buffer)
  const buffers = new Map<BufferId, Buffer>()
  for (let id of named) {
    for (let buffer = program.buffers.get(id); buffer; ) {
      buffers.set(id, buffer)
      if (buffer.kind !== 'view') break
      id = buffer.of
      buffer = program.buffers.get(id)
    }
  }
  const kernel = instruction.kind === 'call' ? program.kernels.get(instruction.name) : undefined
  return {
    ...program,
    buffers,
    offsets: new Map([...buffers.keys()].flatMap((id) => (program.offsets.has(id) ? [[id, program.offsets.get(id)!]] : []))),
    instructions: [instruction],
    kernels: new Map(kernel && instruction.kind === 'call' ? [[instruction.name, kernel]] : []),
  }
}

/**
 * The step of the kernel graph that each call carries out, by its place among the instructions. Calls keep the list of locations of their step,
 * also where their kernel became another; steps without results or readers have none.
 */
export function matchCalls({ instructions }: Stepper, steps: KernelGraph['steps']): ReadonlyMap<number, KernelCallStep> {
  const calls = new Map<KernelCallStep['locations'], KernelCallStep>()
  for (const step of steps) if (step.kind === 'call') calls.set(step.locations, step)
  return new Map(
    instructions.flatMap((instruction, at) => {
      const step = instruction.kind === 'call' ? calls.get(instruction.locations) : undefined
      return step ? [[at, step] as const] : []
    }),
  )
}
