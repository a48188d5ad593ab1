import { randomUUID } from 'node:crypto'
import { constants, copyFile, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bundle } from '../../targets/runtime/bundle.ts'
import { checkManifest } from '../../targets/runtime/check.ts'

const temporaryName = (path: string): string => `${path}.${process.pid}-${randomUUID().slice(0, 8)}.tmp`

async function hasContents(path: string, bytes: Uint8Array): Promise<boolean> {
  const present = await readFile(path).catch(() => undefined)
  return present?.equals(bytes) === true
}

/**
 * Writes a file under a temporary name beside its own and renames it, so that nobody sees half of it and a file that is mapped is never
 * written to. A file of the same contents is left alone. Returns whether it wrote.
 */
export async function writeWhole(path: string, contents: Uint8Array | string): Promise<boolean> {
  const bytes = typeof contents === 'string' ? Buffer.from(contents) : contents
  if (await hasContents(path, bytes)) return false
  await writePieces(path, [bytes])
  return true
}

/** The same for a file that comes piece by piece, whatever was there before. `wrote` is told the bytes so far. */
export async function writePieces(
  path: string,
  pieces: Iterable<Uint8Array>,
  wrote: (bytes: number) => void = () => {},
): Promise<void> {
  const temporary = temporaryName(path)
  try {
    const file = await open(temporary, 'wx')
    try {
      let done = 0
      for (const piece of pieces) {
        await file.writeFile(piece)
        done += piece.length
        wrote(done)
      }
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/**
 * Puts a copy of a file in its place; where there is no file, nothing. For bundlers, which write into files that are there, equal or not: a
 * process that runs the code in one, or has it mapped, would crash, and now keeps the original, which has no name any more.
 */
export async function detachFile(path: string): Promise<void> {
  const temporary = temporaryName(path)
  try {
    await copyFile(path, temporary, constants.COPYFILE_FICLONE)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Detaches the code and weights of native models that an earlier build may have left in a folder or below. */
export async function detachFiles(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !/^(?:node_modules|\..*)$/.test(entry.name)) await detachFiles(path)
    else if (entry.isFile() && /\.(?:node|weights)$/.test(entry.name)) await detachFile(path)
  }
}

/** Writes the files of a bundle to a folder, which is made where there is none: the manifest last, so that what it names is there. */
export async function writeBundle(bundle: Bundle, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, bytes] of bundle.files) await writeWhole(join(folder, name), bytes)
}

/** Removes earlier builds of the same model from a folder: their manifests, and the files that these and no other manifest name. */
export async function removeSuperseded(bundle: Bundle, folder: string): Promise<string[]> {
  const kept = new Set(bundle.files.keys())
  const stale = new Set<string>()
  for (const name of await readdir(folder)) {
    if (!/-[0-9a-f]{8}\.manifest\.json$/.test(name) || bundle.files.has(name)) continue
    const manifest = await readFile(join(folder, name), 'utf8')
      .then((text) => checkManifest(JSON.parse(text)))
      .catch(() => undefined)
    if (!manifest) continue
    const named = [name, manifest.weights.file, ...manifest.codes.map(({ file }) => file)]
    for (const file of named) (manifest.model === bundle.name ? stale : kept).add(file)
  }
  const removed = [...stale].filter((name) => !kept.has(name)).sort()
  for (const name of removed) await rm(join(folder, name), { force: true })
  return removed
}
