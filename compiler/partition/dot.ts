import { type DotEdge, type DotNode, printDot } from '../graph/index.ts'
import type { Plan, PlannedPart, PlannedTransfer } from './plan.ts'

const inWords = (bytes: number): string =>
  bytes < 1024 ? `${bytes} B` : bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`

const lines = ({ name, on, nodes, weights, seconds, tables = [] }: PlannedPart): readonly string[] => [
  name,
  on === 'host' ? 'host' : `card ${on.join(', ')}`,
  `${nodes} nodes${tables.length > 0 ? `, ${tables.length} tables` : ''}`,
  `${inWords(weights)} of weights`,
  `${(seconds * 1e6).toFixed(2)} µs, modelled`,
]

/** PA-19. Parts of a plan and what crosses between them, in the DOT language: a box for each part, a note for the callers. */
export function printPlanDot({ model, platform, parts, transfers }: Plan): string {
  const isCaller = (name: string) => name === 'host' && !parts.some((part) => part.name === name)
  const ends = new Set(transfers.flatMap(({ from, to }) => [from, to]).filter(isCaller))
  const nodes = [
    ...[...ends].map((name): DotNode => ({ id: name, lines: ['callers'], shape: 'ellipse' })),
    ...parts.map((part): DotNode => ({ id: part.name, lines: lines(part), ...(part.on === 'host' && { shape: 'note' }) })),
  ]
  const joined = new Map<string, PlannedTransfer[]>()
  for (const transfer of transfers) {
    const key = JSON.stringify([transfer.from, transfer.to])
    joined.set(key, [...(joined.get(key) ?? []), transfer])
  }
  const edges = [...joined.values()].map((list): DotEdge => {
    const bytes = list.reduce((sum, transfer) => sum + transfer.bytes, 0)
    return {
      from: list[0]!.from,
      to: list[0]!.to,
      label: `${list.length === 1 ? list[0]!.value : list.length} ${inWords(bytes)}`,
    }
  })
  return printDot(`${model} on ${platform}`, nodes, edges)
}
