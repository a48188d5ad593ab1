import { dtypeFacts } from '../../compiler/graph/dtype.ts'
import { byteSize } from '../../compiler/graph/type.ts'
import { type ComputedName, type Row, whole } from './row.ts'
import { decodeNumbers, type Tensor } from './values.ts'

/** The stored integers less the zero point of each. */
export const lessZeroPoint = (tensor: Tensor, zeroPointAt: (index: number) => number): Float64Array =>
  decodeNumbers(tensor).map((value, i) => value - zeroPointAt(i))

/** The entry of a list for element i: the only one, or the one at a place. */
export const entryOf = (list: readonly number[], placeOf: (index: number) => number): ((index: number) => number) =>
  list.length === 1 ? () => list[0]! : (index) => list[placeOf(index)]!

export const quantizedRows = {
  storageCast: whole<'storageCast'>(([input]) => new Uint8Array(input!.bytes)),

  bitCast: whole<'bitCast'>(([input]) => new Uint8Array(input!.bytes)),

  lookup: whole<'lookup'>(([input, table], _, result) => {
    const bytes = new Uint8Array(byteSize(result))
    const width = dtypeFacts[result.dtype].bytes
    for (const [i, byte] of input!.bytes.entries()) bytes.set(table!.bytes.subarray(byte * width, (byte + 1) * width), i * width)
    return bytes
  }),
} satisfies { readonly [K in ComputedName]?: Row<K> }
