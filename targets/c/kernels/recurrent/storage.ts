import type { Level } from '../../level.ts'
import type { AnchoredKernel } from '../template.ts'
import { directionElements } from './packing.ts'
import { settingOf } from './setting.ts'

const aligned = (elements: number) => Math.ceil(elements / 16) * 16

/** Working storage, one behind the other, in elements: weights that are computed, hidden states of two steps, what a GRU keeps between phases. */
export function storageOf(kernel: AnchoredKernel, level: Level) {
  const setting = settingOf(kernel)
  const { directions, batch, hidden } = setting
  const state = aligned(directions * batch * hidden)
  const packed = kernel.inputs[1]!.constant ? 0 : aligned(directions * directionElements(setting, level))
  const carried = packed + (setting.lengths ? 2 * state : 0)
  return { state, packed, carried, elements: carried + (setting.phases.length > 1 ? 2 * state : 0) }
}
