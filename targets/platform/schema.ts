import { z } from 'zod'
import { arithmetics } from '../../compiler/partition/platform.ts'
import { figure } from './figure.ts'

const name = z.string().regex(/^[\w][\w .,()×+-]{0,99}$/, 'expected a name of letters, digits, spaces and .,()×+-')
const positive = figure(z.number().positive())
const orZero = figure(z.number().nonnegative())
const count = figure(z.int().min(1).max(4096))
const bytes = figure(
  z
    .int()
    .min(1)
    .max(2 ** 53 - 1),
)
const part = figure(z.number().gt(0).max(1))

const link = z.strictObject({ bytesPerSecond: positive, latencySeconds: orZero }).readonly()
const level = z.strictObject({ name, bytes, bytesPerSecond: positive }).readonly()

const processor = z.strictObject({
  cores: count,
  operationsPerSecond: z
    .strictObject(
      Object.fromEntries(arithmetics.map((kind) => [kind, positive])) as Record<(typeof arithmetics)[number], typeof positive>,
    )
    .readonly(),
  memory: z
    .array(level)
    .min(1, 'expected at least one level of memory, the one that weights lie in')
    .max(8)
    .refine(
      (levels) => new Set(levels.map((each) => each.name)).size === levels.length,
      'expected levels of memory with different names',
    )
    .readonly(),
  utilisation: z
    .strictObject({
      arithmetic: part,
      lookups: part,
      kinds: z
        .record(
          z.string().regex(/^[\w /]{1,60}$/, 'expected the kind of a node, such as conv 3x3'),
          figure(z.number().gt(0).max(16)),
        )
        .readonly()
        .exactOptional(),
    })
    .readonly()
    .exactOptional(),
  launchSeconds: orZero,
  wakeSeconds: orZero.exactOptional(),
  watts: z.strictObject({ idle: orZero, busy: orZero }).readonly().exactOptional(),
  maximumInputs: count.exactOptional(),
  refuses: z.array(z.string().min(1).max(100)).max(1000).readonly().exactOptional(),
})

/** Cards of one type. */
const cardType = processor.extend({ link }).readonly()

/** A platform as a file describes it: kinds of cards by name, and how many there are of each, in the order in which they are numbered. */
export const platformFileSchema = z
  .strictObject({
    name,
    host: processor.readonly(),
    network: link,
    uplink: link,
    peerToPeer: z.boolean(),
    sharing: z.strictObject({ arithmetic: part, memory: part, processors: count.exactOptional() }).readonly().exactOptional(),
    types: z.record(name, cardType).readonly(),
    cards: z
      .array(z.strictObject({ type: name, count: figure(z.int().min(1).max(1024)) }).readonly())
      .max(64)
      .readonly(),
  })
  .readonly()

export type PlatformFile = z.input<typeof platformFileSchema>
