import type { ConstantData, Graph, Node } from '../graph/index.ts'
import { cutGraph } from './cut.ts'
import { type Attempt, largestOf, type Setting } from './decision.ts'
import { moveNodes } from './moveNodes.ts'
import { computingNodes, heldBytes, type Place } from './plan.ts'
import { capacityOf } from './platform.ts'
import { loadOf, secondsOf } from './roofline.ts'
import { chooseStages, type Staging } from './stages.ts'

const nameOf = (stage: number): string => `stage${stage}`

/** The stage of each node of another graph with the same weights: by position where it is the same graph but for sizes, else by weights. */
export function follow(graph: Graph, model: Graph, stages: ReadonlyMap<Node, number>): ReadonlyMap<Node, number> {
  const [own, other] = [computingNodes(graph), computingNodes(model)]
  if (own.length === other.length && own.every(({ op }, i) => op === other[i]!.op))
    return new Map(own.map((node, i) => [node, stages.get(other[i]!)!]))
  const readIn = new Map<ConstantData, number>()
  for (const node of other)
    for (const { data } of node.operands) if (data && !readIn.has(data)) readIn.set(data, stages.get(node)!)
  const followed = new Map<Node, number>()
  for (const node of own)
    followed.set(
      node,
      Math.max(0, ...node.operands.map((operand) => (operand.data ? readIn.get(operand.data) : followed.get(operand)) ?? 0)),
    )
  return followed
}

/**
 * Stages on so many cards as answer most requests, where the others repeat them (PA-18): the longest stage over the number of copies. Where cards are
 * of several types, nothing is said of copies.
 */
function chooseCount(graph: Graph, { platform: { cards }, saturate }: Setting): Staging | undefined {
  if (!saturate || cards.some(({ type }) => type !== cards[0]!.type)) return chooseStages(graph, cards)
  let best: { readonly staging: Staging; readonly seconds: number } | undefined
  for (let count = 1; count <= cards.length; count++) {
    const copies = Math.floor(cards.length / count)
    // Of as many copies, more cards are at least as fast.
    if (copies === Math.floor(cards.length / (count + 1)) && count < cards.length) continue
    const staging = chooseStages(graph, cards.slice(0, count))
    if (staging && (!best || staging.seconds / copies < best.seconds)) best = { staging, seconds: staging.seconds / copies }
  }
  return best?.staging
}

/** The stages with nodes moved to where less crosses, unless a card has no room for what then is there. */
function improve(graph: Graph, { stages: chosen }: Staging, { platform, contexts }: Setting): ReadonlyMap<Node, number> {
  const nodes = computingNodes(graph)
  const stages = new Map(chosen.flatMap(({ from, to }, i) => nodes.slice(from, to).map((node) => [node, i] as const)))
  const cardOf = (stage: number) => platform.cards[chosen[stage]!.card]!
  const secondsIn = (node: Node, stage: number) => secondsOf(loadOf(node, cardOf(stage)), cardOf(stage))
  const most = Math.max(
    ...chosen.map(({ from, to }, i) => nodes.slice(from, to).reduce((sum, node) => sum + secondsIn(node, i), 0)),
  )
  const moved = moveNodes(graph, stages, { secondsIn, most })
  const { parts } = cutGraph(graph, (node) => nameOf(moved.get(node)!), nameOf(0))
  const fits = chosen.every((_, i) => {
    const part = parts.find(({ name }) => name === nameOf(i))
    return !part || heldBytes(part.graph, contexts) <= capacityOf(cardOf(i))
  })
  return fits ? moved : stages
}

/** A model in stages on cards, one after the other. Other entries than the largest have their weights in the same stages. */
export function decideStages(setting: Setting): Attempt {
  const { entries, platform } = setting
  const graph = largestOf(setting)
  const staging = chooseCount(graph, setting)
  if (!staging) {
    const capacity = platform.cards.reduce((sum, card) => sum + capacityOf(card), 0)
    return [
      {
        code: 'card-full',
        message: `${heldBytes(graph, 1)} bytes in stages do not fit on ${platform.cards.length} cards of ${capacity} together`,
      },
    ]
  }
  const stages = improve(graph, staging, setting)
  return {
    method: 'stages',
    places: new Map(staging.stages.map(({ card }, i): [string, Place] => [nameOf(i), [card]])),
    cut(entry) {
      const own = entries[entry]!.graph
      const of = own === graph ? stages : follow(own, graph, stages)
      return { graph: own, partOf: (node) => nameOf(of.get(node)!), home: nameOf(0) }
    },
  }
}
