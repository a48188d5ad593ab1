import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { writeWhole } from '../bundle/write.ts'

/** A way and what a call of it was measured to take. */
const measured = z.strictObject({ way: z.string().min(1).max(200), nanoseconds: z.number().nonnegative().max(1e15) }).readonly()

const tuned = measured
  .unwrap()
  .extend({
    /** The kernel in a few words, for readers. */
    kernel: z.string().max(2000),
    /** What would be taken without measurements. */
    estimated: measured,
  })
  .readonly()

const section = z
  .strictObject({
    /** Of the machine, compiler and threads that it was measured with; for readers. */
    measuredOn: z.string().max(500),
    kernels: z.record(z.string().regex(/^[0-9a-f]{32}$/), tuned).readonly(),
  })
  .readonly()

const schema = z
  .strictObject({ format: z.literal(1), sections: z.record(z.string().min(1).max(100), section).readonly() })
  .readonly()

/**
 * What `glowplug tune` measured, as a file beside the model: by section (`Tuning.section`) and by digest of a kernel's signature, the way
 * that was the fastest. Builds read it, so that they give equal bytes wherever they run.
 */
export type Lock = z.infer<typeof schema>
export type Section = z.infer<typeof section>
export type TunedKernel = z.infer<typeof tuned>

/** Larger files are refused unread: a kernel takes some 500 bytes. */
const mostBytes = 4 * 2 ** 20

/** What is wrong with a lock file, in a sentence that names it. */
export class LockProblem extends Error {
  override readonly name = 'LockProblem'
}

/** `face.tuned.json` for `face.model.ts`. */
export const lockFileOf = (modelFile: string): string => `${modelFile.replace(/(?:\.model)?\.[^./\\]+$/, '')}.tuned.json`

/** The name of a kernel in lock files: its signature is a page of text. */
export const digestOfKernel = (signature: string): string => createHash('sha256').update(signature).digest('hex').slice(0, 32)

/** The lock of a text. Throws LockProblem, which calls it `name`. */
export function parseLock(text: string, name: string): Lock {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new LockProblem(`${name} is no JSON`)
  }
  const { format } = Object(value)
  if (typeof format === 'number' && format !== 1) throw new LockProblem(`${name} has format ${format}, this version reads 1`)
  const { success, data, error } = schema.safeParse(value)
  if (success) return data
  const [issue] = error.issues
  throw new LockProblem(`${name} is no file of 'glowplug tune': ${['it', ...(issue?.path ?? [])].join('.')}: ${issue?.message}`)
}

/** The lock in a file, called `name` in messages; undefined where there is no file. Throws LockProblem where it holds something else. */
export async function readLock(file: string, name: string): Promise<Lock | undefined> {
  try {
    const { size } = await stat(file)
    if (size > mostBytes) throw new LockProblem(`${name} has ${size} bytes, and may have ${mostBytes}`)
    return parseLock(await readFile(file, 'utf8'), name)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw code === undefined ? error : new LockProblem(`${name} cannot be read: ${code === 'EISDIR' ? 'it is a folder' : code}`)
  }
}

const sorted = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))

/** Equal locks print alike. */
export function printLock({ format, sections }: Lock): string {
  const ordered = Object.entries(sorted(sections)).map(([name, { measuredOn, kernels }]) => [
    name,
    { measuredOn, kernels: sorted(kernels) },
  ])
  return `${JSON.stringify({ format, sections: Object.fromEntries(ordered) }, undefined, 2)}\n`
}

/** Writes it whole or not at all. */
export const writeLock = (file: string, lock: Lock): Promise<boolean> => writeWhole(file, printLock(lock))

export interface Merged {
  readonly lock: Lock
  /** Kernels of the section that the model no longer has. */
  readonly dropped: readonly TunedKernel[]
}

/**
 * An earlier lock with what was measured now in one section; other sections stay. Kernels that were not measured now stay where `exists`
 * says that the model still has them.
 */
export function mergeLock(
  earlier: Lock | undefined,
  name: string,
  { measuredOn, kernels }: Section,
  exists: (digest: string) => boolean,
): Merged {
  const before = Object.entries(earlier?.sections[name]?.kernels ?? {})
  const kept = before.filter(([digest]) => Object.hasOwn(kernels, digest) || exists(digest))
  return {
    lock: {
      format: 1,
      sections: { ...earlier?.sections, [name]: { measuredOn, kernels: { ...Object.fromEntries(kept), ...kernels } } },
    },
    dropped: before.filter(([digest]) => !Object.hasOwn(kernels, digest) && !exists(digest)).map(([, kernel]) => kernel),
  }
}
