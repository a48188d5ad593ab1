import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { type Dependencies, type FileState, type Resolution, sha256 } from './container.ts'

/** Remembers digests of large files between processes. */
export interface DigestMemory {
  recall(path: string): Promise<RememberedDigest | undefined>
  remember(path: string, entry: RememberedDigest): Promise<void>
}

export interface RememberedDigest {
  readonly identity: string
  readonly digest: string
}

/** A file changed this recently may change again within the resolution of its time stamps. */
const settlingMilliseconds = 50

const absent = 'absent'

/** sha256 of a file read in pieces: weights may be larger than memory. */
async function digestStream(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer)
  return hash.digest('hex')
}

/** Digest of a file, `absent` when it is not there. A large file is read only when its size, times or inode changed. */
export async function digestFile(path: string, large: boolean, memory: DigestMemory): Promise<string> {
  try {
    if (!large) return sha256(await readFile(path))
    const { size, mtimeNs, ctimeNs, ino, mtimeMs, ctimeMs } = await stat(path, { bigint: true })
    const identity = [size, mtimeNs, ctimeNs, ino].join(' ')
    const known = await memory.recall(path)
    if (known?.identity === identity) return known.digest
    const digest = await digestStream(path)
    if (Date.now() - Math.max(Number(mtimeMs), Number(ctimeMs)) > settlingMilliseconds)
      await memory.remember(path, { identity, digest })
    return digest
  } catch {
    return absent
  }
}

const toProject = (root: string, path: string) => (isAbsolute(path) ? relative(root, path) : path).replaceAll('\\', '/')

/**
 * The state of everything that a build read, or undefined when a file changed after `since` (milliseconds): then nobody knows
 * which of its contents was read, and the answer must not be kept.
 */
export async function dependenciesOf(
  root: string,
  read: { readonly files: readonly string[]; readonly large: readonly string[]; readonly resolutions: readonly Resolution[] },
  since: number,
  memory: DigestMemory,
): Promise<Dependencies | undefined> {
  const large = new Set(read.large)
  const paths = [...new Set([...read.files, ...read.large])].sort()
  const states = await Promise.all(
    paths.map(async (path): Promise<FileState | undefined> => {
      const digest = await digestFile(path, large.has(path), memory)
      const time = await stat(path).then(
        ({ mtimeMs, ctimeMs }) => Math.max(mtimeMs, ctimeMs),
        () => 0,
      )
      // File systems stamp with a clock that ticks every few milliseconds.
      return time > since - 10 ? undefined : { path: toProject(root, path), digest, large: large.has(path) }
    }),
  )
  if (!states.every((state) => state !== undefined)) return undefined
  const resolutions = read.resolutions.map((resolution) => ({
    ...resolution,
    importer: toProject(root, resolution.importer),
    result: resolution.result === null ? null : toProject(root, resolution.result),
  }))
  return { files: states, resolutions }
}

/** Whether files and imports are as they were. */
export async function isCurrent(
  root: string,
  { files, resolutions }: Dependencies,
  resolve: (specifier: string, importer: string) => Promise<string | undefined>,
  memory: DigestMemory,
): Promise<boolean> {
  const sameFiles = files.map(async ({ path, digest, large }) => (await digestFile(join(root, path), large, memory)) === digest)
  const sameImports = resolutions.map(async ({ specifier, importer, result }) => {
    const found = await resolve(specifier, join(root, importer))
    return (found === undefined ? null : toProject(root, found)) === result
  })
  return (await Promise.all([...sameFiles, ...sameImports])).every(Boolean)
}
