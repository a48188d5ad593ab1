import type { Graph } from '../../compiler/graph/index.ts'
import { isWritable } from '../support/modelSource.ts'
import { entangledOps, mulberry, type RandomGraphOptions, randomGraph } from '../support/randomGraph.ts'
import { recipes } from './recipes.ts'
import { sketched } from './sketch.ts'

export interface Drawn {
  /** Name of the recipe. */
  readonly kind: string
  readonly graph: Graph
}

/** Ops side by side, without structure. */
const vocabularies: Readonly<Record<string, { readonly options: RandomGraphOptions; readonly weight: number }>> = {
  anything: { options: { maximumNodes: 14 }, weight: 6 },
  edges: {
    options: { maximumNodes: 14, extents: [0, 1, 2, 3], dtypes: ['i64', 'i64', 'f32', 'f32', 'u8', 'bool'] },
    weight: 2,
  },
  entangled: {
    options: { ops: entangledOps, dtypes: ['f32'], maximumNodes: 24, maximumElements: 200 },
    weight: 2,
  },
}

const bag: readonly string[] = Object.entries({ ...vocabularies, ...recipes }).flatMap(([name, { weight }]) =>
  new Array<string>(weight).fill(name),
)

/** The graph of a seed; with `kind`, one of that kind. Always writable as DSL source. */
export function drawGraph(seed: number, kind?: string): Drawn {
  const random = mulberry(Math.imul(seed, 0x9e3779b1))
  const chosen = kind ?? bag[Math.floor(random() * bag.length)]!
  const own = Math.floor(random() * 2 ** 31)
  const vocabulary = vocabularies[chosen]
  if (vocabulary) return { kind: chosen, graph: randomGraph(own, { ...vocabulary.options, accept: isWritable }) }
  return { kind: chosen, graph: sketched(own, recipes[chosen]!.recipe) }
}

export const kinds: readonly string[] = [...new Set(bag)]
