import { z } from 'zod'

/**
 * How sure a figure is. `measured` here, on the machine described; `verified` in the sources of a program; `published` by who made or runs the
 * thing; `derived` from such figures; `assumed`, since nobody says.
 */
export const certainties = ['measured', 'verified', 'published', 'derived', 'assumed'] as const
export type Certainty = (typeof certainties)[number]

/** Where a figure comes from. */
export interface Provenance {
  readonly source: string
  readonly certainty: Certainty
}

/** A number as files state it: bare, or with where it comes from. */
export type Figure = number | ({ readonly value: number } & Provenance)

/** What reads a figure whose number `bound` accepts. */
export const figure = (bound: z.ZodNumber) =>
  z.union(
    [bound, z.strictObject({ value: bound, source: z.string().min(1), certainty: z.enum(certainties) }).readonly()],
    'expected a number, or { value, source, certainty }',
  )

export const valueOf = (stated: Figure): number => (typeof stated === 'number' ? stated : stated.value)
