import { type Graph, hasTrait, type Node } from '../graph/index.ts'
import { type Decision, everyCard, type Setting } from './decision.ts'
import type { Place } from './plan.ts'
import type { Platform } from './platform.ts'

/** Cards that run an op, by index; none where it is the host's. */
const cardsFor = (op: string, platform: Platform): readonly number[] =>
  everyCard(platform).filter((index) => !platform.cards[index]!.refuses.includes(op))

const isWithin = (cards: readonly number[], others: readonly number[]): boolean =>
  cards.length === 0 ? others.length === 0 : cards.every((card) => others.includes(card))

/** The kinds of places that the nodes of graphs have, as lists of cards: where most cards are first, the host, with none, last. */
function kindsOf(graphs: readonly Graph[], platform: Platform): readonly (readonly number[])[] {
  const ops = new Set(graphs.flatMap(({ nodes }) => nodes.filter((node) => !hasTrait(node, 'storage')).map(({ op }) => op)))
  const kinds = [everyCard(platform)]
  for (const op of ops) {
    const cards = cardsFor(op, platform)
    if (!kinds.some((kind) => `${kind}` === `${cards}`)) kinds.push(cards)
  }
  return kinds.sort((a, b) => b.length - a.length)
}

/**
 * Nodes that all cards refuse on the host, those that some refuse on the others, the rest on any card (PA-08, PA-22). Parts come in rounds, in each
 * of which every kind of place has one: a node is in the first that none of its operands comes after and whose cards all run it. Parts wait for
 * earlier ones alone, and are as few as that allows.
 */
function placeUnlike(
  graph: Graph,
  platform: Platform,
  kinds: readonly (readonly number[])[],
): (node: Node) => { readonly name: string; readonly on: Place } {
  const numbers = new Map<Node, number>()
  for (const node of graph.nodes) {
    if (hasTrait(node, 'storage')) continue
    const able = cardsFor(node.op, platform)
    let number = Math.max(0, ...node.operands.map((operand) => numbers.get(operand) ?? 0))
    while (!isWithin(kinds[number % kinds.length]!, able)) number++
    numbers.set(node, number)
  }
  return (node) => {
    const number = numbers.get(node) ?? 0
    const kind = number % kinds.length
    const cards = kinds[kind]!
    const name = cards.length === 0 ? 'host' : kind === 0 ? 'card' : `cards${kind}_`
    return { name: `${name}${Math.floor(number / kinds.length)}`, on: cards.length === 0 ? 'host' : cards }
  }
}

/** Nodes that cards refuse on other cards, or on the host. */
export function decideUnlike({ entries, platform }: Setting): Decision {
  const kinds = kindsOf(
    entries.map(({ graph }) => graph),
    platform,
  )
  const partOf = entries.map(({ graph }) => placeUnlike(graph, platform, kinds))
  const places = new Map<string, Place>()
  entries.forEach(({ graph }, entry) => {
    for (const { name, on } of graph.nodes.map(partOf[entry]!)) places.set(name, on)
  })
  return {
    method: 'unlike',
    places,
    cut: (entry) => ({ graph: entries[entry]!.graph, partOf: (node) => partOf[entry]!(node).name, home: 'card0' }),
  }
}
