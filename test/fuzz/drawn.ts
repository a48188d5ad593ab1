import type { Graph } from '../../compiler/graph/index.ts'
import { hasWords, isWritable } from '../support/modelSource.ts'
import { computedNames, entangledOps, mulberry, type RandomGraphOptions, randomGraph } from '../support/randomGraph.ts'
import { recipes } from './recipes.ts'
import { sketched } from './sketch.ts'

export interface Drawn {
  /** Name of the recipe. */
  readonly kind: string
  readonly graph: Graph
}

/** Ops side by side, without structure. In `parts`, those that only the compiler makes, or of whose values a model gets parts. */
const vocabularies: Readonly<Record<string, { readonly options: RandomGraphOptions; readonly weight: number }>> = {
  anything: { options: { maximumNodes: 14, accept: isWritable }, weight: 6 },
  edges: {
    options: { maximumNodes: 14, extents: [0, 1, 2, 3], dtypes: ['i64', 'i64', 'f32', 'f32', 'u8', 'bool'], accept: isWritable },
    weight: 2,
  },
  entangled: {
    options: { ops: entangledOps, dtypes: ['f32'], maximumNodes: 24, maximumElements: 200, accept: isWritable },
    weight: 2,
  },
  parts: {
    options: { ops: [...computedNames.filter((op) => !hasWords(op)), ...entangledOps], dtypes: ['f32'], maximumNodes: 8 },
    weight: 1,
  },
}

const bag: readonly string[] = Object.entries({ ...vocabularies, ...recipes }).flatMap(([name, { weight }]) =>
  new Array<string>(weight).fill(name),
)

/** The graph of a seed; with `kind`, one of that kind. */
export function drawGraph(seed: number, kind?: string): Drawn {
  const random = mulberry(Math.imul(seed, 0x9e3779b1))
  const chosen = kind ?? bag[Math.floor(random() * bag.length)]!
  const own = Math.floor(random() * 2 ** 31)
  const vocabulary = vocabularies[chosen]
  if (vocabulary) return { kind: chosen, graph: randomGraph(own, vocabulary.options) }
  return { kind: chosen, graph: sketched(own, recipes[chosen]!.recipe) }
}

export const kinds: readonly string[] = [...new Set(bag)]

/** Kinds whose graphs the vocabulary may have no words for: bodies are functions, and ops of `parts` have none. */
export const unwritten: ReadonlySet<string> = new Set(['turns', 'parts', 'lookups'])
