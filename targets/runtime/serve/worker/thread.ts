// Source of the worker thread of a card whose code is not native: loads its parts, then runs commands as they come.
import { parentPort, workerData } from 'node:worker_threads'
import type { Plan } from '../../plan.ts'
import { engine } from '../../source.ts'
import type { CardProgram } from '../card.ts'
import { layOut } from '../process/layout.ts'
import { type RegionBytes, regionBytes } from '../process/regions.ts'

/** A card as its own thread and others see it: memory that all threads share. */
export interface ThreadCard {
  readonly index: number
  readonly programs: readonly CardProgram[]
  readonly windows: readonly SharedArrayBuffer[]
}

export interface ThreadData {
  readonly parts: readonly { readonly index: number; readonly plan: Plan }[]
  /** The thread's own first, then those that it reads from. */
  readonly cards: readonly ThreadCard[]
  readonly slots: number
  /** Check the digests of the weights. */
  readonly verify: boolean
  /** Milliseconds for which the thread stays awake after a command that came as soon after the one before. */
  readonly patience: number
}

/** Numbers of a command: program, slot, and for each copy the input, the card, the program and the output. */
export type ThreadCommand = readonly number[]

/** Nothing at all: the card stands. True: an entry begins its first run. A number: how the next command ended. */
export type ThreadAnswer = number | true | undefined

interface Runner {
  run(region: RegionBytes): number
}

/** The part that is being loaded: whose files an error is about. */
let loading = 0

function start({ parts, cards, slots, verify, patience }: ThreadData): void {
  const port = parentPort!
  const runners: Runner[] = []
  const own = cards[0]!
  for (const { index, plan } of parts) {
    loading = index
    const instance = engine().instantiate(plan, verify)
    for (const { id, part, entry, placed } of own.programs) {
      if (part !== index) continue
      const see = ({ offset, bytes }: (typeof placed.inputs)[number]) =>
        new Uint8Array(instance.memory, instance.mutable + offset, bytes)
      const [inputs, outputs] = [placed.inputs.map(see), placed.outputs.map(see)]
      // Code is compiled at its first call. What zeros as inputs may bring about is no matter here, unless it has no end.
      port.postMessage(true)
      try {
        instance.run(entry)
      } catch {}
      runners[id] = {
        run(region) {
          for (let i = 0; i < inputs.length; i++) inputs[i]!.set(region.inputs[i]!)
          const fault = instance.run(entry)
          for (let i = 0; i < outputs.length; i++) region.outputs[i]!.set(outputs[i]!)
          return fault
        },
      }
    }
  }
  const seen: ((program: number, slot: number) => RegionBytes)[] = []
  // The host's index is below 0.
  for (const { index, programs, windows } of cards) {
    const layout = layOut(programs, slots)
    const bytesOf = regionBytes(
      programs.map(({ placed }) => placed),
      layout,
      windows.map((window) => new Uint8Array(window)),
    )
    seen[index + 1] = (program, slot) => bytesOf(layout.regionOf(program, slot))
  }
  let idleSince = Number.NEGATIVE_INFINITY
  let until = 0
  function stayAwake(): void {
    if (performance.now() < until) setImmediate(stayAwake)
    else until = 0
  }
  port.on('message', (command: ThreadCommand) => {
    const closely = performance.now() - idleSince < patience
    const slot = command[1]!
    const region = seen[own.index + 1]!(command[0]!, slot)
    for (let at = 2; at < command.length; at += 4)
      region.inputs[command[at]!]!.set(seen[command[at + 1]! + 1]!(command[at + 2]!, slot).outputs[command[at + 3]!]!)
    port.postMessage(runners[command[0]!]!.run(region))
    idleSince = performance.now()
    if (!closely) return
    const isAwake = until > 0
    until = idleSince + patience
    if (!isAwake) setImmediate(stayAwake)
  })
  port.postMessage(undefined)
}

try {
  start(workerData)
} catch (error) {
  // As plain data: what Node makes of an error that nobody catches loses its code.
  const { name, code, message } = error as any
  parentPort!.postMessage({ name, code, message, part: loading })
}
