import { byteSize, type Graph, hasTrait, type Node } from '../graph/index.ts'
import { type Card, capacityOf, type Link } from './platform.ts'
import { loadOf, secondsOf } from './roofline.ts'

/** A run of nodes on one card: `from` … `to - 1` of the nodes that compute, in their order. */
export interface Stage {
  readonly card: number
  readonly from: number
  readonly to: number
  /** Weights and the most activations that it holds at once. */
  readonly bytes: number
  /** To receive what it reads, and to compute. */
  readonly seconds: number
}

export interface Staging {
  /** In order; together all nodes, each once. */
  readonly stages: readonly Stage[]
  /** Of the longest stage: requests follow each other that far apart. */
  readonly seconds: number
}

/** Places between nodes at which stages may end, at most: those where least has to cross. */
const mostPlaces = 400

interface Profile {
  readonly nodes: readonly Node[]
  /** Bytes of values made before each place and read behind it; one more than there are nodes. */
  readonly crossing: readonly number[]
  /** Bytes of values that live while each node runs. */
  readonly live: readonly number[]
}

/** What crosses and lives where, nodes running in their order. */
function profileOf(graph: Graph): Profile {
  const nodes = graph.nodes.filter((node) => !hasTrait(node, 'storage'))
  const position = new Map(nodes.map((node, i) => [node, i]))
  const last = new Map<Node, number>()
  nodes.forEach((node, i) => {
    for (const operand of node.operands) if (!operand.data) last.set(operand, i)
  })
  for (const { value } of graph.outputs) if (position.has(value)) last.set(value, nodes.length)
  const steps = new Array<number>(nodes.length + 2).fill(0)
  const alive = new Array<number>(nodes.length + 1).fill(0)
  for (const [value, end] of last) {
    const made = position.get(value)
    const bytes = byteSize(value.type)
    // An input is sent to whoever reads it; it crosses no place by itself.
    if (made !== undefined) {
      steps[made + 1]! += bytes
      steps[end + 1]! -= bytes
    }
    alive[made ?? 0]! += bytes
    alive[Math.min(end + 1, nodes.length)]! -= bytes
  }
  const sums = (changes: readonly number[], count: number) => {
    let sum = 0
    return Array.from({ length: count }, (_, i) => (sum += changes[i]!))
  }
  return { nodes, crossing: sums(steps, nodes.length + 1), live: sums(alive, nodes.length) }
}

/** Places where stages may end: the first and the last, and of the others those where least crosses. */
function choosePlaces({ nodes, crossing }: Profile): readonly number[] {
  const inner = Array.from({ length: Math.max(0, nodes.length - 1) }, (_, i) => i + 1)
  if (inner.length > mostPlaces) inner.sort((a, b) => crossing[a]! - crossing[b]! || a - b).length = mostPlaces
  return [0, ...inner.sort((a, b) => a - b), nodes.length]
}

const transferSeconds = (bytes: number, { bytesPerSecond, latencySeconds }: Link): number =>
  bytes === 0 ? 0 : latencySeconds + bytes / bytesPerSecond

/**
 * Parts a graph into stages on cards in their order, so that the longest stage is as short as it can be and each fits into the memory of its
 * card (PA-06, PA-07: edges lead forward alone). As few cards as give that. Constants that several stages read are in each of them. Undefined
 * where the graph fits in no such way. Exact over the places that are looked at: all of them up to 400.
 */
export function chooseStages(graph: Graph, cards: readonly Card[]): Staging | undefined {
  const profile = profileOf(graph)
  const { nodes, crossing, live } = profile
  const places = choosePlaces(profile)
  const seconds = new Map<string, readonly number[]>()
  for (const card of cards)
    if (!seconds.has(card.type)) {
      let sum = 0
      seconds.set(card.type, [0, ...nodes.map((node) => (sum += secondsOf(loadOf(node, card), card)))])
    }
  /** For each place the best that the cards so far do with all before it. */
  let best: readonly (Staging | undefined)[] = places.map((place) => (place === 0 ? { stages: [], seconds: 0 } : undefined))
  let found: Staging | undefined
  cards.forEach((card, index) => {
    const before = best
    const next: (Staging | undefined)[] = places.map(() => undefined)
    places.slice(0, -1).forEach((from, i) => {
      const prior = before[i]
      if (!prior || (index > 0 && i === 0)) return
      let weights = 0
      let most = 0
      const constants = new Set<Node>()
      for (let j = i + 1; j < places.length; j++) {
        const to = places[j]!
        for (let n = places[j - 1]!; n < to; n++) {
          most = Math.max(most, live[n]!)
          for (const operand of nodes[n]!.operands)
            if (operand.data && !constants.has(operand)) {
              constants.add(operand)
              weights += byteSize(operand.type)
            }
        }
        const bytes = weights + most
        if (bytes > capacityOf(card)) break
        const computing = seconds.get(card.type)!
        const time = transferSeconds(crossing[from]!, card.link) + card.launchSeconds + computing[to]! - computing[from]!
        const bottleneck = Math.max(prior.seconds, time)
        const known = next[j]
        if (known && known.seconds <= bottleneck) continue
        next[j] = { stages: [...prior.stages, { card: index, from, to, bytes, seconds: time }], seconds: bottleneck }
      }
    })
    best = next
    const whole = next.at(-1)
    if (whole && (!found || whole.seconds < found.seconds)) found = whole
  })
  return found
}
