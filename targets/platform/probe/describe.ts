import type { Figure } from '../figure.ts'
import type { PlatformFile } from '../schema.ts'
import type { MachineRates } from './machine.ts'

/** A rate of kinds of nodes, by a compiled graph of known work. */
export interface KindRate {
  readonly kind: string
  readonly operations: number
  readonly seconds: number
  readonly runs: number
}

/** What serving through a device costs. */
export interface DeviceRates {
  /** From a call until its answer, of a model that does next to nothing on inputs of 64 bytes. */
  readonly launchSeconds: number
  /** How much longer that takes after a pause. */
  readonly wakeSeconds: number
  /** Of inputs, from the caller to the card. */
  readonly bytesPerSecond: number
  readonly runs: number
}

export interface Probed {
  readonly name: string
  readonly processors: number
  readonly threads: number
  readonly cards: number
  readonly device: 'worker' | 'process'
  readonly machine: MachineRates
  readonly kinds: readonly KindRate[]
  readonly serving: DeviceRates
}

/** Three digits: more are noise. */
const round = (value: number): number => Number(value.toPrecision(3))

const measured = (value: number, how: string): Figure => ({
  value: round(value),
  source: `glowplug probe, ${how}`,
  certainty: 'measured',
})
const assumed = (value: number, source: string): Figure => ({ value, source, certainty: 'assumed' })

/** Operations of a kind divided by the time of all its graphs, as a part of the peak. */
function sharesOf(kinds: readonly KindRate[], peak: number): Record<string, Figure> {
  const names = [...new Set(kinds.map(({ kind }) => kind))].sort()
  return Object.fromEntries(
    names.map((name) => {
      const own = kinds.filter(({ kind }) => kind === name)
      const operations = own.reduce((sum, each) => sum + each.operations, 0)
      const seconds = own.reduce((sum, each) => sum + each.seconds, 0)
      const runs = own.reduce((sum, each) => sum + each.runs, 0)
      return [
        name,
        measured(
          Math.min(16, operations / seconds / peak),
          `${own.length} compiled graph${own.length === 1 ? '' : 's'}, ${runs} runs`,
        ),
      ]
    }),
  )
}

/** This machine as a platform: its processors as cards of `threads` each, beside the process that serves. */
export function describeMachine({ machine, kinds, serving, ...probed }: Probed): PlatformFile {
  const { name, processors, threads, cards, device } = probed
  const { f32, int8, memory, rows, together } = machine
  const times = 'the best of 20 runs'
  const levels = memory.map(({ name, bytes, bytesPerSecond }, i) => ({
    name,
    bytes:
      i === memory.length - 1
        ? measured(bytes, 'what the system says')
        : measured(bytes, 'what the system says of its first processor'),
    bytesPerSecond: measured(bytesPerSecond, times),
  }))
  const main = memory.at(-1)!
  const shares = sharesOf(kinds, f32)
  const product = shares.linear as { readonly value: number } | undefined
  const processor = (count: number) => ({
    cores: measured(count, 'as asked for'),
    operationsPerSecond: {
      int8: measured(Math.max(int8, f32) * count, times),
      f16: measured(f32 * count, `that of f32, ${times}`),
      f32: measured(f32 * count, times),
    },
    memory: levels,
    utilisation: {
      arithmetic: measured(Math.min(1, product?.value ?? 0.5), 'what products reach'),
      lookups: measured(
        Math.min(1, rows / main.bytesPerSecond),
        'rows of 256 bytes of 512 MiB in a mapped file, the median of 20 runs and of 3 files',
      ),
      kinds: shares,
    },
  })
  return {
    name,
    host: { ...processor(processors), launchSeconds: measured(serving.launchSeconds / 2, 'half of that of a card') },
    network: {
      bytesPerSecond: assumed(1e10, 'requests come from this machine'),
      latencySeconds: assumed(0, 'requests come from this machine'),
    },
    uplink: {
      bytesPerSecond: measured(serving.bytesPerSecond, `${device}, the host copies, ${serving.runs} runs`),
      latencySeconds: assumed(0, 'in the time of a launch'),
    },
    peerToPeer: true,
    ...(cards > 1 && {
      sharing: {
        arithmetic: measured(together.arithmetic, `${cards} threads at once`),
        memory: measured(together.memory, `${cards} threads at once`),
        processors: measured(processors, 'what the system says'),
      },
    }),
    types: {
      [device]: {
        ...processor(threads),
        launchSeconds: measured(serving.launchSeconds, `${device}, 64 bytes, ${serving.runs} runs`),
        wakeSeconds: measured(serving.wakeSeconds, `${device}, 64 bytes, after a pause`),
        link: {
          bytesPerSecond: measured(serving.bytesPerSecond, `${device}, ${serving.runs} runs`),
          latencySeconds: assumed(0, 'in the time of a launch'),
        },
      },
    },
    cards: [{ type: device, count: measured(cards, 'as asked for') }],
  }
}
