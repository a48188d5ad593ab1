import type { Addon } from '../../addon.ts'
import type { TensorInfo } from '../../plan.ts'
import { arrayOf, elementCount, type TensorArray } from '../../tensor.ts'
import type { CardOptions } from '../card.ts'
import { type Layout, layOut } from './layout.ts'
import { type CardMemory, ownMemory, shareMemory } from './memory.ts'
import { type RegionBytes, regionBytes } from './regions.ts'

/** Regions of a card on the host's side. Memory is made when it is first asked for. */
export interface CardRegions {
  readonly options: CardOptions
  readonly layout: Layout
  memory(): CardMemory
  /** Index of a region; throws where the card has none. */
  find(program: number, slot: number): number
  bytesOf(region: number): RegionBytes
  tensorsOf(region: number): { readonly inputs: readonly TensorArray[]; readonly outputs: readonly TensorArray[] }
  close(): void
}

export function regionsOfCard(options: CardOptions): CardRegions {
  const { programs, parts, slots } = options
  const layout = layOut(programs, slots)
  const placed = programs.map((program) => program.placed)
  const tensors: { inputs: TensorArray[]; outputs: TensorArray[] }[] = []
  let memory: CardMemory | undefined
  let bytesOf: ((region: number) => RegionBytes) | undefined

  function get(): CardMemory {
    if (memory) return memory
    const native = parts.find(({ loaded }) => loaded.chosen.kind === 'addon')
    memory = (native && shareMemory(native.loaded.code as Addon, layout)) ?? ownMemory(layout)
    return memory
  }

  return {
    options,
    layout,
    memory: get,
    find(program, slot) {
      const region = layout.regionOf(program, slot)
      if (region < 0) throw new RangeError(`card '${options.name}' has no program ${program} with a slot ${slot}`)
      return region
    },
    bytesOf: (region) => {
      bytesOf ??= regionBytes(placed, layout, get().windows)
      return bytesOf(region)
    },
    tensorsOf(region) {
      const known = tensors[region]
      if (known) return known
      const { inputs, outputs } = placed[region % placed.length]!
      const { buffer, byteOffset } = get().windows[layout.window[region]!]!
      const start = byteOffset + layout.start[region]!
      const see = ({ dtype, shape, offset }: TensorInfo) => new (arrayOf(dtype))(buffer, start + offset, elementCount(shape))
      const views = { inputs: inputs.map(see), outputs: outputs.map(see) }
      tensors[region] = views
      return views
    },
    close() {
      memory?.close()
      memory = bytesOf = undefined
      tensors.length = 0
    },
  }
}
