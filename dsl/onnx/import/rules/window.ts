import type { OpContext, OpRule, Value } from '../context.ts'
import { dimsOf, range } from './shared.ts'

/** How a window slides over the spatial axes: one entry for each. */
export interface Window {
  readonly kernel: readonly number[]
  readonly stride: readonly number[]
  readonly dilation: readonly number[]
  readonly before: readonly number[]
  /** What the file asks for, without what `ceil_mode` adds. */
  readonly after: readonly number[]
  /** Elements behind that padding which the last window of `ceil_mode` reaches over. */
  readonly beyond: readonly number[]
  /** Whether the padding is what the vocabulary calls 'same'. */
  readonly same: boolean
}

/** Extents of the one to three spatial axes. */
export function spatialExtents(c: OpContext, value: Value): readonly number[] {
  const shape = dimsOf(value)
  if (shape.length < 3 || shape.length > 5)
    return c.unsupported(
      `its input has ${shape.length} dimensions; one to three spatial ones are supported beside batch and channels`,
    )
  return shape.slice(2)
}

/** An attribute with an entry for each spatial axis. */
export function perAxis(c: OpContext, name: string, axes: number, fallback: number): readonly number[] {
  const given = c.ints(name)
  if (given === undefined || (given.length === 0 && axes > 0)) return new Array<number>(axes).fill(fallback)
  return given.length === axes ? given : c.unsupported(`attribute ${name} has ${given.length} entries for ${axes} spatial axes`)
}

/** Attribute `pads`: the entries before and those after. */
export function padsOf(c: OpContext, axes: number): { readonly before: readonly number[]; readonly after: readonly number[] } {
  const pads = perAxis(c, 'pads', axes * 2, 0)
  if (pads.some((pad) => pad < 0))
    return c.unsupported(`pads [${pads.join(', ')}] are negative`, 'crop with Slice in front of it')
  return { before: pads.slice(0, axes), after: pads.slice(axes) }
}

const autoPads = ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] as const

export function autoPadOf(c: OpContext): (typeof autoPads)[number] {
  const given = c.text('auto_pad', 'NOTSET') || 'NOTSET'
  return autoPads.find((mode) => mode === given) ?? c.unsupported(`auto_pad '${given}' is unknown`)
}

/** Strides, dilations and padding of a convolution or pool. `ceil_mode` adds a window where the last one does not begin in the padding. */
export function windowOf(c: OpContext, extents: readonly number[], kernel: readonly number[]): Window {
  const axes = extents.length
  const stride = perAxis(c, 'strides', axes, 1)
  const dilation = perAxis(c, 'dilations', axes, 1)
  const reach = kernel.map((k, i) => dilation[i]! * (k - 1) + 1)
  const auto = autoPadOf(c)
  const none = kernel.map(() => 0)
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const total = extents.map((extent, i) => Math.max(0, (Math.ceil(extent / stride[i]!) - 1) * stride[i]! + reach[i]! - extent))
    const less = total.map((t) => Math.floor(t / 2))
    const more = total.map((t, i) => t - less[i]!)
    const [before, after] = auto === 'SAME_UPPER' ? [less, more] : [more, less]
    const same = auto === 'SAME_UPPER' || total.every((t) => t % 2 === 0)
    return { kernel, stride, dilation, before, after, beyond: none, same: same && total.some((t) => t > 0) }
  }
  const { before, after } = auto === 'VALID' ? { before: none, after: none } : padsOf(c, axes)
  const base = { kernel, stride, dilation, before, after, same: false }
  if (auto === 'VALID' || c.int('ceil_mode', 0) === 0) return { ...base, beyond: none }
  const ends = extents.map((extent, i) => {
    const padded = extent + before[i]! + after[i]!
    const wanted = Math.ceil((padded - reach[i]!) / stride[i]!) + 1
    const count = (wanted - 1) * stride[i]! >= extent + before[i]! ? wanted - 1 : wanted
    // What lies behind the padding that is asked for, or, negative, how much of that no window reaches.
    return (count - 1) * stride[i]! + reach[i]! - padded
  })
  return {
    ...base,
    after: after.map((pad, i) => Math.max(0, pad + Math.min(0, ends[i]!))),
    beyond: ends.map((end) => Math.max(0, end)),
  }
}

/** One number where all entries are equal. */
export const uniform = (list: readonly number[]): number | readonly number[] =>
  list.every((entry) => entry === list[0]) ? (list[0] ?? 0) : [...list]

/** Padding as the vocabulary writes it; undefined for none. */
export function paddingOf({ before, after, same }: Pick<Window, 'before' | 'after' | 'same'>) {
  if (same) return 'same'
  if (before.every((pad, i) => pad === after[i])) return before.every((pad) => pad === 0) ? undefined : uniform(before)
  return { before: uniform(before), after: uniform(after) }
}

const unlessOne = (list: readonly number[]) => (list.every((entry) => entry === 1) ? undefined : uniform(list))

/** Options of a convolution. */
export const convolutionOptions = (c: OpContext, window: Window) => {
  const groups = c.int('group', 1)
  return {
    stride: unlessOne(window.stride),
    padding: paddingOf(window),
    dilation: unlessOne(window.dilation),
    groups: groups === 1 ? undefined : groups,
  }
}

/** Options of a pool, whose stride is the window where none is given. */
export const poolOptions = (window: Window) => ({
  stride: window.stride.every((step, i) => step === window.kernel[i]) ? undefined : uniform(window.stride),
  padding: paddingOf({ ...window, after: window.after.map((pad, i) => pad + window.beyond[i]!) }),
  dilation: unlessOne(window.dilation),
})

/** The function of the vocabulary for so many spatial axes, such as `conv2d`. */
export const byAxes = (c: OpContext, name: 'conv' | 'convTranspose' | 'maxPool' | 'avgPool' | 'lpPool', axes: number) =>
  (c.d as unknown as Readonly<Record<string, (...args: unknown[]) => Value>>)[`${name}${axes}d`]!

/** A rule of channels first on an input of channels last, and its first result: where `always`, or attribute `channels_last` says so. */
export const channelsLast =
  (rule: OpRule, always = false): OpRule =>
  (c) => {
    if (!always && c.int('channels_last', 0) === 0) return rule(c)
    const rank = c.typeOf(0).shape.length
    const spatial = range(rank).slice(2)
    const front = (value: Value) => c.d.transpose(value, [0, rank - 1, ...spatial.map((axis) => axis - 1)]) as Value
    const result = rule({
      ...c,
      input: (i) => (i === 0 ? front(c.input(0)) : c.input(i)),
      wantsOutput: (i) => i === 0 && c.wantsOutput(0),
    })
    const value = (Array.isArray(result) ? result[0] : result) as Value
    return c.d.transpose(value, [0, ...spatial, 1]) as Value
  }
