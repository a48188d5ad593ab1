import type { Located } from './locate.ts'
import type { CodeEntry } from './manifest.ts'
import type { Plan, TensorInfo } from './plan.ts'
import { byteSize } from './tensor.ts'

/** What instances of this code are made from. */
export function planOf({ manifest, place }: Located, { entries, weights }: CodeEntry, code: Plan['code']): Plan {
  const largest = (region: 'mutable' | 'activations') => Math.max(...entries.map(({ regions }) => regions[region]))
  return {
    code,
    entries: entries.map((entry, e) => {
      const addressed = (key: 'inputs' | 'outputs'): TensorInfo[] =>
        manifest.entries[e]![key].map((tensor, i) => ({
          ...tensor,
          shape: Object.freeze(tensor.shape),
          offset: entry[key][i]!,
          bytes: byteSize(tensor),
        }))
      return { ...entry, inputs: addressed('inputs'), outputs: addressed('outputs') }
    }),
    mutable: largest('mutable'),
    activations: largest('activations'),
    place: place(manifest.weights.file),
    bytes: manifest.weights.bytes,
    weights,
  }
}
