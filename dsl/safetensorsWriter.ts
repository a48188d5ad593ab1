import { byteSize, dtypeFacts, InvariantError, type TensorType } from '../compiler/graph/index.ts'
import { formatOf } from './safetensors.ts'

/** A tensor to be written. */
export interface TensorSource {
  readonly type: TensorType
  /** Little-endian dense row-major bytes of that type. */
  readonly read: () => Uint8Array
}

/** The contents of a safetensors file, made as they are asked for. */
export interface TensorContents {
  /** Bytes of the whole file. */
  readonly size: number
  /** The file from its start, piece by piece; each tensor is read when its turn comes. */
  chunks(): Iterable<Uint8Array>
  /** The whole file. */
  bytes(): Uint8Array
}

/** Pieces are at most this long, so that no single write to a file is beyond what systems take. */
const longestPiece = 2 ** 26
const alignment = 8

/**
 * Lays out a safetensors file. Wider elements come first and otherwise tensors keep their order, so that every tensor starts at a multiple of
 * its element's width; the header is padded to 8 bytes. Equal tensors in equal order give equal bytes. `metadata` is what the format lets stand
 * beside the tensors.
 */
export function layOutTensors(
  tensors: ReadonlyMap<string, TensorSource>,
  metadata: Readonly<Record<string, string>> = {},
): TensorContents {
  if (tensors.has('__metadata__')) throw new InvariantError('a tensor cannot be called __metadata__ in a safetensors file')
  const widthOf = ({ type }: TensorSource) => dtypeFacts[type.dtype].bytes
  const ordered = [...tensors].sort(([, a], [, b]) => widthOf(b) - widthOf(a))
  let end = 0
  const entries = ordered.map(([name, { type }]) => {
    const begin = end
    end += byteSize(type)
    // Written by hand: as a property of an object, a name such as __proto__ would be lost and one such as 1 would change its place.
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype: formatOf(type.dtype), shape: type.shape, data_offsets: [begin, end] })}`
  })
  if (Object.keys(metadata).length > 0) entries.unshift(`"__metadata__":${JSON.stringify(metadata)}`)
  const header = new TextEncoder().encode(`{${entries.join(',')}}`)
  const padded = Math.ceil(header.length / alignment) * alignment
  const start = new Uint8Array(8 + padded).fill(0x20)
  new DataView(start.buffer).setBigUint64(0, BigInt(padded), true)
  start.set(header, 8)
  const size = start.length + end

  function* chunks(): Iterable<Uint8Array> {
    yield start
    for (const [name, { type, read }] of ordered) {
      const bytes = read()
      if (bytes.length !== byteSize(type))
        throw new InvariantError(`tensor '${name}' has ${bytes.length} bytes, its type ${byteSize(type)}`)
      for (let from = 0; from < bytes.length; from += longestPiece) yield bytes.subarray(from, from + longestPiece)
    }
  }

  return {
    size,
    chunks,
    bytes() {
      const whole = new Uint8Array(size)
      let position = 0
      for (const chunk of chunks()) {
        whole.set(chunk, position)
        position += chunk.length
      }
      return whole
    },
  }
}
