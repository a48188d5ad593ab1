import type { AttributesOf, TensorType } from '../../graph/index.ts'
import { lengthOf, type Range } from '../range.ts'
import { isRefusal, type Need, type Refusal, refuse, replaced, type SplitRule } from '../rule.ts'

type Sliding = Pick<AttributesOf<'conv'>, 'stride' | 'before' | 'after' | 'dilation'>

interface Halo {
  readonly range: Range
  /** Padding that is left at either end of the part. */
  readonly padding: Pick<Sliding, 'before' | 'after'>
}

/**
 * SP-03. What windows at positions `range` see: from the first element of the first window to the last of the last one, less the padding.
 * Neighbouring parts see some elements both (the halo): window · dilation − stride of them.
 */
function haloOf(input: TensorType, window: number, attributes: Sliding, spatial: number, range: Range): Halo | Refusal {
  const { stride, before, after, dilation } = attributes
  const first = range.start * stride[spatial]! - before[spatial]!
  const last = (range.end - 1) * stride[spatial]! - before[spatial]! + dilation[spatial]! * (window - 1) + 1
  const [start, end] = [Math.max(0, first), Math.min(input.shape[2 + spatial]!, last)]
  if (start >= end) return refuse('a part would see padding alone')
  return {
    range: { start, end },
    padding: { before: replaced(before, spatial, start - first), after: replaced(after, spatial, last - end) },
  }
}

type Convolution = SplitRule<'conv'>

/** Batch and spatial dimensions from the input; channels from the weights, and, in groups, from the input as well. */
const convolution: Convolution = ({ operands: { input, weight, bias }, attributes }, axis, range): ReturnType<Convolution> => {
  if (axis === 0) return { needs: { input: { axis, range }, weight: 'all', ...(bias && { bias: 'all' }) } }
  if (axis > 1) {
    const halo = haloOf(input, weight.shape[axis]!, attributes, axis - 2, range)
    if (isRefusal(halo)) return halo
    return {
      needs: { input: { axis, range: halo.range }, weight: 'all', ...(bias && { bias: 'all' }) },
      attributes: halo.padding,
    }
  }
  const channels = channelsOf(input, weight, attributes.groups, range)
  if (isRefusal(channels)) return channels
  const own: Need = { axis: 0, range }
  return {
    needs: { input: channels.need, weight: own, ...(bias && { bias: own }) },
    attributes: { groups: channels.groups },
  }
}

/** As a convolution is, but for its channels: blocks of them are few, and each is a whole kernel to a target. */
const blockedConvolution: SplitRule<'blockedConv'> = (whole, axis, range) => {
  if (axis === 1 || axis === whole.type.shape.length - 1) return refuse('its channels stand in blocks')
  return convolution(whole, axis, range) as ReturnType<SplitRule<'blockedConv'>>
}

/** The groups that a range of output channels belongs to: whole ones, or a part of a single one. */
function channelsOf(
  input: TensorType,
  weight: TensorType,
  groups: number,
  range: Range,
): { readonly need: Need; readonly groups: number } | Refusal {
  if (groups === 1) return { need: 'all', groups }
  const outputs = weight.shape[0]! / groups
  const inputs = input.shape[1]! / groups
  const [first, last] = [Math.floor(range.start / outputs), Math.ceil(range.end / outputs)]
  const whole = range.start % outputs === 0 && range.end % outputs === 0
  if (!whole && last - first > 1) return refuse(`a part would begin inside a group of ${outputs} channels and end in another`)
  return { need: { axis: 1, range: { start: first * inputs, end: last * inputs } }, groups: last - first }
}

type Pool = SplitRule<'maxPool'>

const pool: Pool = ({ operands: { input }, attributes }, axis, range) => {
  if (axis < 2) return { needs: { input: { axis, range } } }
  const halo = haloOf(input, attributes.window[axis - 2]!, attributes, axis - 2, range)
  return isRefusal(halo) ? halo : { needs: { input: { axis, range: halo.range } }, attributes: halo.padding }
}

export const windowRules: {
  readonly [K in 'conv' | 'convInteger' | 'blockedConv' | 'blockedConvInteger' | 'maxPool' | 'avgPool']: SplitRule<K>
} = {
  conv: convolution,
  convInteger: (whole, axis, range) => {
    const part = convolution(whole as never, axis, range)
    const { weightZeroPoint } = whole.attributes
    if (isRefusal(part) || axis !== 1 || weightZeroPoint.length === 1) return part
    const zeroPoints = weightZeroPoint.slice(range.start, range.start + lengthOf(range))
    return { needs: part.needs, attributes: { ...part.attributes, weightZeroPoint: zeroPoints } }
  },
  blockedConv: blockedConvolution,
  blockedConvInteger: blockedConvolution as SplitRule<'blockedConvInteger'>,
  maxPool: pool,
  avgPool: pool as SplitRule<'avgPool'>,
}
