import { printLocation, printType } from '../graph/index.ts'
import type { Buffer, BufferId, Instruction, InstructionList } from './instruction.ts'
import { isPlain } from './place.ts'

const value = (id: BufferId): string => `%${id}`

/** `%3 = constant "conv1.weight" packed nchw16: f32[16, 3, 3, 3], 1728 bytes` */
export function printBuffer(buffer: Buffer): string {
  const name = JSON.stringify(buffer.name)
  if (buffer.kind === 'scratch') return `${value(buffer.id)} = scratch ${name}: ${buffer.bytes} bytes`
  const packed = buffer.kind === 'constant' && buffer.packing ? ` packed ${buffer.packing.key}` : ''
  const source = buffer.kind === 'view' ? ` of ${value(buffer.of)} + ${buffer.offset}${buffer.renewed ? ', renewed' : ''}` : ''
  return `${value(buffer.id)} = ${buffer.kind} ${name}${packed}${source}: ${printType(buffer.type)}, ${buffer.bytes} bytes`
}

export function printInstruction(instruction: Instruction): string {
  switch (instruction.kind) {
    case 'alloc':
    case 'dealloc':
      return `${instruction.kind} ${value(instruction.buffer)}`
    case 'copy': {
      const { from, to, rows, rowBytes, fromStride, toStride } = instruction
      const shape = isPlain(instruction)
        ? `${rows * rowBytes} bytes`
        : `${rows} x ${rowBytes} bytes, ${fromStride} and ${toStride} apart`
      return `copy @in ${value(from)}, @out ${value(to)}: ${shape}`
    }
    case 'call': {
      const source = instruction.locations.find((location) => location.kind === 'source')
      const operands = instruction.operands.map((operand) => `@${operand.qualifier} ${value(operand.buffer)}`).join(', ')
      return `call ${instruction.name} ${operands}${source ? `  // ${printLocation(source)}` : ''}`
    }
  }
}

/** Buffers, then instructions with their numbers. */
export function printInstructions(list: InstructionList): string {
  return [
    `instructions ${JSON.stringify(list.name)}`,
    ...[...list.buffers.values()].map((buffer) => `  ${printBuffer(buffer)}`),
    '',
    ...list.instructions.map((instruction, i) => `  ${i}: ${printInstruction(instruction)}`),
    '',
  ].join('\n')
}
