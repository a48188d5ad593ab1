import { z } from 'zod'
import type { PlacementMap } from './map.ts'
import {
  type Method,
  type ModelPlan,
  methods,
  type Plan,
  type PlannedPart,
  type PlannedTable,
  type PlannedTransfer,
} from './plan.ts'

/** Everything that is wrong with a file that says where a model is, one line each. */
export class PlanError extends Error {
  override readonly name = 'PlanError'
  readonly problems: readonly string[]
  constructor(source: string, what: string, problems: readonly string[]) {
    super(`${source} is no ${what}:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

/** Longer files are neither plans nor maps. */
export const longestPlan = 2 ** 26

const text = z.string().min(1).max(65535)
const partName = z.string().regex(/^[a-zA-Z]\w{0,63}$/, 'expected a name of letters, digits and underscores')
const amount = z.number().nonnegative()
const count = z.int().min(0)
const card = z.int().min(0).max(65535)
const cores = z.int().min(1).max(4096)

/** One schema for each key of what is written, so that none can be forgotten. */
type Shape<T> = { readonly [K in keyof Required<T>]: z.ZodType }

const table = z
  .strictObject({
    table: text,
    part: z
      .string()
      .regex(/^(?:rows \d{1,9} of \d{1,9}|columns \d{1,9} … \d{1,9})$/, "expected 'rows 0 of 3' or 'columns 0 … 31'")
      .exactOptional(),
    bytes: amount,
    lookups: amount,
    seconds: amount,
  } satisfies Shape<PlannedTable>)
  .readonly()

const part = z
  .strictObject({
    name: partName,
    on: z.union([z.literal('host'), z.array(card).min(1).readonly()]),
    nodes: count,
    computes: z.string().regex(/^(?:\d{1,9}(?:-\d{1,9})?(?: \d{1,9}(?:-\d{1,9})?)*)?$/, "expected '0-17 20'"),
    cores: cores.exactOptional(),
    threads: cores.exactOptional(),
    weights: amount,
    exchanged: amount,
    seconds: amount,
    crowdedSeconds: amount.exactOptional(),
    tables: z.array(table).readonly().exactOptional(),
  } satisfies Shape<PlannedPart>)
  .readonly()

const method = z.enum([...methods, 'map'])
const transfer = z.strictObject({ from: text, to: text, value: text, bytes: amount } satisfies Shape<PlannedTransfer>).readonly()
/** What a plan of a model, and that of each of its entries, begin with. */
const head = {
  format: z.literal(1),
  model: text,
  platform: text,
  method,
  contexts: z.int().min(1),
}
const plan = z
  .strictObject({
    ...head,
    ops: z.string().regex(/^(?:\w+(?:×\d{1,9})?(?: \w+(?:×\d{1,9})?)*)?$/, "expected 'linear×2 relu'"),
    parts: z.array(part).readonly(),
    transfers: z.array(transfer).readonly(),
    cards: z.array(z.strictObject({ card: text, bytes: amount, capacity: amount, seconds: amount }).readonly()).readonly(),
    requestSeconds: amount,
    requestsPerSecond: amount,
  } satisfies Shape<Plan>)
  .readonly()

const planSchema = z
  .strictObject({
    ...head,
    join: z.boolean(),
    cards: z.array(z.strictObject({ card: text, bytes: amount, capacity: amount }).readonly()).readonly(),
    entries: z
      .array(z.strictObject({ name: text, plan }).readonly())
      .min(1)
      .readonly(),
  })
  .readonly()

const mapSchema = z
  .strictObject({
    parts: z
      .record(
        partName,
        z
          .strictObject({
            on: z.union([z.literal('host'), z.literal('all'), z.array(card).min(1).readonly()], {
              error: "expected 'host', 'all', or a list of cards by number",
            }),
            nodes: z.array(text).min(1).max(65536).readonly().exactOptional(),
            cores: cores.exactOptional(),
            threads: cores.exactOptional(),
          })
          .readonly(),
      )
      .readonly(),
    unmapped: z.literal('follow').exactOptional(),
  })
  .readonly()

function read<T>(content: string, source: string, what: string, schema: z.ZodType<T>): T {
  if (content.length > longestPlan) throw new PlanError(source, what, [`expected at most ${longestPlan} characters`])
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (error) {
    throw new PlanError(source, what, [`expected JSON: ${(error as Error).message}`])
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new PlanError(
    source,
    what,
    parsed.error.issues.slice(0, 20).map(({ path, message }) => `${path.map(String).join('.') || 'the file'}: ${message}`),
  )
}

/** The plan that a file of JSON holds, as `printPlan` writes it. Throws PlanError. */
export const readPlan = (content: string, source: string): ModelPlan => read<ModelPlan>(content, source, 'plan', planSchema)

/** The map of a user that a file of JSON holds. Throws PlanError. */
export const readMap = (content: string, source: string): PlacementMap => read<PlacementMap>(content, source, 'map', mapSchema)

export const printPlan = (plan: ModelPlan): string => `${JSON.stringify(plan, undefined, 2)}\n`

/** Does not compile when a method has no place in the schema. */
export const schemaHasMethods: Method extends z.output<typeof method> ? true : false = true
