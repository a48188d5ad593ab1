// Generated C as a program of its own: on this processor, under an emulator, under sanitizers.
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import { programsWithin, shareConstants } from '../../compiler/memory/index.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { compileGraph } from '../../compiler/pipeline.ts'
import type { Target } from '../../compiler/target.ts'
import type { Level } from '../../targets/c/level.ts'
import { programWithSharing } from '../../targets/c/program.ts'
import { answersAt, hasKernel } from '../../targets/c/target.ts'
import { evaluate } from '../../targets/interpreter/index.ts'
import type { GraphSuite } from './graphSuite.ts'
import { inputsOf, type KernelSuite, outputsOf, programOf, regionOf, storedBytes } from './kernelProgram.ts'

/** How C becomes a program, and how that runs here. */
export interface Machine {
  readonly name: string
  readonly level: Level
  /** Command and flags that make a program of C files. */
  readonly compiler: readonly string[]
  /** Command that runs programs made for another machine. */
  readonly emulator?: readonly string[]
  /** Bytes between buffers that no kernel may touch; seen by an address sanitizer. */
  readonly gap?: number
  readonly environment?: Readonly<Record<string, string>>
  /** Threads that run the program as a team, at a level with teams. Default: one thread, at a level without. */
  readonly parts?: number
}

export interface Executed {
  readonly fault: number
  read(buffer: BufferId): Uint8Array
}

/** A program compiled for a machine. */
export interface Executable {
  /** Runs it once. Fails when anything complains, or when something that is only read has changed. */
  run(inputs: ReadonlyMap<BufferId, Uint8Array>): Promise<Executed>
  close(): void
}

const teamFolder = join(process.env.GLOWPLUG_ROOT!, 'targets', 'c')
const main = join(process.env.GLOWPLUG_ROOT!, 'test', 'support', 'executable.c')

/** The program's code as C with the function `entry`. */
export const textOf = (program: Program, level: Level): string => sharedText(program, level).text

const sharedText = (program: Program, level: Level) =>
  programWithSharing(program.name, [{ entry: 'main', export: 'entry', program }], level, { attributes: () => '' })

/** Fails where the compiler has anything to say. */
export async function compileExecutable(machine: Machine, program: Program): Promise<Executable> {
  const folder = mkdtempSync(join(tmpdir(), 'glowplug-executable-'))
  const close = () => rmSync(folder, { recursive: true, force: true })
  const executable = join(folder, 'program')
  try {
    const { parts } = machine
    const { text, sharing } = sharedText(program, machine.level)
    writeFileSync(join(folder, 'kernels.c'), text)
    const team =
      parts === undefined ? [] : [`-DPARTS=${parts}`, `-DOWN_BYTES=${sharing[0]!.ownBytes}`, `-I${teamFolder}`, '-pthread']
    await runCompiler([...machine.compiler, ...team, 'kernels.c', main, '-o', executable], folder)
  } catch (error) {
    close()
    throw error
  }
  return { run: (inputs) => run([...(machine.emulator ?? []), executable], machine, program, inputs), close }
}

async function run(
  command: readonly string[],
  { environment = {} }: Machine,
  program: Program,
  inputs: ReadonlyMap<BufferId, Uint8Array>,
): Promise<Executed> {
  const output = await pipe(command, Buffer.concat([header(program), ...imageOf(program, inputs)]), environment)
  const mutable = output.subarray(8)
  for (const [id, bytes] of inputs) {
    const at = program.offsets.get(id)!
    assert.ok(mutable.subarray(at, at + bytes.length).equals(bytes), `input ${program.buffers.get(id)!.name} has changed`)
  }
  return {
    fault: Number(output.readBigInt64LE(0)),
    read(buffer) {
      const at = program.offsets.get(buffer)!
      return new Uint8Array(mutable.subarray(at, at + program.buffers.get(buffer)!.bytes))
    },
  }
}

/** Runs all cases of a suite as one program and checks their outputs. */
export async function executeSuite(machine: Machine, suite: KernelSuite): Promise<void> {
  const program = programOf(suite.cases, machine.level, machine.gap)
  const executable = await compileExecutable(machine, program)
  try {
    const { fault, read } = await executable.run(inputsOf(program, suite.cases))
    assert.is(fault, 0)
    suite.check(outputsOf(program).map(read))
  } finally {
    executable.close()
  }
}

/** The same for random graphs, through the whole pipeline. */
export async function executeGraphs(machine: Machine, { graph, inputs, check }: GraphSuite): Promise<void> {
  const compiled = compileGraph(graph, { target: targetOf(machine.level), evaluate, verify: true }).program
  const program = shareConstants([compiled]).programs[0]!
  const executable = await compileExecutable(machine, program)
  try {
    const nameOf = (id: BufferId) => program.buffers.get(id)!.name
    const { fault, read } = await executable.run(new Map(program.inputs.map((id) => [id, inputs[nameOf(id)]!])))
    assert.is(fault, 0)
    check(Object.fromEntries(program.outputs.map((id) => [nameOf(id), read(id)])))
  } finally {
    executable.close()
  }
}

/** What the pipeline asks of a target at a level; its code is never made. */
export const targetOf = (level: Level): Target => ({
  name: 'executable',
  level: level.name,
  ...answersAt(level),
  unsupported: (node) => (node.bodies || hasKernel(node.op) ? undefined : `there is no kernel for ${node.op}`),
  emit: async () => ({ kind: 'addon', level: level.name, extension: 'c', bytes: new Uint8Array(), source: '', toolchain: {} }),
})

const regions = ['constants', 'mutable', 'activations'] as const

/** Constants, then inputs and outputs; what lies between is a pattern that nobody may rely on. */
function imageOf(program: Program, inputs: ReadonlyMap<BufferId, Uint8Array>): Buffer[] {
  const constants = Buffer.alloc(program.regions.constants, 0xa5)
  const mutable = Buffer.alloc(program.regions.mutable, 0xa5)
  for (const { buffers, offsets } of programsWithin(program)) {
    for (const buffer of buffers.values()) {
      if (buffer.kind !== 'constant') continue
      const dense = buffer.data.read()
      constants.set(buffer.packing ? buffer.packing.pack(dense) : dense, offsets.get(buffer.id)!)
    }
  }
  for (const [id, bytes] of inputs) mutable.set(bytes, program.offsets.get(id)!)
  return [constants, mutable]
}

/** What `executable.c` reads first. */
function header(program: Program): Buffer {
  const holes = regions.flatMap((region, index) => holesOf(program, region).map(([from, bytes]) => [index, from, bytes]))
  const { constants, mutable, activations } = program.regions
  const numbers = [constants, mutable, activations, holes.length, 0, ...holes.flat()]
  return Buffer.from(BigUint64Array.from(numbers, BigInt).buffer)
}

/** The parts of a region where no buffer lies. */
function holesOf(program: Program, region: (typeof regions)[number]): [from: number, bytes: number][] {
  // Of bodies, constants alone lie in a region of the program.
  const programs = region === 'constants' ? [...programsWithin(program)] : [program]
  const taken = programs
    .flatMap(({ buffers, offsets }) =>
      [...buffers.values()]
        .filter((buffer) => regionOf(buffer) === region)
        .map((buffer): [number, number] => [offsets.get(buffer.id)!, storedBytes(buffer)]),
    )
    .sort((a, b) => a[0] - b[0])
  const holes: [number, number][] = []
  let end = 0
  for (const [from, bytes] of [...taken, [program.regions[region], 0] as const]) {
    if (from > end) holes.push([end, from - end])
    end = Math.max(end, from + bytes)
  }
  return holes
}

function pipe(command: readonly string[], input: Buffer, environment: Readonly<Record<string, string>>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { env: { ...process.env, ...environment } })
    const output: Buffer[] = []
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk
    })
    // A program that ends early says why elsewhere.
    child.stdin.on('error', () => undefined)
    child.on('error', reject)
    child.on('close', (status, signal) => {
      if (status === 0 && said === '') resolve(Buffer.concat(output))
      else reject(new Error(`${command.join(' ')} ended with ${signal ?? status}\n${said.slice(0, 6000)}`))
    })
    child.stdin.end(input)
  })
}

/** Runs a compiler, which must have nothing to say. */
function runCompiler(command: readonly string[], folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(command[0]!, command.slice(1), { cwd: folder, maxBuffer: 2 ** 24 }, (error, output, said) => {
      if (!error && said === '') resolve()
      else reject(new Error(`${command.join(' ')}\n${(output + said).slice(0, 6000) || error}`))
    })
  })
}
