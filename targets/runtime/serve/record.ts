import type { TensorSignature } from '../manifest.ts'
import { byteSize } from '../tensor.ts'
import type { CardPart, CardProgram } from './card.ts'
import type { InputUse, PlacedSource, Placement, ReadRange } from './placement.ts'

/** The host's own processor, as the index of a card. */
export const hostCard = -1

/** Where an input of a step comes from. */
export type RecordedInput =
  | { readonly kind: 'request'; readonly input: number; readonly bytes: number; readonly reads: Reads }
  | { readonly kind: 'step'; readonly step: number; readonly output: number; readonly bytes: number; readonly reads: Reads }

/** What is read of it, where not all is. */
type Reads = readonly ReadRange[] | undefined

/** A run of a part, as it is done for every request. */
export interface RecordedStep {
  readonly index: number
  readonly program: CardProgram
  /** Cards that may run it. */
  readonly on: readonly number[]
  readonly inputs: readonly RecordedInput[]
  /** How many steps it reads of, and those that read of it. */
  readonly waits: number
  readonly readers: readonly number[]
}

/** How an entry is run: recorded at load, the same for all requests. */
export interface RecordedFlow {
  readonly index: number
  readonly entry: string
  readonly inputs: readonly TensorSignature[]
  readonly outputs: readonly TensorSignature[]
  readonly steps: readonly RecordedStep[]
  readonly sources: readonly PlacedSource[]
  readonly uses: readonly InputUse[]
  /** Bytes of the inputs and of the outputs of a request. */
  readonly bytes: { readonly inputs: number; readonly outputs: number }
}

export interface Recorded {
  readonly programs: readonly CardProgram[]
  readonly flows: readonly RecordedFlow[]
  /** Milliseconds that a run of a program takes, modelled. */
  readonly modelled: readonly number[]
}

const sumOf = (tensors: readonly TensorSignature[]): number => tensors.reduce((sum, tensor) => sum + byteSize(tensor), 0)

/** Numbers the programs of a model, and writes down how requests go through them. */
export function record({ entries, parts, flows }: Placement, loaded: readonly CardPart[]): Recorded {
  const programs: CardProgram[] = []
  const programOf = loaded.map(
    ({ loaded: { entries }, located: { manifest } }, part) =>
      new Map(
        entries.map((placed, entry) => {
          const { state } = manifest.entries[entry]!
          const program = { id: programs.length, part, entry, placed, ...(state && { state }) }
          programs.push(program)
          return [placed.name, program]
        }),
      ),
  )
  const recorded = flows.map(({ steps, outputs: sources, uses }, index): RecordedFlow => {
    const reads = steps.map(({ inputs }) => new Set(inputs.flatMap((source) => ('step' in source ? [source.step] : []))))
    const { name, inputs, outputs } = entries[index]!
    return {
      index,
      entry: name,
      inputs,
      outputs,
      sources,
      uses,
      bytes: { inputs: sumOf(inputs), outputs: sumOf(outputs) },
      steps: steps.map(({ part, entry, inputs, reads: ranges }, step) => {
        const program = programOf[part]!.get(entry)!
        const { on } = parts[part]!
        return {
          index: step,
          program,
          on: on === 'host' ? [hostCard] : on,
          inputs: inputs.map((source, i) => {
            const { bytes } = program.placed.inputs[i]!
            return 'input' in source
              ? { kind: 'request', input: source.input, bytes, reads: ranges?.[i] ?? undefined }
              : { kind: 'step', step: source.step, output: source.output, bytes, reads: ranges?.[i] ?? undefined }
          }),
          waits: reads[step]!.size,
          readers: steps.flatMap((_, reader) => (reads[reader]!.has(step) ? [reader] : [])),
        }
      }),
    }
  })
  const modelled = programs.map(({ part }) => parts[part]!.seconds * 1e3)
  return { programs, flows: recorded, modelled }
}

/** Bytes that a request of an entry sends over links: inputs of cards that are not made there, and outputs that cards give to the host. */
export function crossingBytes({ steps, sources, outputs }: RecordedFlow): number {
  const isTogether = (a: readonly number[], b: readonly number[]) => a.length === 1 && b.length === 1 && a[0] === b[0]
  const host = [hostCard]
  let sum = 0
  for (const { on, inputs } of steps)
    for (const input of inputs) if (!isTogether(on, input.kind === 'request' ? host : steps[input.step]!.on)) sum += input.bytes
  sources.forEach((source, i) => {
    if ('step' in source && !isTogether(steps[source.step]!.on, host)) sum += byteSize(outputs[i]!)
  })
  return sum
}
