import { fail, GlowplugError } from '../../error.ts'
import type { BucketedTensor } from '../../manifest.ts'
import type { Observe, ServedEntry, ServeOptions, Server } from '../api.ts'
import type { Placement } from '../placement.ts'
import type { ServeSource } from '../readPlacement.ts'
import type { OpenServer } from '../serve.ts'
import { metricsOf } from '../watch/metrics.ts'
import { statisticsOf } from '../watch/statistics.ts'

/** A version of a model, with what is given back once it has been unloaded. */
export interface Version {
  readonly server: OpenServer
  release(): void
}

/** A new version serves. */
export interface Swapped {
  /** Resolves when the version before has answered all that it had, its sessions have been closed, and it is unloaded. */
  readonly unloaded: Promise<void>
}

/** Somebody who watches all versions. */
interface Watcher {
  readonly observe: Observe
  stop: () => void
}

/** What callers see of entries: names, element types and shapes, where several sizes are one. */
function signaturesOf({ entries, states = [], buckets = [] }: Placement): Map<string, string> {
  const text = (tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: BucketedTensor['shape'] }[]) =>
    tensors
      .map(
        ({ name, dtype, shape }) =>
          `${name}: ${dtype}[${shape.map((size) => (typeof size === 'object' ? size.dim : size)).join(', ')}]`,
      )
      .join(', ')
  // Where states lie is no matter of callers.
  const visible = (tensors: Parameters<typeof text>[0], end: 'input' | 'output') =>
    text(tensors.filter(({ name }) => !states.some((state) => state[end] === name)))
  const shown = ({ inputs, outputs }: { inputs: Parameters<typeof text>[0]; outputs: Parameters<typeof text>[0] }) =>
    `(${visible(inputs, 'input')}) → (${visible(outputs, 'output')})`
  return new Map([
    ...buckets.map((spec) => [spec.name, shown(spec)] as const),
    ...entries
      .filter(({ name }) => !buckets.some((spec) => spec.entries.includes(name)))
      .map((entry) => [entry.name, shown(entry)] as const),
  ])
}

/** Fails with `bad-option` where callers of one could not call the other. */
function checkSame(before: Placement, after: Placement): void {
  const found = signaturesOf(after)
  for (const [name, signature] of signaturesOf(before))
    if (found.get(name) !== signature)
      fail(
        'bad-option',
        `the new version of model '${before.model}' has entry '${name}' as ${found.get(name) ?? 'nothing'}, and callers know it as ${signature}`,
      )
}

/** What `swap` and `close` need beyond what a server has. */
export interface Swapping extends Server<any, any> {
  /** Requests without an answer, or open sessions, of any version. */
  readonly isBusy: boolean
  /** The version that new requests go to. */
  readonly current: OpenServer
}

/**
 * A server whose model can be replaced by another version while it serves: `first` to begin with. `open` makes a version that does nothing yet, and throws where
 * there is no room for it.
 */
export function createSwapping(
  first: Version,
  open: (source: ServeSource, options: ServeOptions | undefined) => Version,
): Swapping {
  let version = first
  const get = () => version.server
  /** This one, and those before it that still have something to do. */
  const alive = new Set([first])
  const watchers = new Set<Watcher>()
  let isClosed = false
  let isDraining = false
  /** Swaps go one after the other. */
  let last: Promise<unknown> = Promise.resolve()

  const listen = (server: OpenServer, watcher: Watcher) => {
    const [before, stop] = [watcher.stop, server.watch(watcher.observe)]
    watcher.stop = () => {
      before()
      stop()
    }
  }

  /** Unloads a version once nobody needs it. */
  async function retire(old: Version): Promise<void> {
    await old.server.sessionsClosed()
    await old.server.drain()
    await end(old)
  }

  async function end(old: Version): Promise<void> {
    if (!alive.delete(old)) return
    try {
      await old.server.close()
    } finally {
      old.release()
    }
  }

  async function swap(source: ServeSource, options?: ServeOptions): Promise<Swapped> {
    const refuse = () => {
      if (isClosed) throw new GlowplugError('closed', `model '${get().read.placement.model}' is closed`)
      if (isDraining) fail('draining', `model '${get().read.placement.model}' takes no more requests`)
    }
    refuse()
    const current = get()
    const next = open(source, options)
    alive.add(next)
    try {
      checkSame(current.read.placement, next.server.read.placement)
      for (const watcher of watchers) listen(next.server, watcher)
      await next.server.ready()
      refuse()
    } catch (error) {
      await end(next)
      throw error
    }
    const old = version
    version = next
    const unloaded = retire(old)
    // Whoever does not wait for it is not to be ended by it.
    unloaded.catch(() => {})
    return { unloaded }
  }

  const known = new Map<string, ServedEntry>()
  const swapping: Swapping = {
    get name() {
      return get().name
    },
    get info() {
      return get().info
    },
    get current() {
      return get()
    },
    get entries() {
      const names = Object.keys(get().entries)
      for (const name of names)
        if (!known.has(name))
          known.set(name, {
            name,
            run: (inputs, request) => {
              try {
                return get().entries[name]!.run(inputs, request)
              } catch (error) {
                return Promise.reject(error)
              }
            },
          })
      return Object.fromEntries(names.map((name) => [name, known.get(name)!]))
    },
    get isBusy() {
      return [...alive].some(({ server }) => server.isBusy)
    },
    run: (inputs, request) => get().run(inputs, request),
    session: (options) => get().session(options),
    ready: () => get().ready(),
    async drain() {
      isDraining = true
      await Promise.all([...alive].map(({ server }) => server.drain()))
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await Promise.all([...alive].map(end))
    },
    swap(source, options) {
      const swapped = last.then(() => swap(source, options))
      last = swapped.catch(() => {})
      return swapped
    },
    watch(observe) {
      const watcher: Watcher = { observe, stop: () => {} }
      watchers.add(watcher)
      listen(get(), watcher)
      return () => {
        watchers.delete(watcher)
        watcher.stop()
      }
    },
    statistics: () => statisticsOf(metricsOf(swapping)),
  }
  return swapping
}
