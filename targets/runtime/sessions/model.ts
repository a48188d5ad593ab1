import { explain, fail, GlowplugError } from '../error.ts'
import type { Manifest, StateRegion } from '../manifest.ts'
import type { Host, Model, OpenOptions } from '../model.ts'
import type { Instance, Place, Plan, TensorInfo } from '../plan.ts'
import { createQueue } from '../queue.ts'
import { arrayOf, elementCount, type InputValue, type TensorArray, type TensorValue } from '../tensor.ts'
import type { Keepers, Places, StatefulLoaded } from './keeper.ts'
import type { StatePlan } from './serve.ts'
import { createSession, type Session, type SessionEntry } from './session.ts'

/** A model that keeps state runs in sessions: `run`, `runSync` and `bind` of its entries that have state fail with `session-needed`. */
export interface StatefulModel<I = Record<string, InputValue>, O = Record<string, TensorValue>> extends Model<I, O> {
  /** A new session, with the initial state. Any number of them may be open. */
  session(): Session<I, O>
}

/** Puts entries of several sizes together, as callers see them. */
export type Merge = (
  manifest: Manifest,
  entries: Readonly<Record<string, SessionEntry<any, any>>>,
) => Readonly<Record<string, SessionEntry<any, any>>>

/** Gives a model sessions. */
export type OpenStateful = (model: Model<any, any>, host: Host, options: OpenOptions) => StatefulModel<any, any>

/** Reads a part of the weights file, whose digest is checked. */
export type ReadPart = (target: Uint8Array, place: Place, bytes: number, offset: number, digest: string | false) => void

/** What sessions begin with. */
export function statePlanOf(
  { state }: Manifest,
  { place, bytes }: Plan,
  verify: OpenOptions['verify'],
  read: ReadPart,
): StatePlan {
  const region = checkState(state)
  if (!region.tensors.some(({ initial }) => initial)) return { bytes: region.bytes, initial: undefined }
  const initial = new Uint8Array(region.bytes)
  for (const { offset, initial: part } of region.tensors)
    if (part)
      try {
        read(initial.subarray(offset, offset + part.bytes), place, bytes, part.offset, verify !== 'code' && part.digest)
      } catch (error) {
        throw explain(error, { place, bytes })
      }
  return { bytes: region.bytes, initial }
}

/** What the manifest says of state, after checking it: it may be damaged. */
export function checkState(state: StateRegion = { bytes: 0, tensors: [] }): StateRegion {
  const whole = (value: unknown, step: number) =>
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) % step === 0
  const fits =
    whole(state.bytes, 64) &&
    Array.isArray(state.tensors) &&
    state.tensors.every(
      ({ offset, initial }) =>
        whole(offset, 64) &&
        offset <= state.bytes &&
        (!initial || (whole(initial.offset, 1) && whole(initial.bytes, 1) && initial.bytes <= state.bytes - offset)),
    )
  if (!fits) fail('bundle-malformed', 'the bundle is damaged at manifest.state')
  return state
}

/** `model` over the same host, with sessions. */
export function withSessions(
  model: Model<any, any>,
  host: Host,
  { instances = 1, queue: limit = 1024 }: OpenOptions,
  merge: Merge = (_, entries) => entries,
): StatefulModel<any, any> {
  let keepers: Keepers | undefined
  let closing: GlowplugError | undefined
  /** By entry, regions of runs that ended, for later ones. */
  const spare: ArrayBuffer[][] = []
  const views = new WeakMap<ArrayBuffer, Places>()
  const about = (text: string) => `model '${model.name}' ${text}`
  const load = () => host.load() as StatefulLoaded

  const viewsOf = (tensors: readonly TensorInfo[], memory: ArrayBuffer, start: number): TensorArray[] =>
    tensors.map(({ dtype, offset, shape }) => new (arrayOf(dtype))(memory, start + offset, elementCount(shape)))
  /** Inputs and outputs of an entry in a buffer that is its own, or an instance's. */
  const placesOf = (entry: number, memory: ArrayBuffer, start: number): Places => {
    const { inputs, outputs } = load().entries[entry]!
    return { inputs: viewsOf(inputs, memory, start), outputs: viewsOf(outputs, memory, start) }
  }

  function admit(): void {
    if (closing) throw closing
  }
  function instantiate(): Instance {
    const loaded = load()
    try {
      return loaded.instantiate()
    } catch (error) {
      throw explain(error, loaded)
    }
  }
  function getKeepers(): Keepers {
    admit()
    keepers ??= load().keepers({
      ...{ instances, about, places: placesOf, instantiate },
      newQueue: (start, devices) => createQueue(start, devices, limit, about),
    })
    return keepers
  }

  return {
    get name() {
      return model.name
    },
    get info() {
      return model.info
    },
    get entries() {
      return model.entries
    },
    run: model.run,
    runSync: model.runSync,
    bind: model.bind,
    session() {
      const manifest = host.manifest()
      if (!manifest.state) fail('bad-option', about('keeps no state: call run()'))
      const keeper = getKeepers().create()
      return createSession({
        ...{ about, keeper, limit, admit, places: regionPlaces },
        entries: load().entries,
        uses: manifest.entries.map(({ state }) => state),
        infoOf: (entry) => Object.values(model.entries)[entry]!.info,
        takeRegion: (entry) => spare[entry]?.pop() ?? new ArrayBuffer(load().entries[entry]!.regions.mutable + 64),
        giveRegion(entry, region) {
          spare[entry] ??= []
          if (spare[entry].length < instances) spare[entry].push(region)
        },
        lead: (region) => load().lead(region),
        merge: (entries) => merge(manifest, entries),
      })
    },
    async ready() {
      // One with state is not known to the queue of the others: its devices start when they have something to do.
      await (host.manifest().state ? getKeepers().ready() : model.ready())
    },
    async close() {
      closing ??= new GlowplugError('closed', about('is closed'))
      await Promise.all([keepers?.close(closing), model.close()])
    },
  }

  /** The same, kept with a region as long as that is not handed to another thread, which leaves a new buffer behind. */
  function regionPlaces(entry: number, region: ArrayBuffer, start: number): Places {
    const found = views.get(region) ?? placesOf(entry, region, start)
    views.set(region, found)
    return found
  }
}
