import { byteSize, type Graph } from '../graph/index.ts'
import { findTables } from './findTables.ts'
import { heldBytes, weightBytes } from './plan.ts'
import { capacityOf, type Platform } from './platform.ts'
import { levelOf } from './roofline.ts'
import { placeTables, type Table } from './tables/index.ts'

/** What would hold a model whose tables, or whose weights where it has none, are `factor` times as many (FB-25). */
export interface GrowthProposal {
  readonly factor: number
  readonly bytes: number
  /** Cards of the platform's first type that are needed as the model is; undefined where no number up to `mostCards` suffices. */
  readonly cards: number | undefined
  /** Bits of each weight with which it stays on the cards that there are: 32 where it fits as it is; undefined where 4 do not suffice. */
  readonly bits: 32 | 16 | 8 | 4 | undefined
  /** What is proposed: to leave it, fewer bits, more cards, or both fail. */
  readonly proposal: 'fits' | 'bits' | 'cards' | 'none'
}

const mostCards = 64

/**
 * Whether a model that has grown still has a place, with fewer bits or with more cards. Fewer bits cost nothing but accuracy, and are proposed as
 * long as 8 suffice; 4 only where no number of cards does.
 */
export function proposeGrowth(graph: Graph, platform: Platform, factor: number): GrowthProposal {
  const { tables } = findTables(graph)
  const [card] = platform.cards
  const rest = weightBytes(graph) - tables.reduce((sum, { table }) => sum + byteSize(table.type), 0)
  const exchanged = 2 * (heldBytes(graph, 1) - weightBytes(graph))
  const own =
    tables.length > 0 ? tables.map(({ table, picked }) => ({ shape: table.type.shape, bytes: byteSize(table.type), picked })) : []
  const whole = Math.ceil(factor)
  /** Copies of a table, the last of which has the rows that are left of the factor. */
  const grown = (bits: number): readonly Table[] =>
    own.flatMap(({ shape: [rows, elements], bytes, picked }, i) =>
      Array.from({ length: whole }, (_, copy): Table => {
        const share = copy === whole - 1 ? factor - copy : 1
        return {
          name: `${i} ${copy}`,
          rows: Math.max(1, Math.round(rows! * share)),
          elements: elements!,
          rowBytes: (bytes / rows!) * (bits / 32),
          lookups: picked * share,
        }
      }),
    )
  const fits = (cards: number, bits: number): boolean => {
    if (!card) return false
    const room = capacityOf(card)
    if (own.length === 0) return (weightBytes(graph) * factor * bits) / 32 + exchanged <= room * cards
    const taken = (rest * bits) / 32 + exchanged
    const all = own.reduce((sum, { bytes }) => sum + (bytes * factor * bits) / 32, 0)
    if (all > (room - taken) * cards) return false
    const holders = Array.from({ length: cards }, (_, i) => ({
      name: `card ${i}`,
      bytes: Math.max(0, room - taken),
      secondsPerByte: (bytes: number) => 1 / card.memory[levelOf(bytes, card.memory)]!.bytesPerSecond,
      secondsPerLookup: 0,
      otherSeconds: 0,
    }))
    return 'pieces' in placeTables({ tables: grown(bits), holders })
  }
  const now = platform.cards.length
  const bits = ([32, 16, 8, 4] as const).find((each) => fits(now, each))
  let cards: number | undefined
  for (let count = Math.max(1, now); count <= mostCards && cards === undefined; count++) if (fits(count, 32)) cards = count
  const proposal =
    bits === 32 ? 'fits' : bits !== undefined && bits >= 8 ? 'bits' : cards !== undefined ? 'cards' : bits ? 'bits' : 'none'
  const bytes = own.length > 0 ? rest + (weightBytes(graph) - rest) * factor : weightBytes(graph) * factor
  return { factor, bytes: Math.round(bytes), cards, bits, proposal }
}
