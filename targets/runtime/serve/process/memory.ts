import { closeSync, ftruncateSync, openSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { Addon } from '../../addon.ts'
import type { Layout } from './layout.ts'
import { fileBytes, mapWindows, privateWindows } from './regions.ts'

/** Regions of a card as the host sees them. They outlive the process of the card. */
export interface CardMemory {
  readonly windows: readonly Uint8Array[]
  /** Of the file that holds them, for the card itself, which writes, and for others, which cannot. Absent where memory is not shared. */
  readonly descriptors?: { readonly own: number; readonly others: number } | undefined
  /** Views become empty. */
  close(): void
}

/** A file that nobody finds: where the system makes no memory without a name, or refuses to. */
function unlinkedFile(bytes: number): number {
  let refused: unknown
  for (const folder of ['/dev/shm', tmpdir()])
    try {
      const path = `${folder}/glowplug-${process.pid}-${process.hrtime.bigint()}`
      const file = openSync(path, 'wx+', 0o600)
      unlinkSync(path)
      ftruncateSync(file, bytes)
      return file
    } catch (error) {
      refused = error
    }
  throw refused
}

/** A descriptor of the same file that cannot write. */
const readOnly = (file: number): number => openSync(`/proc/self/fd/${file}`, 'r')

/** Memory that processes share, or undefined where the system has none to give. RangeError where there is not enough. */
export function shareMemory(addon: Addon, layout: Layout): CardMemory | undefined {
  // Addons of older versions do not share.
  if (!addon.share) return undefined
  const open: number[] = []
  try {
    try {
      open.push(addon.share(fileBytes(layout)))
    } catch {
      open.push(unlinkedFile(fileBytes(layout)))
    }
    const [own] = open as [number]
    const others = readOnly(own)
    open.push(others)
    const windows = mapWindows(addon, layout, own, true)
    return {
      windows,
      descriptors: { own, others },
      close() {
        for (const { buffer } of windows) addon.unmap(buffer as ArrayBuffer)
        for (const file of open.splice(0)) closeSync(file)
      },
    }
  } catch (error) {
    for (const file of open) closeSync(file)
    if (error instanceof RangeError) throw error
    return undefined
  }
}

/** Memory of the host alone, whose contents go to the card and back with each command. */
export const ownMemory = (layout: Layout): CardMemory => ({ windows: privateWindows(layout, () => 0), close() {} })
