// Becomes text: the body of a function that `emit` writes around it, with these three in scope.
import { execute, type MachineProgram } from './machine.ts'

/** Calls one entry. Arguments are the byte offsets of its regions in the memory; the result is 0 or a fault code. */
export type Entry = (constants: number, mutable: number, activations: number, state?: number) => number

/** As of WebAssembly: `grow` adds pages of 64 KiB. */
interface Memory {
  buffer: ArrayBufferLike
  grow?(pages: number): void
}

/** What the function is given, if anything. */
declare const GLOWPLUG_MEMORY: Memory | undefined
/** The program of each entry under its exported name. */
declare const GLOWPLUG_PROGRAMS: Readonly<Record<string, MachineProgram>>
/** What the function returns; empty until this fills it in, with what a module of WebAssembly exports: loaders treat both alike. */
declare const GLOWPLUG_EXPORTS: Record<string, unknown>

const memory: Memory = GLOWPLUG_MEMORY ?? {
  buffer: new ArrayBuffer(0),
  grow(pages) {
    memory.buffer = new ArrayBuffer(memory.buffer.byteLength + pages * 65536)
  },
}

Object.assign(GLOWPLUG_EXPORTS, { memory, __heap_base: { value: 0 } })
for (const [name, program] of Object.entries(GLOWPLUG_PROGRAMS))
  GLOWPLUG_EXPORTS[name] = ((constants, mutable, activations, state) =>
    execute(program, memory.buffer, constants, mutable, activations, state)) satisfies Entry
