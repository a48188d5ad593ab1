import type { EntryRunner, Held, Runners } from './interpreted.ts'

/** Throws what the loader of compiled models would: its own class comes with the interpreter. */
export function fail(code: string, message: string): never {
  throw Object.assign(new Error(message), { name: 'GlowplugError', code })
}

/** What a session of a model that was not compiled needs of it. */
export interface SessionSetting {
  readonly name: string
  /** Of the entries. */
  readonly names: readonly string[]
  readonly keepsState: boolean
  load(): Promise<Runners>
  /** Throws before `ready()`. */
  runners(): Runners
  isClosed(): boolean
  /** Inputs as they are now. */
  copy(inputs: unknown): unknown
}

/** A session on the reference interpreter, as those of compiled models: runs in order, each with the states that the one before left. */
export function createInterpretedSession({ name, names, keepsState, load, runners, isClosed, copy }: SessionSetting): object {
  const about = (text: string) => `model '${name}' ${text}`
  if (!keepsState) fail('bad-option', about('keeps no state: call run()'))
  const held: Held = new Map()
  let last: Promise<unknown> = Promise.resolve()
  let pending = 0
  let isEnded = false

  function checkOpen(): void {
    if (isEnded) fail('session-closed', about('had this session closed'))
    if (isClosed()) fail('closed', about('is closed'))
  }
  /** After all that was asked for before. */
  function inTurn<T>(body: (runners: Runners) => T): Promise<T> {
    pending++
    const mine = last.then(async () => {
      checkOpen()
      return body(await load())
    })
    last = mine.catch(() => undefined).then(() => void pending--)
    return mine
  }
  const entryOf = (entry: string) =>
    Object.freeze({
      name: entry,
      get info() {
        return runners().get(entry)!.info
      },
      async run(inputs: unknown, options?: Parameters<EntryRunner['run']>[1]) {
        checkOpen()
        const copied = copy(inputs)
        return inTurn((loaded) => loaded.get(entry)!.run(copied, options, isClosed(), held))
      },
      runSync(inputs: unknown, options?: Parameters<EntryRunner['run']>[1]) {
        checkOpen()
        if (pending > 0) fail('session-busy', about('has runs of this session under way: await them before runSync()'))
        return runners().get(entry)!.run(inputs, options, isClosed(), held)
      },
    })

  const entries = Object.freeze(Object.fromEntries(names.map((entry) => [entry, entryOf(entry)])))
  const [only, other] = Object.values(entries)
  const main = () => {
    if (other) fail('entry-missing', about(`has several entries: call entries.${names.join(' or entries.')}`))
    return only!
  }
  return Object.freeze({
    entries,
    run: async (inputs: unknown, options?: Parameters<EntryRunner['run']>[1]) => main().run(inputs, options),
    runSync: (inputs: unknown, options?: Parameters<EntryRunner['run']>[1]) => main().runSync(inputs, options),
    reset() {
      checkOpen()
      if (pending === 0) held.clear()
      else void inTurn(() => held.clear())
    },
    close() {
      isEnded = true
    },
  })
}
