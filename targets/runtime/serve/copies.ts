import { fail } from '../error.ts'
import type { Located } from '../locate.ts'
import { engine } from '../source.ts'
import { type Placement, placementFormat } from './placement.ts'
import type { ReadPlacement } from './readPlacement.ts'

/** Name of the one part of a model that is not cut. */
export const wholePart = 'whole'

/** Seconds that a run is taken to take until one has been measured. */
const unknownSeconds = 1e-3

/** The placement of a bundle that has none: the whole model on every card. */
export function copiesOf(located: Located, cards: number): ReadPlacement {
  const { glowplug, model, entries, buckets, weights, state } = located.manifest
  if (state)
    fail(
      'session-needed',
      `model '${model}' keeps state: build it with the option platform to serve it in sessions on cards, or open it and call session()`,
    )
  const placement: Placement = {
    format: placementFormat,
    glowplug,
    model,
    platform: 'copies',
    cards: Array.from({ length: cards }, (_, card) => `card${card}`),
    entries,
    ...(buckets && { buckets }),
    parts: [{ name: wholePart, on: Array.from({ length: cards }, (_, card) => card), bundle: weights, seconds: unknownSeconds }],
    flows: entries.map(({ name, inputs, outputs }) => ({
      steps: [{ part: 0, entry: name, inputs: inputs.map((_, input) => ({ input })) }],
      outputs: outputs.map((_, output) => ({ step: 0, output })),
      uses: inputs.map(() => ({})),
    })),
    plan: undefined,
  }
  return { placement, bundles: [located] }
}

const hashes = new WeakMap<ReadPlacement, string>()

/** Eight hexadecimal digits that are others where code, weights or the way of values through parts are others. */
export function hashOf(read: ReadPlacement): string {
  const known = hashes.get(read)
  if (known) return known
  const { entries, parts, flows } = read.placement
  // How many cards there are is no part of it.
  const bundles = parts.map(({ name, bundle: { digest } }) => [name, digest])
  const codes = read.bundles.map(({ manifest }) => manifest.codes.map(({ digest }) => digest))
  const text = JSON.stringify([entries, bundles, flows, codes])
  const hash = engine().sha256(new TextEncoder().encode(text)).slice(7, 15)
  hashes.set(read, hash)
  return hash
}
