import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** An answer kept for later builds: what it was made from, the answer as JSON, and the files that belong to it. */
export interface Kept {
  readonly dependencies: Dependencies
  readonly value: unknown
  readonly blobs: Readonly<Record<string, Uint8Array>>
}

/** What must be unchanged for an answer to hold. Paths are relative to the project, so that it may move. */
export interface Dependencies {
  readonly files: readonly FileState[]
  readonly resolutions: readonly Resolution[]
}

/** `large` files are told apart by size, times and inode before their bytes are read again. */
export interface FileState {
  readonly path: string
  readonly digest: string
  readonly large: boolean
}

/** What the bundler said about an import; asked again, because a new file or an edited tsconfig may change the answer. */
export interface Resolution {
  readonly specifier: string
  readonly importer: string
  readonly result: string | null
}

interface Head {
  readonly dependencies: Dependencies
  readonly value: unknown
  readonly blobs: readonly { readonly name: string; readonly bytes: number; readonly digest: string }[]
}

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')

const magic = Buffer.from('glowplug cache 1')
const prefixBytes = magic.length + 4 + 32

/** One file: magic, length and sha256 of the head, the head as JSON, the blobs one after another. */
export function encode({ dependencies, value, blobs }: Kept): Buffer[] {
  const entries = Object.entries(blobs)
  const head: Head = {
    dependencies,
    value,
    blobs: entries.map(([name, data]) => ({ name, bytes: data.byteLength, digest: sha256(data) })),
  }
  const text = Buffer.from(JSON.stringify(head))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.byteLength)
  return [
    magic,
    length,
    createHash('sha256').update(text).digest(),
    text,
    ...entries.map(([, data]) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  ]
}

/**
 * Reads an entry, and its blobs only when `isCurrent` accepts what it was made from. Undefined when it is not current, damaged,
 * cut short or gone: an entry is never worth an error.
 */
export async function decode(
  path: string,
  isCurrent: (dependencies: Dependencies) => Promise<boolean>,
): Promise<Kept | undefined> {
  const file = await open(path, 'r').catch(() => undefined)
  if (!file) return undefined
  try {
    const { size } = await file.stat()
    const take = async (position: number, bytes: number) => {
      const buffer = Buffer.allocUnsafe(bytes)
      return (await file.read(buffer, 0, bytes, position)).bytesRead === bytes ? buffer : undefined
    }
    const prefix = size >= prefixBytes ? await take(0, prefixBytes) : undefined
    if (!prefix?.subarray(0, magic.length).equals(magic)) return undefined
    const headBytes = prefix.readUInt32LE(magic.length)
    const text = prefixBytes + headBytes <= size ? await take(prefixBytes, headBytes) : undefined
    if (
      !text ||
      !createHash('sha256')
        .update(text)
        .digest()
        .equals(prefix.subarray(magic.length + 4))
    )
      return undefined
    const head = JSON.parse(text.toString()) as Head
    if (head.blobs.reduce((sum, blob) => sum + blob.bytes, prefixBytes + headBytes) !== size) return undefined
    if (!(await isCurrent(head.dependencies))) return undefined
    const blobs: Record<string, Uint8Array> = {}
    let position = prefixBytes + headBytes
    for (const { name, bytes, digest } of head.blobs) {
      const data = await take(position, bytes)
      if (!data || sha256(data) !== digest) return undefined
      blobs[name] = data
      position += bytes
    }
    return { dependencies: head.dependencies, value: head.value, blobs }
  } catch {
    return undefined
  } finally {
    await file.close()
  }
}
