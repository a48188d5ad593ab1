// Programs as real addons in this process.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { BufferId } from '../../compiler/instructions/instruction.ts'
import { programsWithin } from '../../compiler/memory/index.ts'
import type { Program } from '../../compiler/memory/program.ts'
import { hostPlatform } from '../../targets/native/candidates.ts'
import {
  type Compiler,
  CompilerMissing,
  findCompiler,
  nativeAvailable,
  nativeText,
  type PlatformName,
} from '../../targets/native/index.ts'
import { type NativeLevel, platforms } from '../../targets/native/levels.ts'
import { type Compiled, compileAddon } from '../../targets/native/toolchain.ts'
import type { Addon, NativeInstance } from '../../targets/runtime/addon.ts'
import { inputsOf, type KernelSuite, outputsOf, programOf } from '../support/kernelProgram.ts'

export const platform = hostPlatform as PlatformName

/**
 * Flags of sanitizers for everything these tests compile, from GLOWPLUG_SANITIZE. Node itself has none: their libraries are to be preloaded.
 */
export const sanitizers: readonly string[] = (process.env.GLOWPLUG_SANITIZE ?? '').split(' ').filter((flag) => flag !== '')

/** Levels of this machine, the most demanding first. */
export const levels = (): readonly NativeLevel[] => platforms[platform].levels

/** Ends this process, in peace, where nothing here makes addons: a test file that is about nothing else calls this first. */
export async function needsCompiler(what: string): Promise<void> {
  if ((await nativeAvailable()).ok) return
  console.log(`skipped: ${what} needs a C compiler`)
  process.exit()
}

/** A compiler by its command, or undefined where it is not installed. */
export async function compilerCalled(command: string): Promise<Compiler | undefined> {
  const before = process.env.CC
  process.env.CC = command
  try {
    return await findCompiler(platform)
  } catch (error) {
    if (error instanceof CompilerMissing) return undefined
    throw error
  } finally {
    if (before === undefined) delete process.env.CC
    else process.env.CC = before
  }
}

/** A folder that is removed when the process ends: what is loaded from it stays in use as long. */
export const folder = mkdtempSync(join(tmpdir(), 'glowplug-test-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
let files = 0

export function writeFile(bytes: Uint8Array, extension: string): string {
  const path = join(folder, `${process.pid}-${++files}.${extension}`)
  writeFileSync(path, bytes)
  return path
}

export function loadAddon(path: string): Addon {
  const module = { exports: {} }
  process.dlopen(module, path)
  return module.exports as Addon
}

/** The constants region of a program; of one with bodies, as `shareConstants` gives it. */
export function constantsOf(program: Program): Uint8Array {
  const bytes = new Uint8Array(program.regions.constants).fill(0xa5)
  for (const { buffers, offsets } of programsWithin(program)) {
    for (const buffer of buffers.values()) {
      if (buffer.kind !== 'constant') continue
      const dense = buffer.data.read()
      bytes.set(buffer.packing ? buffer.packing.pack(dense) : dense, offsets.get(buffer.id)!)
    }
  }
  return bytes
}

/** An ArrayBuffer with `bytes` bytes from an aligned address on; their offset is returned with it. */
export function regionOf(addon: Addon, bytes: number): { readonly region: ArrayBuffer; readonly start: number } {
  const region = new ArrayBuffer(bytes + 63)
  return { region, start: addon.lead(region) }
}

export interface Loaded {
  readonly addon: Addon
  readonly instance: NativeInstance
  write(buffer: BufferId, bytes: Uint8Array): void
  read(buffer: BufferId, bytes: number): Uint8Array
  run(): number
}

/** Weights lie 4096 bytes into a file, as in a bundle. */
export function load(program: Program, path: string): Loaded {
  const addon = loadAddon(path)
  assert.is(addon.lacks, undefined)
  const constants = constantsOf(program)
  const file = new Uint8Array(4096 + constants.length)
  file.set(constants, 4096)
  const instance = addon.open(writeFile(file, 'bin'), file.length, 4096, constants.length, program.regions.activations)
  const { region, start } = regionOf(addon, program.regions.mutable)
  new Uint8Array(region).fill(0xa5)
  return {
    addon,
    instance,
    write: (buffer, bytes) => new Uint8Array(region).set(bytes, start + program.offsets.get(buffer)!),
    read: (buffer, bytes) =>
      new Uint8Array(region).slice(start + program.offsets.get(buffer)!, start + program.offsets.get(buffer)! + bytes),
    run: () => addon.run(instance, 0, region, start),
  }
}

export const compileProgram = (program: Program, level: NativeLevel, compiler: Compiler): Promise<Compiled> =>
  compileAddon(nativeText(program.name, [{ entry: 'main', export: 'entry0', program }], level), level, compiler, sanitizers)

/** Compiles all cases of a suite as one addon, which must give no warning, runs it and checks the outputs. */
export async function runSuite(suite: KernelSuite, level: NativeLevel, compiler: Compiler): Promise<void> {
  const program = programOf(suite.cases, level.level)
  const { bytes, warnings } = await compileProgram(program, level, compiler)
  assert.is(warnings, '')
  const loaded = load(program, writeFile(bytes, 'node'))
  for (const [buffer, given] of inputsOf(program, suite.cases)) loaded.write(buffer, given)
  assert.is(loaded.run(), 0)
  suite.check(outputsOf(program).map((id) => loaded.read(id, program.buffers.get(id)!.bytes)))
  loaded.addon.close(loaded.instance)
}
