import { explain, fail } from '../../error.ts'
import { engine } from '../../source.ts'
import { arrayOf, type TensorArray } from '../../tensor.ts'
import type { ServedEntry } from '../api.ts'
import type { Placement } from '../placement.ts'
import type { ReadPlacement } from '../readPlacement.ts'
import type { RecordedFlow } from '../record.ts'
import type { SessionOptions } from './session.ts'

/** What sessions of a model with states carry from outputs to inputs, and begin with; undefined where the model declares none. */
export function carriedOf({ placement, place }: ReadPlacement): SessionOptions | undefined {
  const states = placement.states?.filter(({ kept }) => !kept)
  if (!states) return undefined
  const initial = states.flatMap(({ input, dtype, initial: file }): [string, TensorArray][] => {
    if (!file) return []
    const bytes = new Uint8Array(file.bytes)
    const from = place!(file.file)
    try {
      engine().readInto(bytes, from, file.bytes, 0, file.digest)
    } catch (error) {
      throw explain(error, { place: from, bytes: file.bytes })
    }
    return [[input, new (arrayOf(dtype))(bytes.buffer, 0)]]
  })
  return {
    carry: Object.fromEntries(states.map(({ input, output }) => [input, output])),
    initial: Object.fromEntries(initial),
  }
}

/** The entry; where it has states, its requests are refused: it runs in sessions alone. */
export function guarded<E extends ServedEntry<any, any>>({ model, states = [] }: Placement, flow: RecordedFlow, entry: E): E {
  const isState = (end: 'input' | 'output', tensors: readonly { readonly name: string }[]) =>
    states.some((state) => !state.kept && tensors.some(({ name }) => name === state[end]))
  const hasState =
    flow.steps.some(({ program }) => program.state) || isState('input', flow.inputs) || isState('output', flow.outputs)
  if (!hasState) return entry
  return {
    ...entry,
    run: async () =>
      fail(
        'session-needed',
        `model '${model}' keeps state: entry '${flow.entry}' runs in sessions alone, const session = server.session()`,
      ),
  }
}
