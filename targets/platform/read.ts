import type { z } from 'zod'
import { ops } from '../../compiler/graph/ops/index.ts'
import type { Card, Platform, Processor, Sharing, Utilisation } from '../../compiler/partition/platform.ts'
import { type Figure, type Provenance, valueOf } from './figure.ts'
import { platformFileSchema } from './schema.ts'

/** A platform, and where its figures come from, by their path in the file, such as `types.M.2 card.launchSeconds`. */
export interface DescribedPlatform {
  readonly platform: Platform
  readonly provenance: ReadonlyMap<string, Provenance>
}

/** Everything that is wrong with the description of a platform, one line each: where, what was found, what is expected. */
export class PlatformError extends Error {
  override readonly name = 'PlatformError'
  readonly problems: readonly string[]
  constructor(source: string, problems: readonly string[]) {
    super(`${source} describes no platform:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

/** Longer files are no description of a platform. */
export const longestFile = 2 ** 20

/** Utilisation where nothing is stated: half of the arithmetic, seven tenths of the rate of memory. Assumed. */
const usual: Utilisation = { arithmetic: 0.5, lookups: 0.7 }

const place = (path: readonly PropertyKey[]): string => path.map(String).join('.') || 'the file'

/** What stands at a path of a parsed file, in a few words. */
function found(value: unknown, path: readonly PropertyKey[]): string {
  let at = value
  for (const key of path) at = Object(at)[key]
  if (at === undefined) return 'nothing is there'
  if (typeof at === 'object' && at !== null && !Array.isArray(at)) return 'found an object'
  const text = JSON.stringify(at)
  return `found ${text.length > 60 ? `${text.slice(0, 57)}…` : text}`
}

type Issue = z.core.$ZodIssue

/** Of a union the issues of the kind that was meant: an object is a figure with its source, anything else a number. */
function flatten(issue: Issue, value: unknown): readonly Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue]
  let at = value
  for (const key of issue.path) at = Object(at)[key]
  const meant = issue.errors[typeof at === 'object' && at !== null ? 1 : 0] ?? issue.errors[0]!
  return meant.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }) as Issue)
}

const problemOf = (issue: Issue, value: unknown): string =>
  `${place(issue.path)}: ${issue.message[0]!.toLowerCase()}${issue.message.slice(1)} (${found(value, issue.path)})`

type FileOutput = z.output<typeof platformFileSchema>
type ProcessorOutput = FileOutput['host']

const numbers = <Key extends string>(record: Readonly<Record<Key, Figure>>): Record<Key, number> =>
  Object.fromEntries(Object.entries<Figure>(record).map(([key, stated]) => [key, valueOf(stated)])) as Record<Key, number>

function utilisationOf({ kinds, ...rest }: NonNullable<ProcessorOutput['utilisation']>): Utilisation {
  return { ...numbers(rest), ...(kinds && { kinds: numbers(kinds) }) }
}

function sharingOf({ processors, ...rest }: NonNullable<FileOutput['sharing']>): Sharing {
  return { ...numbers(rest), ...(processors !== undefined && { processors: valueOf(processors) }) }
}

function processorOf(name: string, type: string, stated: ProcessorOutput): Processor {
  const memory = stated.memory.map((level) => ({
    name: level.name,
    bytes: valueOf(level.bytes),
    bytesPerSecond: valueOf(level.bytesPerSecond),
  }))
  return {
    name,
    type,
    cores: valueOf(stated.cores),
    operationsPerSecond: numbers(stated.operationsPerSecond),
    memory: memory as [(typeof memory)[number], ...typeof memory],
    utilisation: stated.utilisation ? utilisationOf(stated.utilisation) : usual,
    launchSeconds: valueOf(stated.launchSeconds),
    ...(stated.wakeSeconds !== undefined && { wakeSeconds: valueOf(stated.wakeSeconds) }),
    watts: stated.watts ? numbers(stated.watts) : { idle: 0, busy: 0 },
    ...(stated.maximumInputs !== undefined && { maximumInputs: valueOf(stated.maximumInputs) }),
    refuses: stated.refuses ?? [],
  }
}

/** What the schema cannot say: names that must exist, orders that must hold. */
function contradictions(file: FileOutput): readonly string[] {
  const problems: string[] = []
  const check = (path: string, { memory, refuses = [], watts }: ProcessorOutput) => {
    memory.slice(1).forEach((level, i) => {
      const faster = memory[i]!
      if (valueOf(level.bytesPerSecond) > valueOf(faster.bytesPerSecond))
        problems.push(`${path}.memory: expected the fastest level first, but '${level.name}' is faster than '${faster.name}'`)
    })
    for (const op of refuses)
      if (!Object.hasOwn(ops, op)) problems.push(`${path}.refuses: there is no op '${op}'; ops are named as in the DSL`)
    if (watts && valueOf(watts.idle) > valueOf(watts.busy))
      problems.push(
        `${path}.watts: expected no more power when idle (${valueOf(watts.idle)}) than when busy (${valueOf(watts.busy)})`,
      )
  }
  check('host', file.host)
  for (const [name, type] of Object.entries(file.types)) check(`types.${name}`, type)
  file.cards.forEach(({ type }, i) => {
    if (!Object.hasOwn(file.types, type))
      problems.push(`cards.${i}.type: there is no type '${type}'; the file has ${Object.keys(file.types).join(', ') || 'none'}`)
  })
  return problems
}

/** Where figures come from, by path; those that are bare numbers are left out. */
function* provenanceIn(value: unknown, path: readonly string[]): Generator<readonly [string, Provenance]> {
  if (typeof value !== 'object' || value === null) return
  const { certainty, source } = value as Partial<Provenance>
  if (certainty !== undefined && source !== undefined) yield [path.join('.'), { source, certainty }]
  else for (const [key, inner] of Object.entries(value)) yield* provenanceIn(inner, [...path, key])
}

/** The platform that a value describes, which may come from anywhere. Throws PlatformError with all that is wrong with it. */
export function describePlatform(value: unknown, source = 'the value'): DescribedPlatform {
  const parsed = platformFileSchema.safeParse(value)
  if (!parsed.success)
    throw new PlatformError(
      source,
      parsed.error.issues.flatMap((issue) => flatten(issue, value)).map((issue) => problemOf(issue, value)),
    )
  const file = parsed.data
  const problems = contradictions(file)
  if (problems.length > 0) throw new PlatformError(source, problems)
  const link = (stated: FileOutput['uplink']) => numbers(stated)
  const cards = file.cards
    .flatMap(({ type, count }) => Array.from({ length: valueOf(count) }, () => type))
    .map((type, i): Card => ({ ...processorOf(`card ${i}`, type, file.types[type]!), link: link(file.types[type]!.link) }))
  return {
    platform: {
      name: file.name,
      host: processorOf('host', 'host', file.host),
      network: link(file.network),
      uplink: link(file.uplink),
      peerToPeer: file.peerToPeer,
      ...(file.sharing && { sharing: sharingOf(file.sharing) }),
      cards,
    },
    provenance: new Map(provenanceIn(file, [])),
  }
}

/** The platform that a file of JSON describes. Throws PlatformError. */
export function readPlatform(text: string, source: string): DescribedPlatform {
  if (text.length > longestFile)
    throw new PlatformError(source, [`expected at most ${longestFile} characters, found ${text.length}`])
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new PlatformError(source, [`expected JSON: ${(error as Error).message}`])
  }
  return describePlatform(value, source)
}
