import { assertInvariant } from '../../compiler/graph/problem.ts'
import type { Buffer, BufferId, Copy, Instruction } from '../../compiler/instructions/instruction.ts'
import type { Program } from '../../compiler/memory/program.ts'
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

/**
 * One C file for a program: types, the helpers that kernels use, one function for each kernel, and the entry
 * `int NAME(constants, mutable, activations)`, which calls them in order and returns 0, or n when the n-th checked call found a fault.
 */
export function programText(
  program: Program,
  level: Level,
  entry: { readonly name: string; readonly attributes: string },
): string {
  const origins = new Map<string, string>()
  for (const instruction of program.instructions) {
    if (instruction.kind === 'call' && !origins.has(instruction.name))
      origins.set(instruction.name, locationText(instruction.locations))
  }
  const kernels = [...program.kernels].flatMap(([name, kernel]) => [
    '',
    ...kernelFunction(name, kernel, level, origins.get(name) ?? 'derived'),
  ])
  const body = entryLines(program)
  const text = [...kernels, ...body].join('\n')
  const needed = neededHelpers(helpers, text)
  return [
    `/* ${commentText(program.name)}, ${level.name} */`,
    baseText(level),
    ...needed.flatMap((helper) => [`/* ${helper.about} */`, helper.text]),
    text,
    '',
  ].join('\n')

  function entryLines({ instructions }: Program): string[] {
    let faults = 0
    const lines = instructions.flatMap((instruction): string[] => {
      const call = callText(program, instruction)
      if (!call) return []
      if (instruction.kind === 'call' && isChecked(instruction.kernel)) return [`if (${call}) return ${++faults};`]
      return [`${call};`]
    })
    const parameters = ['constants', 'mutable', 'activations']
    const used = lines.join('\n')
    return [
      '',
      `${entry.attributes}int ${entry.name}(${parameters.map((parameter) => `char *${parameter}`).join(', ')}) {`,
      ...indent([
        ...parameters.filter((parameter) => !used.includes(parameter)).map((parameter) => `(void)${parameter};`),
        ...lines,
        'return 0;',
      ]),
      '}',
    ]
  }
}

function callText(program: Program, instruction: Instruction): string | undefined {
  if (instruction.kind === 'copy') return copyText(program, instruction)
  if (instruction.kind !== 'call') return undefined
  const { kernel, operands, name } = instruction
  const list = operands.map(({ buffer }, i) => {
    const input = kernel.inputs[i]
    if (input) return `(const ${storageType[input.type.dtype]} *)${addressText(program, buffer)}`
    return i === kernel.inputs.length
      ? `(${storageType[kernel.result.dtype]} *)${addressText(program, buffer)}`
      : addressText(program, buffer)
  })
  return `${identifier(name)}(${list.join(', ')})`
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
