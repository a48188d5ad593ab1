import { execute, type MachineProgram } from './machine.ts'

/** Defined by the text that `emit` puts in front of this module. */
declare const GLOWPLUG_PROGRAM: MachineProgram

export type Entry = (constants: number, mutable: number, activations: number) => number

/** The compiled program's entry over a memory. Arguments are the byte offsets of the three regions; the result is 0 or a fault code. */
export const instantiate = (memory: ArrayBufferLike): Readonly<Record<string, Entry>> => ({
  entry: (constants, mutable, activations) => execute(GLOWPLUG_PROGRAM, memory, constants, mutable, activations),
})
