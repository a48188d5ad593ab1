import { byteSize, hasTrait, type Node } from '../graph/index.ts'
import { follow } from './byStages.ts'
import { type Attempt, largestOf, type Setting } from './decision.ts'
import { type DeviceType, type FlowNode, type FlowProblem, placeFlow } from './graph/index.ts'
import { type Place, weightBytes } from './plan.ts'
import { type Card, capacityOf } from './platform.ts'
import { loadOf, secondsOf } from './roofline.ts'

const nameOf = (part: number): string => `part${part}`

/** Cards of one type, by index; the host is a type of its own, and last. */
function typesOf(cards: readonly Card[]): readonly (readonly number[])[] {
  const types = new Map<string, number[]>()
  cards.forEach(({ type }, index) => {
    types.set(type, [...(types.get(type) ?? []), index])
  })
  return [...types.values()]
}

/**
 * Any graph over the cards and the host, node by node: each device has one part, and parts run one after the other or beside each other as their
 * values flow. `objective` says whether requests shall follow each other as fast as they can, or one shall be answered as fast as it can.
 * Constants that several nodes read count for each of them: a card is never thought to have more room than it has.
 */
export function decideGraph(setting: Setting): Attempt {
  const { entries, platform, objective = 'throughput' } = setting
  const graph = largestOf(setting)
  const cards = typesOf(platform.cards)
  const processors = [...cards.map((own) => platform.cards[own[0]!]!), platform.host]
  const returned = new Set(graph.outputs.map(({ value }) => value))
  const nodes = graph.nodes.filter((node) => !node.data)
  const position = new Map(nodes.map((node, i) => [node, i]))
  const problem: FlowProblem = {
    nodes: nodes.map((node): FlowNode => {
      const given = hasTrait(node, 'storage')
      return {
        seconds: processors.map((processor) =>
          given
            ? 0
            : processor.refuses.includes(node.op)
              ? Number.POSITIVE_INFINITY
              : secondsOf(loadOf(node, processor), processor),
        ),
        bytes: constantBytes(node),
        crossing: byteSize(node.type),
        reads: [...new Set(node.operands)].flatMap((operand) => position.get(operand) ?? []),
        given,
        returned: returned.has(node),
      }
    }),
    types: [
      ...cards.map((own): DeviceType => {
        const { type, link, launchSeconds } = platform.cards[own[0]!]!
        return {
          name: type,
          count: own.length,
          bytes: Math.min(...own.map((card) => capacityOf(platform.cards[card]!))),
          launchSeconds,
          secondsPerValue: link.latencySeconds,
          secondsPerByte: 1 / link.bytesPerSecond,
        }
      }),
      {
        name: 'host',
        count: 1,
        bytes: capacityOf(platform.host),
        launchSeconds: platform.host.launchSeconds,
        secondsPerValue: 0,
        secondsPerByte: 0,
      },
    ],
  }
  const found = placeFlow(problem, { objective })
  if (!found)
    return [
      {
        code: 'card-full',
        message: `${weightBytes(graph)} bytes of weights do not fit on ${platform.cards.length} cards and the host, however the graph was cut`,
      },
    ]
  const taken = cards.map(() => 0)
  const places = new Map<string, Place>()
  const partOf = new Map<Node, number>()
  found.placement.parts.forEach(({ type, nodes: own }, part) => {
    places.set(nameOf(part), type < cards.length ? [cards[type]![taken[type]!++]!] : 'host')
    for (const node of own) partOf.set(nodes[node]!, part)
  })
  return {
    method: 'graph',
    places,
    cut(entry) {
      const own = entries[entry]!.graph
      const of = own === graph ? partOf : follow(own, graph, partOf)
      return { graph: own, partOf: (node) => nameOf(of.get(node)!), home: nameOf(0) }
    },
  }
}

/** Of the constants that a node reads. */
function constantBytes({ operands }: Node): number {
  let sum = 0
  for (const { data, type } of new Set(operands)) if (data) sum += byteSize(type)
  return sum
}
