import { fail, GlowplugError } from '../../error.ts'
import { builtin } from '../../plan.ts'
import type { InputValue, TensorValue } from '../../tensor.ts'
import type { RequestOptions, ServeOptions, Server } from '../api.ts'
import type { ServerParts } from '../bind.ts'
import { type CardLoad, createLoad } from '../choose.ts'
import { createGate } from '../gate.ts'
import { checkOptions } from '../options.ts'
import type { ServeSource } from '../readPlacement.ts'
import { hostCard } from '../record.ts'
import { type OpenServer, openServer } from '../serve.ts'
import { assignCards, createLedger, type Ledger, type Need } from './assign.ts'
import { createSwapping, type Swapped, type Swapping, type Version } from './swap.ts'

/** Cards that several models share. */
export interface HostOptions extends Pick<ServeOptions, 'device' | 'threads' | 'timeout' | 'verify' | 'peerToPeer' | 'sanitize'> {
  /** Default 6. */
  readonly cards?: number | undefined
  /** Bytes of each card: weights, activations, and inputs and outputs of all slots. Default: its share of the memory of this machine. */
  readonly memory?: number | undefined
  /** Requests of all models that are under way at once; the others wait for their turn by priority and arrival. Default 48. */
  readonly active?: number | undefined
}

export interface NetworkOptions extends ServeOptions {
  /** Added to the priorities of its requests: those with smaller sums go first, over all models. Default 0. */
  readonly priority?: number | undefined
}

/** A model on a host, by the name that it was given there. */
export interface NetworkInfo {
  readonly name: string
  readonly model: string
  /** Tells versions apart. */
  readonly bundle: string
  /** Of its logical cards, in their order, the card of the host that each is on. */
  readonly cards: readonly string[]
  /** There are requests without an answer, or open sessions. */
  readonly busy: boolean
}

export interface HostCardInfo {
  readonly name: string
  /** Bytes. */
  readonly memory: { readonly maximum: number; readonly used: number; readonly free: number }
  /** Models that have something there. */
  readonly networks: readonly string[]
}

/** Models on the same cards. Errors: `network-missing`, `network-exists`, `network-busy`, `card-full`, and those of `serve`. */
export interface ServeHost {
  readonly cards: readonly HostCardInfo[]
  /** Loads a model beside the others and warms it up. Where it does not fit or cannot be loaded, nothing changes. */
  add(name: string, source: ServeSource, options?: NetworkOptions): Promise<Server>
  get(name: string): Server
  run(name: string, inputs: Record<string, InputValue>, options?: RequestOptions): Promise<Record<string, TensorValue>>
  /** Replaces a model by another version, as `Server.swap`: there must be room for both at once. */
  swap(name: string, source: ServeSource, options?: NetworkOptions): Promise<Swapped>
  /** Unloads a model. With requests under way or sessions open it fails with `network-busy`, and changes nothing. */
  remove(name: string): Promise<void>
  list(): readonly NetworkInfo[]
  /** Unloads all models, or none where one is busy. */
  clear(): Promise<void>
  /** Ends all models, whatever they are doing. */
  close(): Promise<void>
}

interface Card extends Ledger {
  readonly name: string
  readonly load: CardLoad
}

interface Network {
  readonly options: NetworkOptions
  /** Undefined while it is being loaded. */
  swapping: Swapping | undefined
}

const defaults = { cards: 6, active: 48 } as const

/** What the logical cards of a server take, by their index; weights of native code are one mapping for all that read the file. */
function needsOf(
  { cards, parts }: ReturnType<OpenServer['loaded']>,
  { placement }: OpenServer['read'],
): { readonly index: number; readonly need: Need }[] {
  return cards
    .filter(({ index }) => index !== hostCard)
    .map(({ index, bytes }) => {
      const own = parts.filter((_, part) => {
        const { on } = placement.parts[part]!
        return on !== 'host' && on.includes(index)
      })
      const mapped = own.flatMap(({ loaded: { chosen, place, weights } }) =>
        chosen.kind === 'addon' && typeof place === 'string' ? [{ key: `${place} ${weights.offset}`, bytes: weights.bytes }] : [],
      )
      const copied = bytes.weights - mapped.reduce((sum, each) => sum + each.bytes, 0)
      return { index, need: { own: Math.max(0, copied) + bytes.activations + bytes.regions + bytes.states, shared: mapped } }
    })
}

/** Does nothing yet but check its options. */
export function createHost(options: HostOptions = {}): ServeHost {
  const { cards: count = defaults.cards, active = defaults.active, memory, ...common } = options
  checkOptions({ ...common, cards: count, active })
  if (memory !== undefined && !(memory > 0)) fail('bad-option', `memory must be bytes, more than 0, got ${memory}`)
  const each = Math.floor(memory ?? builtin('os').totalmem() / count)
  const cards: readonly Card[] = Array.from({ length: count }, (_, n) =>
    Object.assign(createLedger(each), { name: `card${n}`, load: createLoad() }),
  )
  const gate = createGate(active)
  const networks = new Map<string, Network>()
  /** Of each version, where its logical cards are. */
  const homes = new WeakMap<OpenServer, readonly number[]>()
  /** Models and versions of them that hold memory. */
  const holders = new Map<OpenServer, string>()
  let ids = 0
  let isClosed = false

  /** A version on cards that have room for it, not started. */
  function place(name: string, source: ServeSource, { priority, ...own }: NetworkOptions): Version {
    const extra: ServerParts = { nextId: () => ids++, gate, copies: count, priority }
    const server = openServer(source, { ...common, ...own }, extra)
    const loaded = server.loaded()
    const needs = needsOf(loaded, server.read)
    const result = assignCards(
      needs.map(({ need }) => need),
      cards,
    )
    if ('failed' in result) {
      const { need, index } = needs[result.failed]!
      const bytes = need.own + need.shared.reduce((sum, part) => sum + part.bytes, 0)
      throw new GlowplugError(
        'card-full',
        `model '${name}' does not fit: '${server.read.placement.cards[index]}' of it takes ${bytes} bytes, ${result.missing} more than any card has left`,
      )
    }
    needs.forEach(({ index }, n) => {
      loaded.bound.get(index)!.load = cards[result.cards[n]!]!.load
    })
    homes.set(server, result.cards)
    holders.set(server, name)
    return {
      server,
      release() {
        holders.delete(server)
        for (const [n, { need }] of needs.entries()) cards[result.cards[n]!]!.release(need)
      },
    }
  }

  function find(name: string): Swapping {
    const network = networks.get(name)
    if (!network) fail('network-missing', `there is no model '${name}'; there are ${[...networks.keys()].join(', ') || 'none'}`)
    if (!network.swapping) fail('network-busy', `model '${name}' is being loaded`)
    return network.swapping
  }

  const check = () => isClosed && fail('closed', 'the host is closed')
  const failBusy = (names: readonly string[]) =>
    fail('network-busy', `${names.map((name) => `'${name}'`).join(', ')}: requests under way or sessions open`)

  return {
    get cards() {
      return cards.map(({ name, capacity, used, free }, card) => ({
        name,
        memory: { maximum: capacity, used, free },
        networks: [...new Set([...holders].filter(([server]) => homes.get(server)!.includes(card)).map(([, holder]) => holder))],
      }))
    },
    async add(name, source, own = {}) {
      check()
      if (networks.has(name)) fail('network-exists', `there is a model '${name}'; remove it, or swap it`)
      const network: Network = { options: own, swapping: undefined }
      networks.set(name, network)
      let swapping: Swapping | undefined
      try {
        swapping = createSwapping(place(name, source, own), (from, changed) => place(name, from, changed ?? own))
        await swapping.ready()
        check()
        network.swapping = swapping
        return swapping
      } catch (error) {
        networks.delete(name)
        await swapping?.close()
        throw error
      }
    },
    get: find,
    async run(name, inputs, request) {
      return find(name).run(inputs, request)
    },
    async swap(name, source, own) {
      return find(name).swap(source, own)
    },
    async remove(name) {
      const swapping = find(name)
      if (swapping.isBusy) failBusy([name])
      networks.delete(name)
      await swapping.close()
    },
    list: () =>
      [...networks].flatMap(([name, { swapping }]) => {
        if (!swapping) return []
        const { current, info, isBusy } = swapping
        return [
          {
            name,
            model: info.model,
            bundle: info.bundle,
            cards: homes.get(current)!.map((card) => cards[card]!.name),
            busy: isBusy,
          },
        ]
      }),
    async clear() {
      const busy = [...networks].filter(([, { swapping }]) => !swapping || swapping.isBusy).map(([name]) => name)
      if (busy.length > 0) failBusy(busy)
      const all = [...networks.values()]
      networks.clear()
      await Promise.all(all.map(({ swapping }) => swapping!.close()))
    },
    async close() {
      isClosed = true
      const all = [...networks.values()]
      networks.clear()
      await Promise.all(all.map(({ swapping }) => swapping?.close()))
    },
  }
}
