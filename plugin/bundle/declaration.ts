import { mainEntry, printType, type TensorType } from '../../compiler/graph/index.ts'
import { printExtent } from '../../compiler/padding/index.ts'
import { counted, countsIn } from '../../targets/runtime/bounded.ts'
import { mergeEntries } from '../../targets/runtime/buckets.ts'
import type { BucketedEntry, BucketedTensor, Manifest, TensorSignature } from '../../targets/runtime/manifest.ts'
import type { Placement } from '../../targets/runtime/serve/placement.ts'
import { arrayOf, byteSize } from '../../targets/runtime/tensor.ts'

const quote = (text: string): string => JSON.stringify(text)
/** Dimensions that are as long as a request makes them are numbers. */
const tuple = (items: readonly (number | string | object)[]): string =>
  `readonly [${items.map((item) => (typeof item === 'object' ? 'number' : item)).join(', ')}]`

/** What may be passed for an element type, beside its typed array. */
function accepted(dtype: string): string {
  const array = arrayOf(dtype).name
  if (/^b?f(16|8)/.test(dtype)) return array
  if (/^[iu]64$/.test(dtype)) return `${array} | Int32Array | readonly number[] | readonly bigint[]`
  if (dtype === 'bool') return `${array} | readonly boolean[] | readonly number[]`
  return dtype === 'u8' ? `${array} | Uint8ClampedArray | readonly number[]` : `${array} | readonly number[]`
}

/** `u8[1, 3, 8, 8] quantized([0.5], [128])`, as in the text form of graphs. */
export const printSignature = (tensor: TensorSignature): string => printType(tensor as TensorType)

/** A tensor as callers see it. */
type Declared = Omit<TensorSignature, 'shape'> & { readonly shape: BucketedTensor['shape'] }

/** `i64[1, seq]` */
const printDeclared = ({ shape, ...tensor }: Declared): string =>
  printType({ ...tensor, shape: shape.map((size) => (typeof size === 'object' ? printExtent(size) : size)) } as never)

function quantizationOf({ quantization }: TensorSignature): string {
  if (!quantization) return ''
  const { scale, zeroPoint, axis } = quantization
  const along = axis === undefined ? '' : `; readonly axis: ${axis}`
  return ` readonly quantization: { readonly scale: ${tuple(scale)}; readonly zeroPoint: ${tuple(zeroPoint)}${along} };`
}

const fields = (tensors: readonly Declared[], typeOf: (tensor: Declared) => string): string =>
  tensors.map((tensor) => `\n  /** ${printDeclared(tensor)} */\n  readonly ${quote(tensor.name)}: ${typeOf(tensor)}`).join('')

const table = (tensors: readonly TensorSignature[], offsets: readonly number[]): string =>
  tuple(
    tensors.flatMap((tensor, i) =>
      counted.test(tensor.name)
        ? []
        : `{ readonly name: ${quote(tensor.name)}; readonly dtype: ${quote(tensor.dtype)}; readonly shape: ${tuple(tensor.shape)};${quantizationOf(tensor)} readonly offset: ${offsets[i]}; readonly bytes: ${byteSize(tensor)} }`,
    ),
  )

/** What `info` may be of one entry: each code has its own addresses. */
const infoOf = ({ model, entries, codes }: Manifest, { at, inputs: visible, bucketed }: Signature): string =>
  codes
    .map(({ target, level, weights, entries: points }) => {
      const { regions, inputs, outputs } = points[at]!
      const sizes = Object.entries(regions).map(([name, bytes]) => `readonly ${name}: ${bytes}`)
      const dims = bucketed?.dims.map(({ name, sizes }) => `readonly ${quote(name)}: ${tuple(sizes)}`)
      const more = dims ? ` & { readonly dims: { ${dims.join('; ')} } }` : ''
      return `InfoOf<${quote(model)}, ${quote(target)}, ${quote(level)}, { ${sizes.join('; ')} }, ${weights.bytes}, ${table(entries[at]!.inputs.slice(0, visible.length), inputs)}, ${table(entries[at]!.outputs, outputs)}>${more}`
    })
    .map((info) => `\n  | ${info}`)
    .join('')

const array = ({ dtype }: Pick<TensorSignature, 'dtype'>) => arrayOf(dtype).name
const inputsOf = ({ inputs }: Signature) =>
  `{${fields(inputs, ({ dtype, shape }) => `Input<${accepted(dtype)}, ${tuple(shape)}>`)}\n}`
const outputsOf = ({ outputs }: Signature): string => {
  const counts = countsIn(outputs.map(({ name }) => name))
  const shapeOf = ({ name, shape }: Declared) => {
    const bounded = new Set(counts.get(name)?.map(([axis]) => axis))
    return tuple(shape.map((size, axis) => (bounded.has(axis) ? {} : size)))
  }
  const visible = outputs.filter(({ name }) => !counted.test(name))
  return `{${fields(visible, (tensor) => `Output<${array(tensor)}, ${shapeOf(tensor)}>`)}\n}`
}
const bindingOf = ({ inputs, outputs }: Signature): string => `{
  readonly inputs: {${fields(inputs, array).replaceAll('\n', '\n  ')}
  }
  readonly outputs: {${fields(outputs, array).replaceAll('\n', '\n  ')}
  }
  /** Runs on the calling thread. */
  run(): void
}`

/** An entry as callers see it. */
interface Signature {
  readonly name: string
  readonly inputs: readonly Declared[]
  readonly outputs: readonly Declared[]
  /** The entry of the manifest that `info` speaks of: the largest, where there are several. */
  readonly at: number
  readonly bucketed?: BucketedEntry
}

function signaturesOf({ entries, buckets = [] }: Pick<Manifest, 'entries' | 'buckets'>): readonly Signature[] {
  const at = (wanted: string) => entries.findIndex(({ name }) => name === wanted)
  const merged = mergeEntries(
    entries.map(({ name }) => name),
    buckets,
    (name): Signature => ({ ...entries[at(name)]!, at: at(name) }),
    (bucketed) => {
      const quantized = (list: readonly BucketedTensor[], tensors: readonly TensorSignature[]) =>
        list.map((tensor, i): Declared => ({ ...tensors[i]!, shape: tensor.shape }))
      const largest = at(bucketed.entries.at(-1)!)
      const { inputs, outputs } = entries[largest]!
      return {
        name: bucketed.name,
        inputs: quantized(bucketed.inputs, inputs),
        outputs: quantized(bucketed.outputs, outputs),
        at: largest,
        bucketed,
      }
    },
  )
  return Object.values(merged)
}

/** A model with state that is its one entry: it is called in sessions. */
function singleStateful(manifest: Manifest, entry: Signature): string {
  return `export interface Inputs ${inputsOf(entry)}

export interface Outputs ${outputsOf(entry)}

/** Offsets, sizes and regions in bytes. */
export type Info =${infoOf(manifest, entry)}

export interface Session extends SessionEntry<${quote(mainEntry)}, Inputs, Outputs, Info>, OpenSession {
  readonly entries: { readonly ${mainEntry}: SessionEntry<${quote(mainEntry)}, Inputs, Outputs, Info> }
}

export interface Model extends Opened {
  readonly name: ${quote(manifest.model)}
  readonly info: Info
  readonly entries: { readonly ${mainEntry}: { readonly name: ${quote(mainEntry)}; readonly info: Info } }
  /** A new session, which begins with the initial state. Any number of them may be open. */
  session(): Session
}
`
}

/** A model that is its one entry. */
function singleModel(manifest: Manifest, entry: Signature): string {
  return `export interface Inputs ${inputsOf(entry)}

export interface Outputs ${outputsOf(entry)}

/** Inputs and outputs in place: write, run, read. Allocates nothing. */
export interface Binding ${bindingOf(entry)}

/** Offsets, sizes and regions in bytes. */
export type Info =${infoOf(manifest, entry)}

export interface Model extends Entry<${quote(manifest.model)}, Inputs, Outputs, Binding, Info${sizesOf(entry)}>, Opened {
  readonly entries: { readonly ${mainEntry}: Entry<${quote(mainEntry)}, Inputs, Outputs, Binding, Info${sizesOf(entry)}> }
}
`
}

const sizesType = ({ dims }: BucketedEntry): string =>
  `{ ${dims.map(({ name }) => `readonly ${quote(name)}: number`).join('; ')} }`
/** What `bind` takes. */
const sizesOf = ({ bucketed }: Signature): string => (bucketed ? `, [sizes: ${sizesType(bucketed)}]` : '')

/** A model of several entries. Types of one are `Inputs['step']`, `Outputs['step']`. */
function entriesModel(manifest: Manifest, entries: readonly Signature[]): string {
  const { codes, model } = manifest
  const record = (valueOf: (entry: Signature) => string) =>
    entries.map((entry) => `\n  readonly ${quote(entry.name)}: ${valueOf(entry).replaceAll('\n', '\n  ')}`).join('')
  const withSizes = entries.flatMap((entry) =>
    entry.bucketed ? [`\n  readonly ${quote(entry.name)}: ${sizesType(entry.bucketed)}`] : [],
  )
  const shared = codes.map(
    ({ target, level, weights }) => `\n  | SharedInfoOf<${quote(model)}, ${quote(target)}, ${quote(level)}, ${weights.bytes}>`,
  )
  return `/** By entry. */
export interface Inputs {${record(inputsOf)}
}

/** By entry. */
export interface Outputs {${record(outputsOf)}
}

/** By entry. Inputs and outputs in place: write, run, read. Allocates nothing. */
export interface Binding {${record(bindingOf)}
}

/** By entry. Offsets, sizes and regions in bytes. */
export interface Info {${record((entry) => infoOf(manifest, entry))}
}

${manifest.state ? statefulEntries : ''}
export interface Model extends Opened {
  readonly name: ${quote(model)}
  readonly info:${shared.join('').replaceAll('\n', '\n  ')}
${manifest.state ? '  /** A new session, which begins with the initial states. Any number of them may be open. */\n  session(): Session\n' : ''}  readonly entries: {
    readonly [Name in keyof Inputs]: Entry<Name, Inputs[Name], Outputs[Name], Binding[Name], Info[Name]${withSizes.length > 0 ? ', Name extends keyof Sizes ? [sizes: Sizes[Name]] : []' : ''}>
  }
}
${withSizes.length > 0 ? `\n/** Sizes of dimensions, by entry. */\nexport interface Sizes {${withSizes.join('')}\n}\n` : ''}`
}

/** A session of a model of several entries. */
const statefulEntries = `
/** Entries share the states of the session. */
export interface Session extends OpenSession {
  readonly entries: { readonly [Name in keyof Inputs]: SessionEntry<Name, Inputs[Name], Outputs[Name], Info[Name]> }
}
`

/** What declarations of models with state need beside. */
const sessions = `/** One way to call the model, in a session. */
interface SessionEntry<Name, Ins, Outs, About> {
  readonly name: Name
  readonly info: About
  /** Runs off the calling thread, after the runs that were called before. Inputs are copied before it returns; the caller owns the outputs. */
  run(inputs: Ins, options?: { readonly into?: Into<Outs>; readonly signal?: Signal }): Promise<Outs>
  /** Runs on the calling thread, which waits. With \`into\` it allocates nothing. */
  runSync(inputs: Ins, options?: { readonly into?: Into<Outs> }): Outs
}

interface OpenSession {
  /** Behind the runs that were called before, the state is the initial one again. */
  reset(): void
  /** Gives the state's memory back. Later runs fail with code \`session-closed\`. */
  close(): void
}

`

/** Declarations that need no library but the language's own. */
const values = `type Input<Data, Shape> = Data | { readonly data: Data; readonly shape?: Shape | readonly number[] }

export interface Output<Data, Shape> {
  readonly data: Data
  readonly shape: Shape
}

/** Arrays for outputs, or an earlier result. */
type Into<Outs> = { readonly [Name in keyof Outs]?: Outs[Name] | (Outs[Name] extends { readonly data: infer Data } ? Data : never) }

/** An AbortSignal. */
interface Signal {
  readonly aborted: boolean
  readonly reason: any
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}
`

const thrown = `/** What the model throws and rejects with; \`code\` tells what went wrong and stays the same across versions. */
export declare class GlowplugError extends Error {
  readonly code: string
}
`

/**
 * Declarations of a module whose default export is the opened model: names, element types, shapes, offsets and region sizes as literals.
 * Needs no other file and no library but the language's own.
 */
export function declarationOf(manifest: Manifest): string {
  const entries = signaturesOf(manifest)
  const [first] = entries as readonly [Signature]
  const isSingle = entries.length === 1 && first.name === mainEntry
  return `// Written by glowplug ${manifest.glowplug}.

${isSingle ? (manifest.state ? singleStateful : singleModel)(manifest, first) : entriesModel(manifest, entries)}
declare const model: Model
export default model

${thrown}
${manifest.state ? sessions : ''}/** One way to call the model. */
interface Entry<Name, Ins, Outs, Bound, About, Sizes extends unknown[] = []> {
  readonly name: Name
  readonly info: About
  /** Runs off the calling thread. Inputs are copied before it returns; the caller owns the outputs. */
  run(inputs: Ins, options?: { readonly into?: Into<Outs>; readonly signal?: Signal }): Promise<Outs>
  /** Runs on the calling thread, which waits. */
  runSync(inputs: Ins, options?: { readonly into?: Into<Outs> }): Outs
  bind(...sizes: Sizes): Bound
}

interface Opened {
  /** Loads, verifies and warms up. */
  ready(): Promise<void>
  /** Ends the model. Runs without an answer, and all later ones, fail with code \`closed\`. */
  close(): Promise<void>
}

${values}
interface SharedInfoOf<Name, Target, Level, WeightBytes> {
  readonly model: Name
  readonly target: Target
  readonly level: Level
  /** Why the first target was not taken. */
  readonly fallback?: string
  readonly instances: number
  readonly threads: number
  readonly weightBytes: WeightBytes
  readonly glowplug: string
  readonly toolchain: Readonly<Record<string, string>>
}

interface InfoOf<Name, Target, Level, Regions, WeightBytes, Ins, Outs> extends SharedInfoOf<Name, Target, Level, WeightBytes> {
  readonly regions: Regions
  readonly inputs: Ins
  readonly outputs: Outs
}
`
}

/** Declarations of a module whose default export serves the model over cards. */
export function servedDeclarationOf({ glowplug, model, entries, buckets }: Placement): string {
  const list = signaturesOf({ entries, ...(buckets && { buckets }) })
  const [first] = list as readonly [Signature]
  const isSingle = list.length === 1 && first.name === mainEntry
  const record = (valueOf: (entry: Signature) => string) =>
    list.map((entry) => `\n  readonly ${quote(entry.name)}: ${valueOf(entry).replaceAll('\n', '\n  ')}`).join('')
  const types = isSingle
    ? `export interface Inputs ${inputsOf(first)}

export interface Outputs ${outputsOf(first)}

export interface Model extends Entry<${quote(model)}, Inputs, Outputs>, Served {
  readonly entries: { readonly ${mainEntry}: Entry<${quote(mainEntry)}, Inputs, Outputs> }
}
`
    : `/** By entry. */
export interface Inputs {${record(inputsOf)}
}

/** By entry. */
export interface Outputs {${record(outputsOf)}
}

export interface Model extends Served {
  readonly name: ${quote(model)}
  readonly entries: { readonly [Name in keyof Inputs]: Entry<Name, Inputs[Name], Outputs[Name]> }
}
`
  return `// Written by glowplug ${glowplug}.

${types}
declare const model: Model
export default model

/** Serves the model once more, with other options. */
export declare function open(options?: ServeOptions): Model

${thrown}
/** See \`ServeOptions\` of glowplug/serve. */
export interface ServeOptions {
  readonly cards?: number
  readonly device?: 'worker' | 'process'
  readonly target?: string
  readonly threads?: number
  readonly active?: number
  readonly queue?: number
  readonly timeout?: number
  readonly sanitize?: number
  readonly peerToPeer?: boolean
  readonly statics?: Readonly<Record<string, unknown>>
  readonly verify?: 'code' | 'full'
}

/** One way to call the model. */
interface Entry<Name, Ins, Outs> {
  readonly name: Name
  /** Runs on cards. Inputs are copied before it returns; the caller owns the outputs. */
  run(
    inputs: Ins,
    options?: { readonly into?: Into<Outs>; readonly signal?: Signal; readonly priority?: number; readonly deadline?: number },
  ): Promise<Outs>
}

interface Served {
  /** What runs where, and the bytes of each card. */
  readonly info: {
    readonly model: string
    readonly glowplug: string
    readonly cards: readonly {
      readonly name: string
      readonly device: 'worker' | 'process'
      readonly state: string
      readonly target: string
      readonly parts: readonly string[]
      readonly bytes: { readonly weights: number; readonly activations: number; readonly regions: number; readonly states: number }
      readonly restarts: number
    }[]
    readonly crossing: Readonly<Record<string, number>>
  }
  /** Loads, verifies and warms up all cards. */
  ready(): Promise<void>
  /** Takes no more requests, and resolves when all that came are answered. */
  drain(): Promise<void>
  /** Ends all cards. Requests without an answer, and all later ones, fail with code \`closed\`. */
  close(): Promise<void>
}

${values}`
}
