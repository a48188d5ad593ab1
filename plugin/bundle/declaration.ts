import { mainEntry, printType, type TensorType } from '../../compiler/graph/index.ts'
import type { Manifest, TensorSignature } from '../../targets/runtime/manifest.ts'
import { arrayOf, byteSize } from '../../targets/runtime/tensor.ts'

const quote = (text: string): string => JSON.stringify(text)
const tuple = (items: readonly (number | string)[]): string => `readonly [${items.join(', ')}]`

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

function quantizationOf({ quantization }: TensorSignature): string {
  if (!quantization) return ''
  const { scale, zeroPoint, axis } = quantization
  const along = axis === undefined ? '' : `; readonly axis: ${axis}`
  return ` readonly quantization: { readonly scale: ${tuple(scale)}; readonly zeroPoint: ${tuple(zeroPoint)}${along} };`
}

const fields = (tensors: readonly TensorSignature[], typeOf: (tensor: TensorSignature) => string): string =>
  tensors.map((tensor) => `\n  /** ${printSignature(tensor)} */\n  readonly ${quote(tensor.name)}: ${typeOf(tensor)}`).join('')

const table = (tensors: readonly TensorSignature[], offsets: readonly number[]): string =>
  tuple(
    tensors.map(
      (tensor, i) =>
        `{ readonly name: ${quote(tensor.name)}; readonly dtype: ${quote(tensor.dtype)}; readonly shape: ${tuple(tensor.shape)};${quantizationOf(tensor)} readonly offset: ${offsets[i]}; readonly bytes: ${byteSize(tensor)} }`,
    ),
  )

/** What `info` may be of one entry: each code has its own addresses. */
const infoOf = ({ model, entries, codes }: Manifest, index: number): string =>
  codes
    .map(({ target, level, weights, entries: points }) => {
      const { regions, inputs, outputs } = points[index]!
      const sizes = Object.entries(regions).map(([name, bytes]) => `readonly ${name}: ${bytes}`)
      return `InfoOf<${quote(model)}, ${quote(target)}, ${quote(level)}, { ${sizes.join('; ')} }, ${weights.bytes}, ${table(entries[index]!.inputs, inputs)}, ${table(entries[index]!.outputs, outputs)}>`
    })
    .map((info) => `\n  | ${info}`)
    .join('')

const array = ({ dtype }: TensorSignature) => arrayOf(dtype).name
const inputsOf = ({ inputs }: Signature) =>
  `{${fields(inputs, ({ dtype, shape }) => `Input<${accepted(dtype)}, ${tuple(shape)}>`)}\n}`
const outputsOf = ({ outputs }: Signature) =>
  `{${fields(outputs, (tensor) => `Output<${array(tensor)}, ${tuple(tensor.shape)}>`)}\n}`
const bindingOf = ({ inputs, outputs }: Signature): string => `{
  readonly inputs: {${fields(inputs, array).replaceAll('\n', '\n  ')}
  }
  readonly outputs: {${fields(outputs, array).replaceAll('\n', '\n  ')}
  }
  /** Runs on the calling thread. */
  run(): void
}`

type Signature = Manifest['entries'][number]

/** A model that is its one entry. */
function singleModel(manifest: Manifest): string {
  const [entry] = manifest.entries
  return `export interface Inputs ${inputsOf(entry!)}

export interface Outputs ${outputsOf(entry!)}

/** Inputs and outputs in place: write, run, read. Allocates nothing. */
export interface Binding ${bindingOf(entry!)}

/** Offsets, sizes and regions in bytes. */
export type Info =${infoOf(manifest, 0)}

export interface Model extends Entry<${quote(manifest.model)}, Inputs, Outputs, Binding, Info>, Opened {
  readonly entries: { readonly ${mainEntry}: Entry<${quote(mainEntry)}, Inputs, Outputs, Binding, Info> }
}
`
}

/** A model of several entries. Types of one are `Inputs['step']`, `Outputs['step']`. */
function entriesModel(manifest: Manifest): string {
  const { entries, codes, model } = manifest
  const record = (valueOf: (entry: Signature, index: number) => string) =>
    entries.map((entry, i) => `\n  readonly ${quote(entry.name)}: ${valueOf(entry, i).replaceAll('\n', '\n  ')}`).join('')
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
export interface Info {${record((_, i) => infoOf(manifest, i))}
}

export interface Model extends Opened {
  readonly name: ${quote(model)}
  readonly info:${shared.join('').replaceAll('\n', '\n  ')}
  readonly entries: {
    readonly [Name in keyof Inputs]: Entry<Name, Inputs[Name], Outputs[Name], Binding[Name], Info[Name]>
  }
}
`
}

/**
 * Declarations of a module whose default export is the opened model: names, element types, shapes, offsets and region sizes as literals.
 * Needs no other file and no library but the language's own.
 */
export function declarationOf(manifest: Manifest): string {
  const { entries } = manifest
  const isSingle = entries.length === 1 && entries[0]!.name === mainEntry
  return `// Written by glowplug ${manifest.glowplug}.

${isSingle ? singleModel(manifest) : entriesModel(manifest)}
declare const model: Model
export default model

/** What the model throws and rejects with; \`code\` tells what went wrong and stays the same across versions. */
export declare class GlowplugError extends Error {
  readonly code: string
}

/** One way to call the model. */
interface Entry<Name, Ins, Outs, Bound, About> {
  readonly name: Name
  readonly info: About
  /** Runs off the calling thread. Inputs are copied before it returns; the caller owns the outputs. */
  run(inputs: Ins, options?: { readonly into?: Into<Outs>; readonly signal?: Signal }): Promise<Outs>
  /** Runs on the calling thread, which waits. */
  runSync(inputs: Ins, options?: { readonly into?: Into<Outs> }): Outs
  bind(): Bound
}

interface Opened {
  /** Loads, verifies and warms up. */
  ready(): Promise<void>
  /** Ends the model. Runs without an answer, and all later ones, fail with code \`closed\`. */
  close(): Promise<void>
}

type Input<Data, Shape> = Data | { readonly data: Data; readonly shape?: Shape | readonly number[] }

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

interface SharedInfoOf<Name, Target, Level, WeightBytes> {
  readonly model: Name
  readonly target: Target
  readonly level: Level
  /** Why the first target was not taken. */
  readonly fallback?: string
  readonly instances: number
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
