import { checkBuckets, createBucketed, mergeEntries, withBuckets } from '../buckets.ts'
import type { Host, OpenOptions } from '../model.ts'
import { type Merge, type OpenStateful, type StatefulModel, withSessions } from './model.ts'

const merge: Merge = (manifest, entries) =>
  mergeEntries(
    manifest.entries.map(({ name }) => name),
    checkBuckets(manifest),
    (name) => entries[name]!,
    (spec) => createBucketed(spec, entries as never),
  )

/** `withSessions` where dimensions have several sizes, too. */
export const withBucketSessions: OpenStateful = (model, host: Host, options: OpenOptions): StatefulModel<any, any> => {
  const stateful = withSessions(model, host, options, merge)
  return Object.assign(withBuckets(stateful, host.manifest), { session: () => stateful.session() })
}
