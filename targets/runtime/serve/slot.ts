import type { GlowplugError } from '../error.ts'
import type { CardCopy, Command, Finish } from './card.ts'
import type { BoundCard } from './choose.ts'
import type { RecordedStep } from './record.ts'
import type { Job } from './work.ts'

/** Work on its way, as the executor sees it. */
export interface OwnJob extends Job {
  readonly since: number
  run: Run | undefined
  answered: boolean
  /** Cards lost that were running a command of it, and cards lost that were not. */
  suspected: number
  bystood: number
}

/** A step in a slot, made once: what it asks of its card, and what it makes of the answer. */
export interface Prepared {
  readonly run: Run
  readonly step: RecordedStep
  readonly cards: readonly BoundCard[]
  readonly command: { -readonly [K in keyof Command]: Command[K] } & { copies: CardCopy[] }
  /** One for each input. */
  readonly copies: readonly { to: number; card: number; program: number; output: number }[]
  readonly finish: Finish
  on: BoundCard | undefined
  ran: boolean
  /** It waits for a card. */
  parked: boolean
  missing: number
  /** When the host began to write its inputs, and when it was given to its card. */
  began: number
  sent: number
  expected: number
  fromHost: number
  fromCards: number
  withinCard: number
}

/** What goes on in a slot. */
export interface Run {
  readonly slot: number
  /** Steps by flow, made when the slot first runs it. */
  readonly flows: (readonly Prepared[] | undefined)[]
  job: OwnJob | undefined
  steps: readonly Prepared[]
  /** Steps that have not ended, and commands under way. */
  left: number
  running: number
  /** Nothing more of it is begun. */
  over: boolean
  lost: GlowplugError | undefined
  avoid: BoundCard | undefined
}
