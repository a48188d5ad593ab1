import { mainEntry } from '../compiler/graph/index.ts'
import type { EntriesInfo, ModelInfo, TensorInfo } from '../targets/runtime/index.ts'
import { readDType, readShape } from './check.ts'
import { Dimension } from './dimension.ts'
import type { Runners } from './interpreted.ts'
import { type QuantizationOptions, quantizedType } from './quantization.ts'
import { createInterpretedSession, fail } from './session.ts'
import type { State } from './state.ts'
import type { DType, Open, Tensor } from './tensor.ts'
import { describedInput } from './tracer.ts'

export type { EntriesInfo, ModelInfo, TensorInfo }

/** The array that holds each element type on the JavaScript side; half floats and 8-bit floats as their bits. */
export interface Data {
  f32: Float32Array
  f64: Float64Array
  f16: Uint16Array
  bf16: Uint16Array
  f8e4m3: Uint8Array
  f8e5m2: Uint8Array
  i8: Int8Array
  u8: Uint8Array
  i16: Int16Array
  u16: Uint16Array
  i32: Int32Array
  u32: Uint32Array
  i64: BigInt64Array
  u64: BigUint64Array
  bool: Uint8Array
}

/** What else may be passed: plain numbers, except for half floats, where they could mean values or bits. */
interface Convertible {
  f32: readonly number[]
  f64: readonly number[]
  f16: never
  bf16: never
  f8e4m3: never
  f8e5m2: never
  i8: readonly number[]
  u8: readonly number[] | Uint8ClampedArray
  i16: readonly number[]
  u16: readonly number[]
  i32: readonly number[]
  u32: readonly number[]
  i64: readonly number[] | readonly bigint[] | Int32Array
  u64: readonly number[] | readonly bigint[] | Int32Array
  bool: readonly boolean[] | readonly number[]
}

/** What a caller sees of a shape: unknown is `number`. */
export type Plain<S> = any[] extends S ? readonly number[] : { readonly [K in keyof S]: 0 extends 1 & S[K] ? number : S[K] }

/** An output: its elements, dense and row-major, and its shape. */
export interface Result<D extends DType, S> {
  readonly data: Data[D]
  readonly shape: Plain<S>
}

export type NamedTensors = Record<string, Tensor>
type InputOf<D extends DType> = Data[D] | Convertible[D]
export type InputsOf<I extends NamedTensors> = {
  [K in keyof I]: InputOf<I[K]['dtype']> | { readonly data: InputOf<I[K]['dtype']>; readonly shape?: readonly number[] }
}
export type OutputsOf<O extends NamedTensors> = { [K in keyof O]: Result<O[K]['dtype'], O[K]['shape']> }
type ArraysOf<T extends NamedTensors> = { readonly [K in keyof T]: Data[T[K]['dtype']] }

export interface RunOptions<O extends NamedTensors> {
  /** Arrays to write outputs to, or an earlier result; outputs left out get new arrays. Not to be read until the run ends. */
  readonly into?: { readonly [K in keyof O]?: Data[O[K]['dtype']] | OutputsOf<O>[K] }
  /** Rejects with `run-aborted` when it fires; a run that has begun goes on unseen. */
  readonly signal?: AbortSignal
}

/** Inputs and outputs as typed arrays: write, run, read. */
export interface Binding<I extends NamedTensors, O extends NamedTensors> {
  readonly inputs: ArraysOf<I>
  readonly outputs: ArraysOf<O>
  /** Runs on the calling thread. */
  run(): void
}

/** One way to call a network. Errors are `GlowplugError`s with a `code`. */
export interface Entry<I extends NamedTensors = NamedTensors, O extends NamedTensors = NamedTensors> {
  readonly name: string
  /** Target, level, sizes, names, element types and shapes. */
  readonly info: ModelInfo
  /** Runs off the calling thread where the model is compiled. Inputs are copied before it returns; the caller owns the outputs. */
  run(inputs: InputsOf<I>, options?: RunOptions<O>): Promise<OutputsOf<O>>
  /** Runs on the calling thread, which waits. Not compiled, it needs `await ready()` of the model before. */
  runSync(inputs: InputsOf<I>, options?: Pick<RunOptions<O>, 'into'>): OutputsOf<O>
  /** Inputs and outputs in place, for calls that allocate nothing. `sizes` of the dimensions that have several. */
  bind(sizes?: Readonly<Record<string, number>>): Binding<I, O>
}

interface Opened {
  /** Loads, verifies and warms up. */
  ready(): Promise<void>
  /** Frees what the model holds. Later runs fail with `closed`. */
  close(): Promise<void>
}

/** A network as its callers see it, compiled or not. */
export interface Model<I extends NamedTensors = NamedTensors, O extends NamedTensors = NamedTensors> extends Entry<I, O>, Opened {
  /** The model itself, as code that handles models with several entries sees it. */
  readonly entries: { readonly main: Entry<I, O> }
}

/** An entry as a session has it: what it carries is the session's. */
export type SessionEntry<I extends NamedTensors = NamedTensors, O extends NamedTensors = NamedTensors> = Omit<Entry<I, O>, 'bind'>

/** What sessions of all models have. */
interface OpenSession {
  /** Behind the runs that were called before, the state is the initial one again. */
  reset(): void
  /** Gives the state's memory back. Runs without an answer, and all later ones, fail with `session-closed`. */
  close(): void
}

/**
 * Runs that share state: each begins with what the one before left. Runs of a session are done in the order of their calls; other sessions know nothing
 * of them. A run that fails after it may have written to the state has all later ones fail with `session-lost`, until `reset`.
 */
export interface Session<I extends NamedTensors = NamedTensors, O extends NamedTensors = NamedTensors> extends OpenSession {
  readonly entries: { readonly main: SessionEntry<I, O> }
  /** Runs off the calling thread where the model is compiled. Inputs are copied before it returns; the caller owns the outputs. */
  run(inputs: InputsOf<I>, options?: RunOptions<O>): Promise<OutputsOf<O>>
  /** Runs on the calling thread, which waits. Fails with `session-busy` while runs are under way. With `into` it allocates nothing. */
  runSync(inputs: InputsOf<I>, options?: Pick<RunOptions<O>, 'into'>): OutputsOf<O>
}

/** A session of a network with several entries, which share its states. */
export interface EntriesSession<
  I extends InputsByEntry = InputsByEntry,
  O extends { readonly [K in keyof I]: NamedTensors } = OutputsByEntry<I>,
> extends OpenSession {
  readonly entries: { readonly [K in keyof I]: SessionEntry<I[K], O[K]> }
}

/** A network that remembers: it is called in sessions. */
export interface StatefulModel<I extends NamedTensors = NamedTensors, O extends NamedTensors = NamedTensors> extends Opened {
  readonly name: string
  readonly info: ModelInfo
  readonly entries: { readonly main: Pick<Entry<I, O>, 'name' | 'info'> }
  /** A new session, which begins with the initial state. Any number of them may be open. */
  session(): Session<I, O>
}

type InputsByEntry = Record<string, NamedTensors>
type OutputsByEntry<I> = { readonly [K in keyof I]: NamedTensors }

/** A network with several entries over one set of weights: `await net.entries.step.run({ token })`. */
export interface EntriesModel<I extends InputsByEntry = InputsByEntry, O extends OutputsByEntry<I> = OutputsByEntry<I>>
  extends Opened {
  readonly name: string
  /** What is the same for all entries: target, level, weights. */
  readonly info: EntriesInfo
  readonly entries: { readonly [K in keyof I]: Entry<I[K], O[K]> }
}

/** A network that remembers, with several entries, which share its states. */
export interface StatefulEntriesModel<
  I extends InputsByEntry = InputsByEntry,
  O extends { readonly [K in keyof I]: NamedTensors } = OutputsByEntry<I>,
> extends Opened {
  readonly name: string
  readonly info: EntriesInfo
  readonly entries: { readonly [K in keyof I]: Pick<Entry<I[K], O[K]>, 'name' | 'info'> }
  /** A new session, which begins with the initial states. Any number of them may be open. */
  session(): EntriesSession<I, O>
}

export type NamedStates = Record<string, State>
/** The states of a model as `forward` gets them. */
export type StatesOf<S extends NamedStates> = { [K in keyof S]: Tensor<S[K]['dtype'], S[K]['shape']> }
/** Without a `state`, S is inferred as nothing or as anything. */
type Stateless<S> = string extends keyof S ? true : [keyof S] extends [never] ? true : false

export interface EntrySpec<I extends NamedTensors, O extends NamedTensors, S extends NamedStates = Record<never, never>> {
  /** Names, element types and shapes of what callers pass. */
  readonly inputs: I
  /** Builds the network. Read at build, never run in production. What it returns under the name of a state renews that. */
  forward(inputs: I, state: StatesOf<S>): O & Partial<StatesOf<S>>
}

export interface ModelSpec<I extends NamedTensors, O extends NamedTensors, S extends NamedStates = Record<never, never>>
  extends EntrySpec<I, O, S> {
  /** Letters, digits and `_`, at most 64; names the model in reports and bundles. */
  readonly name: string
  /** What each session carries from one run to the next. Names differ from those of inputs. */
  readonly state?: S
  readonly entries?: never
}

/**
 * Inputs are inferred from the first half, entry by entry, and stand in the parameter of `forward` while it is checked; outputs from the
 * second. `never` takes no part in what that parameter is.
 */
type EntrySpecs<I extends InputsByEntry, O extends OutputsByEntry<I>, S extends NamedStates> = {
  readonly [K in keyof I]: EntrySpec<I[K], NamedTensors, S>
} & { readonly [K in keyof O]: { forward(inputs: never, state: never): O[K] } }

export interface EntriesSpec<I extends InputsByEntry, O extends OutputsByEntry<I>, S extends NamedStates = Record<never, never>> {
  /** Letters, digits and `_`, at most 64; names the model in reports and bundles. */
  readonly name: string
  /** What each session carries from one run to the next, of whichever entry. An entry reads and renews what it wants. */
  readonly state?: S
  /** Inputs and `forward` of each way to call the network. Their names are identifiers like those of tensors. */
  readonly entries: EntrySpecs<I, O, S>
  readonly inputs?: never
  readonly forward?: never
}

/**
 * Describes an input of a model.
 * @param dtype element type
 * @param shape sizes of its dimensions, outermost first; images are `[batch, channels, height, width]`
 * @param quantization `scale`, `zeroPoint` and `axis`: what its integers stand for, where they stand for other numbers than themselves; callers
 *   pass the integers
 */
export function tensor<D extends DType, S extends number[]>(
  dtype: D,
  shape: readonly [...S],
  quantization?: QuantizationOptions,
): Tensor<D, Open<S>> {
  const dims = Array.isArray(shape) ? shape.map((entry: unknown) => (entry instanceof Dimension ? entry : undefined)) : []
  const largest = Array.isArray(shape) ? shape.map((entry, i) => dims[i]?.sizes.at(-1) ?? entry) : shape
  const type = { dtype: readDType('tensor', dtype), shape: readShape('tensor', largest) }
  return describedInput(quantization === undefined ? type : quantizedType('tensor', type, quantization), dims) as never
}

const specKey = Symbol('glowplug.spec')

/** What `model()` was given, or undefined when `value` is not its result. */
export const specOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && specKey in value ? value[specKey] : undefined

/**
 * Declares a network. `{ name, inputs, forward }` is called by `run`; `{ name, entries: { prefill: { inputs, forward }, … } }` has several
 * ways to be called over one set of weights: `entries.prefill.run`.
 *
 * The bundler plugin replaces the call by the compiled model. Without the plugin the model runs on the reference interpreter: slowly,
 * with the same types and errors, with results equal within rounding, and with one process warning `GLOWPLUG_INTERPRETED`. Mistakes in
 * `spec` and in `forward` are reported by the build, or by the first run.
 */
export function model<
  I extends NamedTensors,
  O extends NamedTensors,
  EI extends InputsByEntry,
  EO extends OutputsByEntry<EI>,
  S extends NamedStates = Record<never, never>,
>(
  spec: ModelSpec<I, O, S> | EntriesSpec<EI, EO, S>,
): string extends keyof EI
  ? Stateless<S> extends true
    ? Model<I, O>
    : StatefulModel<I, { [K in keyof O as K extends keyof S ? never : K]: O[K] }>
  : Stateless<S> extends true
    ? EntriesModel<EI, EO>
    : StatefulEntriesModel<EI, { [E in keyof EO]: { [K in keyof EO[E] as K extends keyof S ? never : K]: EO[E][K] } }>
// One signature for both forms: the errors of overloads would stand at the call and not at the mistake.
export function model(spec: { readonly name: string; readonly entries?: object; readonly state?: object }): unknown {
  let loading: Promise<Runners> | undefined
  let loaded: Runners | undefined
  let closed = false

  const load = () =>
    (loading ??= import('./interpreted.ts').then(({ createRunners }) => {
      loaded = createRunners(spec)
      return loaded
    }))
  const runners = () => loaded ?? notReady(spec.name)

  const entryOf = (name: string): Entry =>
    Object.freeze({
      name,
      get info() {
        return runners().get(name)!.info
      },
      async run(inputs: unknown, options?: RunOptions<NamedTensors>) {
        const copied = snapshot(inputs)
        return (await load()).get(name)!.run(copied, options, closed) as OutputsOf<NamedTensors>
      },
      runSync: (inputs: unknown, options?: RunOptions<NamedTensors>) =>
        runners().get(name)!.run(inputs, options, closed) as OutputsOf<NamedTensors>,
      bind: (sizes?: Readonly<Record<string, number>>) =>
        runners()
          .get(name)!
          .bind(() => closed, sizes) as Binding<NamedTensors, NamedTensors>,
    })

  // Whatever was passed: mistakes in it are told by the build and by the first run.
  const listed: unknown = spec?.entries
  const names = listed === undefined ? [mainEntry] : Object.keys(Object(listed))
  const entries = Object.freeze(Object.fromEntries(names.map((name) => [name, entryOf(name)])))
  const main = listed === undefined ? entries[mainEntry] : undefined
  return Object.freeze({
    [specKey]: spec,
    get name() {
      return spec.name
    },
    get info() {
      const [first] = runners().values()
      const { regions, inputs, outputs, ...shared } = first!.info
      return main ? first!.info : shared
    },
    entries,
    ...(main && { run: main.run, runSync: main.runSync, bind: main.bind }),
    session: () =>
      createInterpretedSession({
        ...{ name: spec.name, names, load, runners, isClosed: () => closed, copy: snapshot },
        keepsState: Object.keys(Object(spec?.state)).length > 0,
      }),
    ready: async () => void (await load()),
    async close() {
      closed = true
    },
  })
}

const notReady = (name: string): never =>
  fail(
    'not-ready',
    `model '${name}' is not compiled and its interpreter is loaded asynchronously: await ready() before runSync(), bind() and info`,
  )

/** Inputs as they are now: the caller may write to its arrays as soon as `run` has returned. Checked later; odd values pass through. */
function snapshot(inputs: unknown): unknown {
  if (typeof inputs !== 'object' || inputs === null) return inputs
  return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, copyOf(value)]))
}

function copyOf(value: any): unknown {
  if (Array.isArray(value)) return [...value]
  if (ArrayBuffer.isView(value)) return 'slice' in value ? (value as Uint8Array).slice() : value
  return typeof value === 'object' && value !== null && 'data' in value ? { ...value, data: copyOf(value.data) } : value
}
