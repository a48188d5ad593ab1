// What `plan` reads of how requests come and what befalls cards, and how it tells what became of them.

import type { GrowthProposal } from '../../compiler/partition/grow.ts'
import { idleCoresOf } from '../../compiler/partition/idle.ts'
import type { ModelPartition, Platform } from '../../compiler/partition/index.ts'
import { computingNodes } from '../../compiler/partition/plan.ts'
import { type Batching, type Fault, faultKinds, type Simulation } from '../../targets/platform/simulate/index.ts'
import { formatBytes } from '../report.ts'
import { readNumber } from './source.ts'
import { formatTable, nearest, UsageError } from './terminal.ts'

export interface ServingOptions {
  readonly batch?: unknown
  readonly delay?: unknown
  readonly fault?: unknown
}

/** `hang:1@0.5`: what, which card, and when; `throttle:1@0.5+2x0.3` for how long, and at what rate. */
function readFault(text: string): Fault {
  const [, kind, digits, at = '0', seconds = '1', rate = '0.5'] =
    /^(\w+):(\d{1,4})(?:@(\d+\.?\d*))?(?:\+(\d+\.?\d*))?(?:x(0?\.\d+))?$/.exec(text) ?? []
  const known = faultKinds.find((each) => each === kind)
  if (!known || digits === undefined)
    throw new UsageError(
      `--fault '${text}' is no fault${kind ? nearest(kind, faultKinds) : ''}`,
      `faults are ${faultKinds.join(', ')}; write --fault hang:1@0.5 for card 1 after half a second`,
    )
  const card = Number(digits)
  if (known === 'firmware') return { kind: known, card }
  if (known === 'throttle') return { kind: known, card, at: Number(at), seconds: Number(seconds), rate: Number(rate) }
  return { kind: known, card, at: Number(at) }
}

/** How requests come, and what befalls cards. */
export function readServing({ batch, delay, fault }: ServingOptions): {
  readonly batching?: Batching
  readonly faults?: readonly Fault[]
} {
  if (batch === undefined && delay !== undefined)
    throw new UsageError('--delay is how long a batch waits', 'say how many requests it has at most, as --batch 8')
  const most = readNumber(batch, '--batch', 1)
  if (most < 1) throw new UsageError(`--batch '${batch}' is no whole number of at least 1`, 'write --batch 8')
  const microseconds = readNumber(delay, '--delay', 1000)
  const faults = fault === undefined ? [] : [fault].flat().map((each) => readFault(String(each)))
  return {
    ...(batch !== undefined && { batching: { most, delaySeconds: microseconds * 1e-6 } }),
    ...(faults.length > 0 && { faults }),
  }
}

const microseconds = (seconds: number): string => (seconds * 1e6).toFixed(seconds < 1e-4 ? 2 : 0)
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

/** What a simulation gave, labelled modelled. */
export function describeServing(
  { requests, rate, latency, throughput, uses, ...simulation }: Simulation,
  platform: Platform,
): string {
  const { energy, fullest, failed, retried, states } = simulation
  const rows = uses.map(({ name, busy, bytes }) => [name, percent(busy), bytes === undefined ? '' : formatBytes(bytes)])
  const { p50, p90, p99, most } = latency
  const powered = energy.watts.some(({ average }) => average > 0)
  return [
    `\n${requests} requests, ${rate} a second (modelled): ${throughput.toFixed(1)} answered a second; fullest is ${fullest}\n`,
    `latency: p50 ${microseconds(p50)} µs, p90 ${microseconds(p90)} µs, p99 ${microseconds(p99)} µs, most ${microseconds(most)} µs\n`,
    powered
      ? `energy: ${energy.joulesPerRequest.toFixed(4)} J a request, ${energy.idleJoules.toFixed(4)} of them idle; ${energy.requestsPerJoule.toFixed(1)} requests a second for each watt (idle power all the time, what is more in proportion to work)\n`
      : '',
    ...states.map(({ card, state, at, why }) => `${at.toFixed(3)} s: ${platform.cards[card]!.name} is ${state} (${why})\n`),
    failed + retried > 0 ? `${retried} requests ran twice, ${failed} have no answer\n` : '',
    '\n',
    formatTable([['', 'busy', 'bytes a request'], ...rows], [1, 2]),
  ].join('')
}

/** Cores that have nothing to do while each part runs, on the cards that have more than one. */
export function describeIdle({ entries, largest }: ModelPartition, platform: Platform): string {
  const { parts, places } = entries[largest]!
  const rows = parts.parts.flatMap(({ name, graph }) => {
    const place = places.get(name)!
    const processor = place === 'host' ? platform.host : platform.cards[place[0]!]!
    if (processor.cores < 2) return []
    return [[name, String(processor.cores), idleCoresOf(computingNodes(graph), processor).toFixed(2)]]
  })
  return rows.length === 0 ? '' : `\n${formatTable([['part', 'cores', 'idle on average'], ...rows], [1, 2])}`
}

/** What a model that has grown would need. */
export function describeGrowth({ factor, bytes, cards, bits, proposal }: GrowthProposal, platform: Platform): string {
  const said = {
    fits: 'it fits as it is',
    bits: `weights of ${bits} bits fit on the ${platform.cards.length} cards that there are`,
    cards: `take ${cards} cards`,
    none: 'neither 4 bits nor 64 cards suffice',
  }[proposal]
  const others = [
    ...(proposal !== 'cards' && proposal !== 'fits' && cards !== undefined ? [`or take ${cards} cards`] : []),
    ...(proposal === 'cards' && bits !== undefined ? [`or weights of ${bits} bits`] : []),
  ]
  return `grown ${factor} times, to ${formatBytes(bytes)}: ${[said, ...others].join(', ')}\n`
}
