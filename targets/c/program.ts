import type { Kernel } from '../../compiler/fuse/kernel.ts'
import { kernelSignature } from '../../compiler/fuse/print.ts'
import { assertInvariant } from '../../compiler/graph/problem.ts'
import type { Buffer, BufferId, Copy, Instruction } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/program.ts'
import type { EntryProgram } from '../../compiler/target.ts'
import { isChecked, kernelFunction } from './function.ts'
import type { Level } from './level.ts'
import { baseText, helpers, neededHelpers } from './prelude/index.ts'
import { storageType } from './scalar.ts'
import { commentText, identifier, indent, locationText } from './text.ts'

/** Parameters of the entry function: where the regions lie. */
const regionOf = {
  constant: 'constants',
  input: 'mutable',
  output: 'mutable',
  activation: 'activations',
  scratch: 'activations',
} as const

export interface ProgramTextOptions {
  /** What stands before the function of an entry, given the name under which it is exported; ends with a space unless empty. */
  attributes(exported: string): string
}

/**
 * One C file for the entries of a model: types, the helpers that kernels use, one function for each kernel, and for each entry
 * `int EXPORT(constants, mutable, activations)`, which calls them in order and returns 0, or n when the n-th checked call of that entry
 * found a fault. Equal kernels of several entries are one function; different ones of one name get another.
 */
export function programText(
  name: string,
  entries: readonly EntryProgram[],
  level: Level,
  { attributes }: ProgramTextOptions,
): string {
  const functions = nameKernels(entries)
  const origins = new Map<string, string>()
  for (const { program } of entries) {
    for (const instruction of program.instructions) {
      if (instruction.kind !== 'call') continue
      const called = functions.nameOf(program, instruction.name)
      if (!origins.has(called)) origins.set(called, locationText(instruction.locations))
    }
  }
  const kernels = [...functions.kernels].flatMap(([called, kernel]) => [
    '',
    ...kernelFunction(called, kernel, level, origins.get(called) ?? 'derived'),
  ])
  const bodies = entries.flatMap((entry) => entryLines(entry, functions.nameOf, attributes(exportName(entry.export))))
  const text = [...kernels, ...bodies].join('\n')
  const needed = neededHelpers(helpers, text)
  return [
    `/* ${commentText(name)}, ${level.name} */`,
    baseText(level),
    ...needed.flatMap((helper) => [`/* ${helper.about} */`, helper.text]),
    text,
    '',
  ].join('\n')
}

type NameOf = (program: Program, own: string) => string

interface KernelNames {
  /** Each distinct kernel under the name of its function. */
  readonly kernels: ReadonlyMap<string, Kernel>
  /** The name of the function that a program calls by a name of its own. */
  readonly nameOf: NameOf
}

/** Programs name their kernels apart; in one file equal kernels share a name, and others must not. */
function nameKernels(entries: readonly EntryProgram[]): KernelNames {
  const names = new Map<string, string>()
  const kernels = new Map<string, Kernel>()
  const called = new Map<Program, Map<string, string>>()
  for (const { program } of entries) {
    const own = new Map<string, string>()
    for (const [base, kernel] of program.kernels) {
      const signature = kernelSignature(kernel)
      let name = names.get(signature)
      if (name === undefined) {
        name = base
        for (let n = 2; kernels.has(name); n++) name = `${base}_${n}`
        names.set(signature, name)
        kernels.set(name, kernel)
      }
      own.set(base, name)
    }
    called.set(program, own)
  }
  const nameOf: NameOf = (program, own) => {
    const name = called.get(program)?.get(own)
    assertInvariant(name, `call of '${own}', which is not among the program's kernels`)
    return name
  }
  return { kernels, nameOf }
}

/** Exported names have no `_`, so that no kernel can bear one. */
function exportName(name: string): string {
  assertInvariant(/^[a-z][A-Za-z0-9]{0,63}$/.test(name), `exported name ${JSON.stringify(name)} is not a safe identifier`)
  return name
}

function entryLines({ entry, export: exported, program }: EntryProgram, nameOf: NameOf, attributes: string): string[] {
  let faults = 0
  const lines = program.instructions.flatMap((instruction): string[] => {
    const call = callText(program, instruction, nameOf)
    if (!call) return []
    if (instruction.kind === 'call' && isChecked(instruction.kernel)) return [`if (${call}) return ${++faults};`]
    return [`${call};`]
  })
  const parameters = ['constants', 'mutable', 'activations']
  const used = lines.join('\n')
  return [
    '',
    `/* ${commentText(entry)} */`,
    `${attributes}int ${exported}(${parameters.map((parameter) => `char *${parameter}`).join(', ')}) {`,
    ...indent([
      ...parameters.filter((parameter) => !used.includes(parameter)).map((parameter) => `(void)${parameter};`),
      ...lines,
      'return 0;',
    ]),
    '}',
  ]
}

function callText(program: Program, instruction: Instruction, nameOf: NameOf): string | undefined {
  if (instruction.kind === 'copy') return copyText(program, instruction)
  if (instruction.kind !== 'call') return undefined
  const { kernel, operands, name } = instruction
  const list = operands.map(({ buffer }, i) => {
    const input = kernel.inputs[i]
    if (input) return `(const ${storageType[input.type.dtype]} *)${addressText(program, buffer)}`
    const result = kernel.results[i - kernel.inputs.length]
    return result ? `(${storageType[result.type.dtype]} *)${addressText(program, buffer)}` : addressText(program, buffer)
  })
  return `${identifier(nameOf(program, name))}(${list.join(', ')})`
}

function copyText(program: Program, { from, to, rows, rowBytes, fromStride, toStride }: Copy): string | undefined {
  if (rows <= 0 || rowBytes <= 0) return undefined
  const [target, source] = [addressText(program, to), addressText(program, from)]
  if (rows === 1 || (fromStride === rowBytes && toStride === rowBytes)) return `gp_copy(${target}, ${source}, ${rows * rowBytes})`
  return `gp_copy_rows(${target}, ${source}, ${rows}, ${rowBytes}, ${toStride}, ${fromStride})`
}

function bufferOf(program: Program, id: BufferId): Buffer {
  const buffer = program.buffers.get(id)
  assertInvariant(buffer, `no buffer ${id}`)
  return buffer
}

function addressText(program: Program, id: BufferId): string {
  let root = bufferOf(program, id)
  while (root.kind === 'view') root = bufferOf(program, root.of)
  const offset = program.offsets.get(id)
  assertInvariant(offset !== undefined, `buffer ${id} has no address`)
  return `(${regionOf[root.kind]} + ${offset})`
}
