import type { Buffer, BufferId } from '../instructions/instruction.ts'
import { printInstructions } from '../instructions/print.ts'
import { lifetimesOf } from './allocate.ts'
import type { Program } from './program.ts'
import { describeRenewal } from './renewal.ts'

const pad = (value: number, width: number): string => String(value).padStart(width)

/**
 * The memory map, then the instructions. In the map every buffer with storage of its own stands in its region by rising address;
 * activations with the instructions between which they are live.
 */
export function printProgram(program: Program): string {
  const { regions, lowerBound, unshared, alignment } = program
  const lifetimes = lifetimesOf(program)
  const efficiency = regions.activations === 0 ? 100 : (100 * lowerBound) / regions.activations

  function region(title: string, bytes: number, kinds: readonly Buffer['kind'][]): string[] {
    const buffers = [...program.buffers.values()].filter(
      (buffer) => kinds.includes(buffer.kind) && program.offsets.has(buffer.id),
    )
    const at = (id: BufferId) => program.offsets.get(id)!
    const width = String(bytes).length
    const lines = buffers
      .sort((a, b) => at(a.id) - at(b.id) || (lifetimes.get(a.id)?.start ?? a.id) - (lifetimes.get(b.id)?.start ?? b.id))
      .map((buffer) => {
        const lifetime = lifetimes.get(buffer.id)
        const live = lifetime ? `  live ${lifetime.start} to ${lifetime.end}` : ''
        const renewal = buffer.kind === 'state' ? `  ${describeRenewal(program, buffer.id)}` : ''
        return `    ${pad(at(buffer.id), width)} ${pad(at(buffer.id) + buffer.bytes, width)}  %${buffer.id} ${buffer.kind} ${JSON.stringify(buffer.name)}${live}${renewal}`
      })
    return [`  ${title}: ${bytes} bytes`, ...lines]
  }

  return [
    `program ${JSON.stringify(program.name)}, aligned to ${alignment}`,
    ...region('constants', regions.constants, ['constant']),
    ...region('mutable', regions.mutable, ['input', 'output']),
    ...(regions.state ? region('state', regions.state, ['state']) : []),
    ...region('activations', regions.activations, ['activation', 'scratch']),
    `    at least ${lowerBound} bytes are live at one time, ${efficiency.toFixed(1)} % of what is used; ${unshared} bytes if nothing were shared`,
    '',
    printInstructions(program),
  ].join('\n')
}
