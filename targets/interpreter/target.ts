import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { denseStrides, hasTrait } from '../../compiler/graph/index.ts'
import { controlScratch } from '../../compiler/memory/control.ts'
import type { Program } from '../../compiler/memory/program.ts'
import type { Code, EntryProgram, Target } from '../../compiler/target.ts'
import { execute, type MachineProgram } from './machine.ts'
import { executeObserved, type Observer } from './observe.ts'
import { isComputed } from './primitives.ts'
import { printLiteral, resolveProgram } from './resolve.ts'
import machineText from './standalone.ts?source'

/**
 * Compiles to a JavaScript function that returns what a module of WebAssembly exports. Its entries execute the programs on real memory:
 * fusion, instruction order, sharing and addresses are all exercised, arithmetic is the oracle's. It keeps no composite.
 */
export const interpreter: Target = {
  name: 'interpreter',
  level: 'any',
  keeps: new Set(),
  unsupported: (node) =>
    hasTrait(node, 'storage') || node.bodies || isComputed(node.op) ? undefined : `the interpreter has no row for '${node.op}'`,
  fusesAfter: () => true,
  fusesBefore: () => true,
  runsTogether: () => true,
  // A step of a position is a call of a function; memory is never what it waits for.
  rates: {
    operationsPerSecond: 5e7,
    bytesPerSecond: 1e9,
    cachedBytesPerSecond: 1e9,
    cachedBytes: 2 ** 20,
    callNanoseconds: 5000,
  },
  maximumSteps: 64,
  inPlace: readsOnlyInPlace,
  storesRows: () => true,
  scratch: controlScratch,
  pack: () => undefined,
  alignment: 64,
  emit,
}

/**
 * A position's loads happen before its store, so sharing is safe where every load of the input is of the position itself. An anchor is computed
 * whole before anything is stored.
 */
function readsOnlyInPlace(kernel: Kernel, index: number): boolean {
  if (kernel.prologue?.some((step) => step.kind === 'load' && step.input === index)) return false
  const dense = denseStrides(kernel.domain)
  return kernel.steps.every(
    (step) =>
      step.kind !== 'load' ||
      step.input !== index ||
      (step.access.offset === 0 &&
        step.access.strides.every((stride, axis) => stride === dense[axis] || kernel.domain[axis] === 1)),
  )
}

async function emit(_name: string, entries: readonly EntryProgram[]): Promise<Code> {
  const machines = printLiteral(Object.fromEntries(entries.map((entry) => [entry.export, resolveProgram(entry.program)])))
  const text = `(GLOWPLUG_MEMORY=>{const GLOWPLUG_PROGRAMS=${machines},GLOWPLUG_EXPORTS={};\n${machineText}\nreturn GLOWPLUG_EXPORTS})`
  return { kind: 'module', level: 'any', extension: 'js', bytes: new TextEncoder().encode(text), source: machines, toolchain: {} }
}

const resolved = new WeakMap<Program, MachineProgram>()

/**
 * Executes a program in this process. `constants`, `mutable`, `activations` and, where the model has states, `state` are byte offsets in `memory`
 * where the regions of `program.regions` begin; constants, inputs and states are in place. Returns 0, or n when the n-th call that checks its operands failed. An observer is told before and
 * after each instruction; without one nothing is added to what runs.
 */
export function runProgram(
  program: Program,
  memory: Uint8Array,
  constants: number,
  mutable: number,
  activations: number,
  observer?: Observer,
  state = 0,
): number {
  const machine = resolved.get(program) ?? resolveProgram(program)
  resolved.set(program, machine)
  const base = memory.byteOffset
  if (observer)
    return executeObserved(
      program,
      machine,
      memory.buffer,
      [base + constants, base + mutable, base + activations, base + state],
      observer,
    )
  return execute(machine, memory.buffer, base + constants, base + mutable, base + activations, base + state)
}
