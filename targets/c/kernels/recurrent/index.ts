import { cacheNanoseconds } from '../../choice.ts'
import { type Level, lanesOf } from '../../level.ts'
import { onePart, teamWait } from '../../team.ts'
import { block, loop } from '../../text.ts'
import type { AnchoredKernel, Template } from '../template.ts'
import { directionElements, packingLines, packRecurrent } from './packing.ts'
import { scalarBody, scalarScratch } from './scalar.ts'
import { attributesOf, type Setting, settingOf } from './setting.ts'
import { storageOf } from './storage.ts'
import { phaseLines } from './tiles.ts'

const isSingle = (kernel: AnchoredKernel) => kernel.anchor.type.dtype === 'f32'

/** Threads meet behind every step: what a step takes must be worth it, a part of what a kernel must take to be divided at all. */
const stepShare = 0.4
const usualLeast = 4000

function sharing(setting: Setting, level: Level): Level {
  const { directions, gates, hidden, batch, stored } = setting
  const elements = directions * gates * hidden * hidden
  const step = Math.max(cacheNanoseconds((stored ? 2 : 4) * elements), (elements * batch) / level.multiplyAddsPerNanosecond)
  return level.teams && step < stepShare * (level.leastDivided ?? usualLeast) ? { ...level, teams: false } : level
}

/**
 * The steps of a recurrent layer: in each, tiles of batch rows × hidden elements of all gates. The products with the hidden state add to what
 * the input brought, and the gates act on them while they are in registers, so that a step reads the weights once, in the order in which
 * they lie, and the hidden state stays in the first-level cache. That of the step before is read from the output. Threads divide hidden
 * elements of all directions and meet behind each step.
 */
export const recurrence: Template = {
  kind: 'template',
  fuses: () => false,
  stores: (kernel, index) => index === 1 && isSingle(kernel),
  scratch: (kernel, level) => (isSingle(kernel) ? 4 * storageOf(kernel, level).elements : scalarScratch(settingOf(kernel))),
  pack(kernel, index, level) {
    if (index !== 1 || !isSingle(kernel)) return undefined
    const setting = settingOf(kernel)
    const { directions, gates, hidden, phases, stored } = setting
    const order = phases.map((own) => own.join(' ')).join(', ')
    return {
      key: `recurrent ${directions}x${gates}x${hidden}, gates ${order}, by ${lanesOf(level)}${stored ? ` as ${stored}` : ''}`,
      bytes: (stored ? 2 : 4) * directions * directionElements(setting, level),
      pack: (dense) => packRecurrent(dense, setting, level),
    }
  },
  body(kernel, given) {
    const setting = settingOf(kernel)
    if (!isSingle(kernel)) return scalarBody(kernel, setting)
    const level = sharing(setting, given)
    const { directions, batch, hidden, states, length, lengths } = setting
    const { packed, carried } = storageOf(kernel, level)
    const constant = kernel.inputs[1]!.constant
    const size = directions * batch * hidden
    const { reverse } = attributesOf(kernel)
    const at = (step: string) => {
      const backwards = `${length - 1} - (${step})`
      return reverse.length === 2 && reverse[0] !== reverse[1]
        ? `(d == ${reverse[0] ? 0 : 1} ? ${backwards} : ${step})`
        : reverse[0]
          ? `(${backwards})`
          : step
    }
    const last = lengths
      ? `held + ${(length % 2) * storageOf(kernel, level).state} + d * ${batch * hidden}`
      : length === 0
        ? `x2 + d * ${batch * hidden}`
        : `out + (${states} + ${at(String(length - 1))}) * ${size} + d * ${batch * hidden}`
    const prepare = [
      ...(constant ? [] : onePart(level, packingLines(setting, level))),
      ...(lengths ? onePart(level, loop('i', 0, size, 1, ['held[i] = x2[i];'])) : []),
      ...(length === 0 && states > 1 ? onePart(level, loop('i', 0, size, 1, [`out[${size} + i] = x2[${size} + i];`])) : []),
    ]
    return [
      ...(constant ? [`const ${setting.stored ? 'u16' : 'f32'} *packed = x1;`] : ['f32 *packed = (f32 *)scratch;']),
      ...(lengths ? [`f32 *held = (f32 *)scratch + ${packed};`] : []),
      ...(setting.phases.length > 1 ? [`f32 *between = (f32 *)scratch + ${carried};`] : []),
      ...prepare,
      ...(prepare.length > 0 ? teamWait(level) : []),
      ...block(
        `for (long step = 0; step < ${length}; step++)`,
        setting.phases.flatMap((gates, phase) => [
          ...phaseLines({ kernel, setting, level, gates, phase, at }),
          ...teamWait(level),
        ]),
      ),
      ...onePart(
        level,
        loop('d', 0, directions, 1, [
          `const f32 *last = ${last};`,
          ...loop('i', 0, batch * hidden, 1, [`out[d * ${batch * hidden} + i] = last[i];`]),
        ]),
      ),
    ]
  },
}
