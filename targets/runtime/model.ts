import { crash, explain, fail, GlowplugError } from './error.ts'
import type { CodeEntry, EntryPoint, Manifest } from './manifest.ts'
import type { Answer, Instance, Plan, TensorInfo } from './plan.ts'
import { createQueue, type Queue, type StartDevice } from './queue.ts'
import {
  arrayOf,
  checkNames,
  copyInput,
  elementCount,
  type InputValue,
  outputArray,
  type TensorArray,
  type TensorValue,
} from './tensor.ts'

export interface OpenOptions {
  /** Take this target or fail. Default: the first of the bundle that runs here; a change is a process warning with code GLOWPLUG_FALLBACK. */
  readonly target?: string | undefined
  /** Requests that may run at once, each with activations of its own, and on worker threads with weights of its own. Default 1. */
  readonly instances?: number | undefined
  /**
   * Threads that run one request together, native code's alone; no more of them take part than there are processors. Default 1: other threads
   * are then left to other requests.
   */
  readonly threads?: number | undefined
  /** Requests that may wait; one more is refused with `queue-full`. Default 1024. */
  readonly queue?: number | undefined
  /**
   * Code is always checked against its digest. Weights are checked before the first `run` answers and not for `runSync` and `bind`, where that would
   * block the caller; `full` checks them there too, `code` nowhere.
   */
  readonly verify?: 'code' | 'full' | undefined
}

export interface RunOptions<O = Record<string, TensorValue>> {
  /** Arrays to write outputs to, or an earlier result; outputs left out get new arrays. Not to be read until the run ends. */
  readonly into?: { readonly [K in keyof O]?: O[K] | (O[K] extends TensorValue<infer A> ? A : never) } | undefined
  /** Rejects with `run-aborted` when it fires; a run that has begun goes on unseen. */
  readonly signal?: AbortSignal | undefined
}

/** Inputs and outputs as typed arrays on an instance of its own: write, run, read. Allocates nothing. */
export interface Binding<I = Record<string, TensorArray>, O = Record<string, TensorArray>> {
  readonly inputs: I
  readonly outputs: O
  /** Runs on the calling thread. Throws `run-fault`, `run-crashed`, `closed`. */
  run(): void
}

/** What is the same for all entries of a model. */
export interface EntriesInfo {
  readonly model: string
  readonly target: string
  readonly level: string
  /** Why the bundle's first target was not taken. */
  readonly fallback?: string | undefined
  readonly instances: number
  /** As asked for; 1 where the code is not native. */
  readonly threads: number
  /** Bytes of the weights that one instance reads. */
  readonly weightBytes: number
  /** Versions of what built it. */
  readonly glowplug: string
  readonly toolchain: Readonly<Record<string, string>>
}

/** What a model with one entry, and each entry, says of itself. */
export interface ModelInfo extends EntriesInfo {
  /** Bytes. */
  readonly regions: EntryPoint['regions']
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /** Present where dimensions have several sizes, by name. All else is said of the largest. */
  readonly dims?: Readonly<Record<string, readonly number[]>> | undefined
}

/** One way to call a model. */
export interface Entry<I = Record<string, InputValue>, O = Record<string, TensorValue>> {
  readonly name: string
  /** Reads the manifest, and loads the code to say what can run here. */
  readonly info: ModelInfo
  /** Runs off the calling thread. Inputs are copied before it returns; the caller owns the outputs. */
  run(inputs: I, options?: RunOptions<O>): Promise<O>
  /** Runs on the calling thread, which waits. */
  runSync(inputs: I, options?: Pick<RunOptions<O>, 'into'>): O
  /** `sizes` of its dimensions, for an entry where these have several. */
  bind(sizes?: Readonly<Record<string, number>>): Binding
}

/** A model with several entries, which share weights, activations and a queue. */
export interface EntriesModel<E = Readonly<Record<string, Entry>>> {
  readonly name: string
  readonly info: EntriesInfo
  readonly entries: E
  /** Loads, verifies and warms up as many instances as were asked for. */
  ready(): Promise<void>
  /** Ends the model. Runs that have no answer yet, and all later ones, fail with `closed`. */
  close(): Promise<void>
}

/** A model with one entry is that entry. With several, `run`, `runSync` and `bind` fail with `entry-missing`. */
export interface Model<I = Record<string, InputValue>, O = Record<string, TensorValue>>
  extends Entry<I, O>,
    Omit<EntriesModel, 'info'> {}

/** What runs code of one kind. */
export interface Executor {
  /** Bytes from the start of a buffer to where a region may start in it. */
  lead(region: ArrayBuffer): number
  /** An instance for the calling thread. */
  instantiate(): Instance
  readonly start: StartDevice
}

export interface Loaded extends Plan, Executor {
  readonly chosen: CodeEntry
  /** Why it is not of the target that comes first. */
  readonly fallback: string | undefined
}

/** Where a model comes from and what it runs on. Its functions throw GlowplugErrors, and try again when called again. */
export interface Host {
  /** Reads and checks the manifest, once. */
  manifest(): Manifest
  /** Reads, checks and compiles the code, once; the weights are left to the instances. */
  load(): Loaded
}

/** Tensors in the region that starts at byte `start`. */
const viewsOf = (tensors: readonly TensorInfo[], memory: ArrayBufferLike, start: number): TensorArray[] =>
  tensors.map(({ dtype, offset, shape }) => new (arrayOf(dtype))(memory, start + offset, elementCount(shape)))

/** By name; in a loop, since a small model takes no longer than `Object.fromEntries`. */
const named = <T>(items: readonly any[], valueOf: (item: any, index: number) => T): Record<string, T> => {
  const all: Record<string, T> = {}
  items.forEach((item, index) => {
    all[item.name] = valueOf(item, index)
  })
  return all
}

/** The model of a host. */
export function createModel(host: Host, { instances = 1, threads = 1, queue: limit = 1024 }: OpenOptions): Model<any, any> {
  if (!(instances >= 1 && threads >= 1 && limit >= 1)) fail('bad-option', 'instances, threads, queue are 1 or more')
  let queue: Queue | undefined
  let local: Instance | undefined
  let entries: Readonly<Record<string, Entry<any, any>>> | undefined
  /** Instances on the calling thread, as long as someone has them. */
  const made: WeakRef<Instance>[] = []

  const about = (text: string) => `model '${host.manifest().model}' ${text}`
  const closedError = () => new GlowplugError('closed', about('is closed'))
  /** Throws once the model is closed. */
  let { load } = host
  const getQueue = () => (queue ??= createQueue(load().start, instances, limit, about))
  const getEntries = () => (entries ??= named(host.manifest().entries, createEntry))

  function instantiate(): Instance {
    const loaded = load()
    try {
      const instance = loaded.instantiate()
      made.push(new WeakRef(instance))
      return instance
    } catch (error) {
      throw explain(error, loaded)
    }
  }

  function infoOf(index: number): any {
    const manifest = host.manifest()
    const { chosen, entries, fallback } = host.load()
    const entry = entries[index]
    return {
      model: manifest.model,
      target: chosen.target,
      level: chosen.level,
      fallback,
      instances,
      weightBytes: chosen.weights.bytes,
      glowplug: manifest.glowplug,
      toolchain: manifest.toolchain,
      threads: chosen.kind === 'addon' ? threads : 1,
      ...(entry && { regions: entry.regions, inputs: entry.inputs, outputs: entry.outputs }),
    }
  }

  function createEntry({ name, state }: Manifest['entries'][number], index: number): Entry<any, any> {
    /** Regions of requests that ended, for later ones. */
    const spare: ArrayBuffer[] = []
    /** Throws where it cannot run: `state` lies nowhere without a session. */
    const get = () =>
      state ? fail('session-needed', about('keeps state: use session(), see openSessions()')) : load().entries[index]!

    /** Where each output goes: to the caller's array, or to a new one. */
    function targetsIn(into: any): (TensorArray | undefined)[] {
      const { outputs } = get()
      checkNames(into, outputs, 'output')
      return outputs.map((tensor) => into?.[tensor.name] && outputArray(tensor, into[tensor.name]))
    }

    function copyInputs(values: any, views: readonly TensorArray[]): void {
      const { inputs } = get()
      checkNames(values, inputs, 'input')
      inputs.forEach((tensor, i) => {
        copyInput(tensor, values?.[tensor.name], views[i])
      })
    }

    const copyOutputs = (targets: readonly (TensorArray | undefined)[], views: readonly TensorArray[]): any =>
      named(get().outputs, (tensor: TensorInfo, i) => {
        const from = views[i]!
        // Checked again: the caller may have given the array's memory away while the run went on.
        const data = outputArray(tensor, targets[i] ?? new (arrayOf(tensor.dtype))(from.length))
        data.set(from as never)
        return { data, shape: tensor.shape }
      })

    /** Inputs and outputs in an instance: made once, since that takes longer than a small model. */
    function placesIn(instance: Instance) {
      const { inputs, outputs } = get()
      const { memory, mutable, places = [] } = instance
      instance.places = places
      places[index] ??= [viewsOf(inputs, memory, mutable), viewsOf(outputs, memory, mutable)]
      return places[index]
    }

    const checkFault = (fault: number) =>
      fault && fail('run-fault', get().faults[fault - 1] ?? about(`failed with code ${fault}`))

    function execute(instance: Instance): void {
      let fault = 0
      try {
        fault = instance.run(index)
      } catch (error) {
        local = undefined
        throw crash(about, error as Error)
      }
      checkFault(fault)
    }

    return {
      name,
      get info() {
        return infoOf(index)
      },
      // Up to its first await this runs at once: inputs are copied before the caller goes on.
      async run(inputs, { into, signal } = {}) {
        if (signal && !signal.addEventListener) fail('bad-option', 'signal is no AbortSignal')
        const { lead } = load()
        const checkSignal = () => signal?.aborted && fail('run-aborted', about('aborted a run'), signal.reason)
        checkSignal()
        const targets = targetsIn(into)
        const region = spare.pop() ?? new ArrayBuffer(get().regions.mutable + 64)
        const start = lead(region)
        copyInputs(inputs, viewsOf(get().inputs, region, start))
        let abort: () => void
        const answer = new Promise<Answer>((resolve, reject) => {
          const job = { request: { region, start, entry: index }, resolve, reject }
          abort = () => {
            queue!.remove(job)
            reject()
          }
          getQueue().add(job)
          signal?.addEventListener('abort', abort)
        })
        try {
          const { region, fault } = await answer
          // Those of requests that failed may still be in use.
          if (spare.length < instances) spare.push(region!)
          checkFault(fault!)
          return copyOutputs(targets, viewsOf(get().outputs, region!, start))
        } finally {
          signal?.removeEventListener('abort', abort!)
          checkSignal()
        }
      },
      runSync(inputs, { into } = {}) {
        local ??= instantiate()
        const places = placesIn(local)
        const targets = targetsIn(into)
        copyInputs(inputs, places[0])
        execute(local)
        return copyOutputs(targets, places[1])
      },
      bind() {
        const instance = instantiate()
        const places = placesIn(instance)
        return {
          inputs: named(get().inputs, (_, i) => places[0][i]!),
          outputs: named(get().outputs, (_, i) => places[1][i]!),
          run() {
            load()
            execute(instance)
          },
        }
      },
    }
  }

  /** The only entry. */
  function main(): Entry<any, any> {
    const [entry, other] = Object.values(getEntries())
    if (other) fail('entry-missing', about(`has several entries: call entries.${Object.keys(entries!).join(' or entries.')}`))
    return entry!
  }

  return {
    get name() {
      return host.manifest().model
    },
    get info() {
      return infoOf(host.manifest().entries[1] ? -1 : 0)
    },
    get entries() {
      return getEntries()
    },
    run: async (inputs, options) => main().run(inputs, options),
    runSync: (inputs, options) => main().runSync(inputs, options),
    bind: () => main().bind(),
    async ready() {
      load()
      await getQueue().ready()
    },
    async close() {
      load = () => {
        throw closedError()
      }
      local = undefined
      for (const instance of made.splice(0)) instance.deref()?.close?.()
      await queue?.close(closedError())
    },
  }
}
