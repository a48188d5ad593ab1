import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { constants, copyFile, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { atExit } from '../../targets/native/atExit.ts'
import type { Bundle } from '../../targets/runtime/bundle.ts'
import { checkManifest } from '../../targets/runtime/check.ts'
import type { Manifest } from '../../targets/runtime/manifest.ts'
import { checkPlacement } from '../../targets/runtime/serve/checkPlacement.ts'
import type { Placement } from '../../targets/runtime/serve/placement.ts'

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
  const done = atExit(() => rmSync(temporary, { force: true }))
  try {
    const file = await open(temporary, 'wx')
    try {
      let written = 0
      for (const piece of pieces) {
        await file.writeFile(piece)
        written += piece.length
        wrote(written)
      }
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  } finally {
    done()
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

/** Writes files to a folder, which is made where there is none, in their order. */
export async function writeFiles(files: Bundle['files'], folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, bytes] of files) await writeWhole(join(folder, name), bytes)
}

/**
 * Writes the files of a bundle, or of a placed model, to a folder, which is made where there is none: the manifest or the placement last, so that what
 * it names is there.
 */
export const writeBundle = ({ files }: Pick<Bundle, 'files'>, folder: string): Promise<void> => writeFiles(files, folder)

const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'))

/** The model of a manifest or a placement in a folder, and the files that it names, its own among them; undefined where it is neither. */
async function readNamed(
  folder: string,
  name: string,
): Promise<{ readonly model: string; readonly files: readonly string[] } | undefined> {
  try {
    const value = await readJson(join(folder, name))
    if (/\.manifest\.json$/.test(name)) {
      const { model, weights, codes } = checkManifest(value)
      return { model, files: [name, weights.file, ...codes.map(({ file }) => file)] }
    }
    const manifests = new Map<string, Manifest>()
    for (const { bundle } of (value as Placement).parts)
      manifests.set(bundle.file, checkManifest(await readJson(join(folder, basename(bundle.file)))))
    const { placement } = checkPlacement(value, ({ file }) => manifests.get(file)!)
    const named = [...manifests.values()].flatMap(({ weights, codes }) => [weights.file, ...codes.map(({ file }) => file)])
    return { model: placement.model, files: [name, ...placement.parts.map(({ bundle }) => bundle.file), ...named] }
  } catch {
    // Damaged, or not ours: it is left where it is.
    return undefined
  }
}

/**
 * Removes earlier builds of the same model from a folder: their manifests and placements, and the files that these and no others name.
 */
export async function removeSuperseded(
  { name: model, files }: Pick<Bundle, 'name' | 'files'>,
  folder: string,
): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /-[0-9a-f]{8}\.(?:manifest|placement)\.json$/.test(name))
  const found = new Map<string, Awaited<ReturnType<typeof readNamed>>>()
  for (const name of names) if (!files.has(name)) found.set(name, await readNamed(folder, name))
  // The manifest of a part is what its placement says, whatever model it names.
  const parts = new Set([...found].flatMap(([name, named]) => (/\.placement\.json$/.test(name) ? (named?.files ?? []) : [])))
  const kept = new Set(files.keys())
  const stale = new Set<string>()
  for (const [name, named] of found) {
    if (!named || (/\.manifest\.json$/.test(name) && parts.has(name))) continue
    for (const file of named.files) (named.model === model ? stale : kept).add(file)
  }
  const removed = [...stale].filter((name) => !kept.has(name)).sort()
  for (const name of removed) await rm(join(folder, name), { force: true })
  return removed
}
