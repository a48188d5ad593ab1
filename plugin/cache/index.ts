import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink, utimes } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type Dependencies, decode, encode, type Kept, sha256 } from './container.ts'
import type { DigestMemory, RememberedDigest } from './digest.ts'

export type { Dependencies, FileState, Kept, Resolution } from './container.ts'
export { dependenciesOf, isCurrent } from './digest.ts'
export { sha256 }

/** Answers of earlier builds, by subject (a model file with everything that is not a file: options, versions). */
export interface Cache extends DigestMemory {
  find(subject: string, isCurrent: (dependencies: Dependencies) => Promise<boolean>): Promise<Kept | undefined>
  keep(subject: string, kept: Kept): Promise<void>
  /**
   * The path of a file with these contents and the name, for a bundler to read by itself, which is faster than handing over large ones.
   * `owner` tells files of equal name apart. Undefined where there is no folder to put it in.
   */
  place(owner: string, name: string, bytes: Uint8Array): Promise<string | undefined>
}

export const defaultMaximumBytes = 512 * 2 ** 20

/** States of one model that are kept at once: switching between branches finds each again. */
const variantsPerSubject = 16
const abandonedMilliseconds = 60 * 60 * 1000

/** Answers live as long as the process: watch mode without a folder. */
export function memoryCache(): Cache {
  const kept = new Map<string, Kept>()
  const digests = new Map<string, RememberedDigest>()
  return {
    async find(subject, isCurrent) {
      const found = kept.get(subject)
      return found && (await isCurrent(found.dependencies)) ? found : undefined
    },
    async keep(subject, entry) {
      kept.set(subject, entry)
    },
    place: async () => undefined,
    recall: async (path) => digests.get(path),
    async remember(path, entry) {
      digests.set(path, entry)
    },
  }
}

/**
 * Answers in `folder`, shared by processes: files appear under their name only when complete, a reader holds what it opened,
 * and damage of any kind means "not found". Nothing here fails a build: an unwritable folder keeps nothing.
 */
export function folderCache(folder: string, maximumBytes = defaultMaximumBytes): Cache {
  const entriesFolder = join(folder, 'entries')
  const digestFile = (path: string) => join(folder, 'digests', `${sha256(path)}.json`)
  return {
    async find(subject, isCurrent) {
      for (const { path } of await listFiles(join(entriesFolder, subject))) {
        const found = await decode(path, isCurrent)
        if (!found) continue
        const now = new Date()
        await utimes(path, now, now).catch(() => undefined)
        return found
      }
      return undefined
    },
    async keep(subject, entry) {
      const name = sha256(JSON.stringify(entry.dependencies)).slice(0, 32)
      await replaceFile(join(entriesFolder, subject, `${name}.bin`), encode(entry), join(folder, 'incomplete'))
      await evict(folder, join(entriesFolder, subject), maximumBytes)
    },
    async place(owner, name, bytes) {
      const path = join(folder, 'files', sha256(owner).slice(0, 16), name)
      const holds = async () => (await readFile(path).catch(() => undefined))?.equals(bytes) === true
      if (!(await holds())) {
        await replaceFile(path, [bytes], join(folder, 'incomplete'))
        if (!(await holds())) return undefined
      }
      const now = new Date()
      await utimes(path, now, now).catch(() => undefined)
      return path
    },
    async recall(path) {
      try {
        const { identity, digest } = JSON.parse(await readFile(digestFile(path), 'utf8'))
        return typeof identity === 'string' && /^[0-9a-f]{64}$/.test(digest) ? { identity, digest } : undefined
      } catch {
        return undefined
      }
    },
    remember: (path, entry) => replaceFile(digestFile(path), [Buffer.from(JSON.stringify(entry))], join(folder, 'incomplete')),
  }
}

/** `node_modules/.cache/glowplug` beside the nearest package.json. */
export function defaultFolder(from: string): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return join(folder, 'node_modules', '.cache', 'glowplug')
    if (folder === dirname(folder)) return join(resolve(from), 'node_modules', '.cache', 'glowplug')
  }
}

/** Writes under a name that nobody reads, then renames: parallel builds see the whole file or none. */
async function replaceFile(path: string, pieces: readonly Uint8Array[], incomplete: string): Promise<void> {
  const temporary = join(incomplete, randomBytes(12).toString('hex'))
  try {
    await Promise.all([mkdir(dirname(path), { recursive: true }), mkdir(incomplete, { recursive: true })])
    const file = await open(temporary, 'wx')
    try {
      for (const piece of pieces) await file.writeFile(piece)
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch {
    await unlink(temporary).catch(() => undefined)
  }
}

interface Listed {
  readonly path: string
  readonly bytes: number
  readonly used: number
}

/** Files of a folder, last used first; of its folders too when `deep`. */
async function listFiles(folder: string, deep = false): Promise<Listed[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: deep }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const listed = await Promise.all(
    files.map((path) =>
      stat(path).then(
        ({ size, mtimeMs }) => ({ path, bytes: size, used: mtimeMs }),
        () => undefined,
      ),
    ),
  )
  return listed.filter((file) => file !== undefined).sort((a, b) => b.used - a.used)
}

async function evict(folder: string, subjectFolder: string, maximumBytes: number): Promise<void> {
  const remove = (files: readonly Listed[]) =>
    Promise.all(files.map(({ path }) => rm(path, { force: true }).catch(() => undefined)))
  await remove((await listFiles(subjectFolder)).slice(variantsPerSubject))
  let total = 0
  const exceeds = ({ bytes }: Listed) => {
    total += bytes
    return total > maximumBytes
  }
  await remove((await listFiles(join(folder, 'entries'), true)).filter(exceeds))
  // What another build may be about to read stays.
  const left = await Promise.all(['incomplete', 'files'].map((name) => listFiles(join(folder, name), true)))
  await remove(left.flat().filter(({ used }) => Date.now() - used > abandonedMilliseconds))
}
