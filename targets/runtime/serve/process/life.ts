import { createReader, type Frame } from './reader.ts'
import { spawnCard } from './spawn.ts'

/** What becomes of a process. */
export interface LifeEvents {
  /** See `createReader`. What either throws is the end of the process: it says what it may not. */
  accept(frame: Frame): readonly Uint8Array[]
  ended(frame: Frame, payload: readonly Uint8Array[]): void
  /** It died, or was ended because of what it said. Called once, and not before the maker has returned nor after `end`. */
  died(reason: string): void
}

/** A process of a card from its start to its end. */
export interface Life {
  readonly pid: number | undefined
  write(frame: Uint8Array, tensors?: readonly Uint8Array[]): void
  /** Whether the process of the host is to stay for it. */
  hold(held: boolean): void
  /** Kills it. Nothing is heard of it afterwards. */
  end(): void
  /** Resolves when it is gone. */
  readonly gone: Promise<void>
}

const reasonOf = (code: number | null, signal: string | null) => (signal ? `was ended by ${signal}` : `ended with ${code}`)

/** Starts a process, which hears `setup` first. Throws where no process can be started. */
export function startLife(descriptors: readonly number[], setup: Uint8Array, events: LifeEvents): Life {
  const { child, commands, answers } = spawnCard(descriptors)
  let over = false
  let reason: string | undefined
  let leave!: () => void
  const gone = new Promise<void>((resolve) => {
    leave = resolve
  })

  function end(): void {
    over = true
    child.kill('SIGKILL')
    // Whoever waits for its end is not left alone.
    child.ref()
    commands?.destroy()
    answers?.destroy()
  }
  function die(words: string): void {
    if (over) return
    end()
    events.died(words)
  }

  child.on('error', ({ message }) => {
    leave()
    die(`cannot be started: ${message}`)
  })
  child.on('exit', (code, signal) => {
    reason ??= reasonOf(code, signal)
    leave()
  })
  // All that it had said before has been read.
  child.on('close', () => die(reason!))
  const read = createReader((frame) => {
    // The frame before was the end of it.
    if (over) throw Error('it has ended')
    return events.accept(frame)
  }, events.ended)
  answers?.on('data', (chunk: Uint8Array) => {
    try {
      read(chunk)
    } catch (error) {
      die(`does not keep to the protocol: ${(error as Error).message}`)
    }
  })
  // Without a channel it is of no use, whether it ends or not; how it ended is what its end says.
  for (const channel of [commands, answers]) for (const event of ['end', 'error']) channel?.on(event, () => child.kill('SIGKILL'))
  commands?.unref()
  commands?.write(setup)

  return {
    pid: child.pid,
    write(frame, tensors = []) {
      if (tensors.length > 0) commands?.cork()
      commands?.write(frame)
      for (const tensor of tensors) commands?.write(tensor)
      if (tensors.length > 0) commands?.uncork()
    },
    hold(held) {
      const how = held ? 'ref' : 'unref'
      // The process too: that it has gone is heard after the end of the channels.
      child[how]()
      answers?.[how]()
    },
    end,
    gone,
  }
}
