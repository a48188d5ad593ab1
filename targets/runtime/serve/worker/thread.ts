// Source of the worker thread of a card whose code is not native: loads its parts, then runs commands as they come.
import { parentPort, workerData } from 'node:worker_threads'
import type { Plan } from '../../plan.ts'
import type { StatePlan } from '../../sessions/serve.ts'
import type { CardProgram } from '../card.ts'
import { loadPortableCode, type PortableRunner } from '../portableCode.ts'
import { layOut } from '../process/layout.ts'
import { type RegionBytes, regionBytes } from '../process/regions.ts'
import { beginsOf, placeIn } from '../states.ts'

/** A card as its own thread and others see it: memory that all threads share. */
export interface ThreadCard {
  readonly index: number
  readonly programs: readonly CardProgram[]
  readonly windows: readonly SharedArrayBuffer[]
}

export interface ThreadData {
  readonly parts: readonly { readonly index: number; readonly plan: Plan; readonly state?: StatePlan | undefined }[]
  /** The thread's own first, then those that it reads from. */
  readonly cards: readonly ThreadCard[]
  readonly slots: number
  /** Check the digests of the weights. */
  readonly verify: boolean
  /** Milliseconds for which the thread stays awake after a command that came as soon after the one before. */
  readonly patience: number
}

/**
 * Numbers of a command: program, slot, `stateWord`, and for each copy the input, the card, the program and the output. Bytes: what a state begins
 * with in the next command.
 */
export type ThreadCommand = readonly number[] | Uint8Array

/** Nothing at all: the card stands. True: an entry begins its first run. A number: how the next command ended. */
export type ThreadAnswer = number | true | undefined

/** The part that is being loaded: whose files an error is about. */
let loading = 0

function start({ parts, cards, slots, verify, patience }: ThreadData): void {
  const port = parentPort!
  const runners: PortableRunner[] = []
  const own = cards[0]!
  for (const { index, plan, state } of parts) {
    loading = index
    const code = loadPortableCode(plan, state, verify)
    for (const { id, part, entry, placed, state: use } of own.programs) {
      if (part !== index) continue
      const runner = code.runner(entry, placed, use !== undefined)
      port.postMessage(true)
      runner.warm()
      runners[id] = runner
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
  /** What the state of the next command begins with. */
  let first: Uint8Array | undefined
  port.on('message', (command: ThreadCommand) => {
    if (command instanceof Uint8Array) {
      first = command
      return
    }
    const closely = performance.now() - idleSince < patience
    const slot = command[1]!
    const region = seen[own.index + 1]!(command[0]!, slot)
    for (let at = 3; at < command.length; at += 4)
      region.inputs[command[at]!]!.set(seen[command[at + 1]! + 1]!(command[at + 2]!, slot).outputs[command[at + 3]!]!)
    const begins = beginsOf(command[2]!, first)
    first = undefined
    port.postMessage(runners[command[0]!]!.run(region, placeIn(command[2]!), begins))
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
