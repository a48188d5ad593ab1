import { builtin } from '../../plan.ts'
import { beginningIn, beginnings, beginsOf, placeIn } from '../states.ts'
import { channels, copyBytes, errorBytes, frameBytes, kinds, mark, type Setup } from './frames.ts'
import { layOut } from './layout.ts'
import { loadPart, type Runner, windowsOf } from './loadCard.ts'
import { regionBytes } from './regions.ts'

/** All of its inputs and outputs, as far as this process sees them. */
interface SeenCard {
  readonly layout: ReturnType<typeof layOut>
  readonly bytesOf: ReturnType<typeof regionBytes>
}

/**
 * The whole life of a card's process: load what the host says, then read commands and run them, one after the other, until the host closes the
 * channel. What goes wrong is told to the host, and the end.
 */
export function runCard(): void {
  const { readSync, writeSync } = builtin('fs')
  const inbox = Buffer.allocUnsafeSlow(65536)
  const outbox = Buffer.alloc(frameBytes)
  let from = 0
  let to = 0

  /** Waits for so many bytes at `from` of the inbox. */
  function need(bytes: number): void {
    if (from === to) from = to = 0
    else if (from + bytes > inbox.length) {
      inbox.copyWithin(0, from, to)
      to -= from
      from = 0
    }
    while (to - from < bytes) to += read(inbox, to)
  }

  function read(target: Uint8Array, at: number): number {
    const count = readSync(channels.commands, target, at, target.length - at, null)
    // The host has closed the channel, or died.
    if (count === 0) process.exit()
    return count
  }

  function receive(target: Uint8Array): void {
    const ready = Math.min(to - from, target.length)
    target.set(inbox.subarray(from, from + ready))
    from += ready
    for (let done = ready; done < target.length; ) done += read(target, done)
  }

  function write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(channels.answers, bytes, done)
  }

  function tell(kind: number, id = 0, fault = 0, bytes = 0): void {
    outbox.writeUInt32LE(mark, 0)
    outbox.writeUInt32LE(kind, 4)
    outbox.writeUInt32LE(id, 8)
    outbox.writeUInt32LE(fault, 12)
    outbox.writeUInt32LE(bytes, 24)
    write(outbox)
  }

  function end({ name, code, message, stack }: any): never {
    const words = JSON.stringify({ name, code, message: String(message ?? stack).slice(0, errorBytes / 16) })
    const bytes = Buffer.from(words)
    try {
      tell(kinds.error, 0, 0, bytes.length)
      write(bytes)
    } finally {
      process.exit(1)
    }
  }

  /** Throws where a frame is none: host and card are of one version. */
  function readHeader(): number {
    need(frameBytes)
    if (inbox.readUInt32LE(from) !== mark) throw Error('a frame of the host is none')
    return inbox.readUInt32LE(from + 4)
  }

  function start(): readonly [Setup, readonly SeenCard[], readonly Runner[], readonly number[]] {
    if (readHeader() !== kinds.setup) throw Error('the first frame of the host is no setup')
    const content = Buffer.allocUnsafeSlow(inbox.readUInt32LE(from + 24))
    from += frameBytes
    receive(content)
    const setup: Setup = process.getBuiltinModule('v8').deserialize(content)
    process.title = setup.title
    const progress = () => tell(kinds.progress)
    const parts = setup.parts.map((part) => loadPart(part, setup, progress))
    const windows = windowsOf(setup, parts)
    const cards = setup.cards.map(({ programs }, place) => {
      const layout = layOut(programs, setup.slots)
      return { layout, bytesOf: regionBytes(programs, layout, windows[place]!) }
    })
    const runners = setup.entries.map(({ part, entry }, place) =>
      parts[part]!.runner(entry, setup.cards[0]!.programs[place]!, cards[0]!, windows[0]!),
    )
    for (const { warm } of runners) {
      tell(kinds.progress, 0, 1)
      warm()
    }
    return [setup, cards, runners, setup.entries.map(({ part }) => parts[part]!.stateBytes)]
  }

  try {
    const [setup, cards, runners, stateBytes] = start()
    const own = cards[0]!
    const shared = setup.cards[0]!.descriptor !== undefined
    const byIndex: SeenCard[] = []
    setup.cards.forEach(({ index }, place) => {
      byIndex[index] = cards[place]!
    })
    /** Inputs that the command under way has copied, by the number of the command. */
    const copied: number[] = []
    let commands = 0

    function run(): void {
      const id = inbox.readUInt32LE(from + 8)
      const slot = inbox.readUInt32LE(from + 16)
      const region = own.layout.regionOf(inbox.readUInt32LE(from + 12), slot)
      const copies = inbox.readUInt32LE(from + 20)
      const state = inbox.readUInt32LE(from + 28)
      const runner = region % runners.length
      from += frameBytes
      const { inputs, outputs } = own.bytesOf(region)
      commands++
      for (let copy = 0; copy < copies; copy++) {
        need(copyBytes)
        const input = inbox.readUInt32LE(from)
        const card = byIndex[inbox.readUInt32LE(from + 4)]!
        const source = card.bytesOf(card.layout.regionOf(inbox.readUInt32LE(from + 8), slot)).outputs[
          inbox.readUInt32LE(from + 12)
        ]!
        from += copyBytes
        copied[input] = commands
        inputs[input]!.set(source)
      }
      const first = beginningIn(state) === beginnings.withBytes ? Buffer.allocUnsafeSlow(stateBytes[runner]!) : undefined
      if (first) receive(first)
      if (!shared) for (let input = 0; input < inputs.length; input++) if (copied[input] !== commands) receive(inputs[input]!)
      const fault = runners[runner]!.run(region, placeIn(state), beginsOf(state, first))
      if (shared) tell(kinds.done, id, fault)
      else {
        tell(
          kinds.done,
          id,
          fault,
          outputs.reduce((sum, { length }) => sum + length, 0),
        )
        for (const output of outputs) write(output)
      }
    }

    tell(kinds.ready)
    for (;;)
      switch (readHeader()) {
        case kinds.run:
          run()
          break
        case kinds.ping:
          tell(kinds.pong, inbox.readUInt32LE(from + 8))
          from += frameBytes
          break
        default:
          throw Error('a frame of the host is of no kind')
      }
  } catch (error) {
    end(error)
  }
}
