import type { GlowplugError } from '../../error.ts'
import type { BucketedEntry } from '../../manifest.ts'
import type { ServedEntry } from '../api.ts'
import type { RecordedFlow } from '../record.ts'
import { type BatchedEntry, type BatchHost, createBatchedEntry, failUnbatched, isBatched } from './entry.ts'

/** The entries of a server whose requests share runs. */
export interface Batching {
  /** Undefined where requests of this one do not. */
  entry(of: BucketedEntry | RecordedFlow): ServedEntry<any, any> | undefined
  /** Fails with `bad-option` where there are none. */
  check(): void
  /** There are requests without an answer. */
  readonly isBusy: boolean
  /** From now on none waits for others. Resolves when all have been answered. */
  drain(): Promise<void>
  /** What waits fails with this error, and all that comes. */
  close(error: GlowplugError): void
}

export function createBatching(host: BatchHost): Batching {
  const entries: BatchedEntry[] = []
  return {
    entry(of) {
      if (!isBatched(of, host.options)) return undefined
      const entry = createBatchedEntry(host, of)
      entries.push(entry)
      return entry
    },
    check() {
      if (entries.length === 0) failUnbatched(host.options)
    },
    get isBusy() {
      return entries.some(({ batcher }) => batcher.isBusy)
    },
    async drain() {
      await Promise.all(entries.map(({ batcher }) => batcher.drain()))
    },
    close(error) {
      for (const { batcher } of entries) batcher.close(error)
    },
  }
}
