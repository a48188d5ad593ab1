import { fail } from '../../error.ts'
import type { TensorArray } from '../../tensor.ts'
import type { RecordedFlow } from '../record.ts'

/** Outputs of runs that become inputs of later ones: names of outputs by names of inputs. */
export type Carry = Readonly<Record<string, string>>

/** A value that a session carries, as an entry uses it. */
export interface CarriedUse {
  /** Index of the input that it is, or −1 where the entry does not read it, and of the output that is its next value, or −1. */
  readonly input: number
  readonly output: number
  /** The steps that read it, with their inputs, and the one that makes it. */
  readonly readers: readonly { readonly step: number; readonly input: number }[]
  readonly maker: { readonly step: number; readonly output: number } | undefined
}

export interface CarriedValue {
  /** Name of the input. */
  readonly name: string
  /** By flow. */
  readonly uses: readonly CarriedUse[]
  /**
   * The part that makes it and reads it, whose card holds it; −1 where several parts do, or a step after the one that makes it anew still reads
   * it: it goes through the host then.
   */
  readonly part: number
}

const isSame = (a: readonly number[], b: readonly number[]) => `${a}` === `${b}`

function useOf(flow: RecordedFlow, name: string, next: string): CarriedUse {
  const input = flow.inputs.findIndex((tensor) => tensor.name === name)
  const output = flow.outputs.findIndex((tensor) => tensor.name === next)
  const source = flow.sources[output]
  if (source && 'input' in source)
    fail('bad-option', `output '${next}' of entry '${flow.entry}' is an input as it came; carry only what the model computes`)
  const readers = flow.steps.flatMap(({ index, inputs }) =>
    inputs.flatMap((from, i) => (from.kind === 'request' && from.input === input ? [{ step: index, input: i }] : [])),
  )
  return { input, output, readers, maker: source && 'step' in source ? source : undefined }
}

/** What the entries make of values that are carried. Errors: `bad-option` where they do not fit together. */
export function planCarried(flows: readonly RecordedFlow[], carry: Carry): readonly CarriedValue[] {
  return Object.entries(carry).map(([name, next]) => {
    const uses = flows.map((flow) => useOf(flow, name, next))
    const readBy = flows.find((_, f) => uses[f]!.input >= 0)
    const madeBy = flows.find((_, f) => uses[f]!.output >= 0)
    if (!readBy) fail('bad-option', `carry: no entry has an input '${name}'`)
    if (!madeBy) fail('bad-option', `carry: no entry has an output '${next}'`)
    const tensors = flows.flatMap((flow, f) => {
      const { input, output } = uses[f]!
      return [flow.inputs[input], flow.outputs[output]].flatMap((tensor) => (tensor ? [{ ...tensor, entry: flow.entry }] : []))
    })
    const [first, ...others] = tensors
    const other = others.find(({ dtype, shape }) => dtype !== first!.dtype || !isSame(shape, first!.shape))
    if (other)
      fail(
        'bad-option',
        `carry: '${other.name}' of entry '${other.entry}' is ${other.dtype}[${other.shape}], '${first!.name}' of entry '${first!.entry}' is ${first!.dtype}[${first!.shape}]`,
      )
    const parts = flows.flatMap((flow, f) => {
      const { readers, maker } = uses[f]!
      const steps = [...readers, ...(maker ? [maker] : [])].map(({ step }) => step)
      // Read by another step than the one that makes it: that one may come later and find the new value.
      if (maker && readers.some(({ step }) => step !== maker.step)) return [-1]
      return steps.map((step) => flow.steps[step]!.program.part)
    })
    const part = parts.every((each) => each === parts[0]) ? parts[0]! : -1
    return { name, uses, part }
  })
}

/**
 * Where the current value is: on the host; an output of a program in the slot of the session; still in the inputs of an entry whose run failed
 * after it may have overwritten that output; nowhere, after a failed run of an entry that does not read what it makes.
 */
export type Whereabouts =
  | { readonly at: 'host'; readonly array: TensorArray }
  | { readonly at: 'output'; readonly program: number; readonly output: number }
  | { readonly at: 'inputs'; readonly flow: number }
  | { readonly at: 'nowhere' }

/** Where the value is after a run. `made`: the step that makes it was begun. */
export function whereAfter(
  before: Whereabouts,
  flow: RecordedFlow,
  { readers, maker }: CarriedUse,
  { succeeded, made }: { readonly succeeded: boolean; readonly made: boolean },
): Whereabouts {
  if (!maker) return before
  if (succeeded) return { at: 'output', program: flow.steps[maker.step]!.program.id, output: maker.output }
  // Inputs are only read, and outputs of other programs are not touched.
  if (!made || before.at !== 'output' || before.program !== flow.steps[maker.step]!.program.id) return before
  return readers.length > 0 ? { at: 'inputs', flow: flow.index } : { at: 'nowhere' }
}
