import { dtypeFacts } from '../../compiler/graph/dtype.ts'
import { type CompositeName, definitionOf } from '../../compiler/graph/ops/index.ts'
import type { Target } from '../../compiler/target.ts'
import { mayShare, packingOf, scratchBytes } from './function.ts'
import type { Level } from './level.ts'
import { rows } from './rows.ts'

/** What a target that compiles this C answers to the compiler at a level, whatever becomes of the C. */
export type Answers = Pick<
  Target,
  'keeps' | 'fusesAfter' | 'fusesBefore' | 'maximumSteps' | 'inPlace' | 'scratch' | 'pack' | 'alignment'
>

/** Whether there is C for an op. */
export const hasKernel = (op: string): boolean => Object.hasOwn(rows, op)

export const answersAt = (level: Level): Answers => ({
  keeps: new Set(
    (Object.keys(rows) as (keyof typeof rows)[]).filter(
      (op): op is keyof typeof rows & CompositeName => definitionOf(op).kind === 'composite',
    ),
  ),
  // What checks its operands stops the call before anything is written; it stays alone, and the work after it is vectorised as its own kernel.
  fusesAfter: (anchor) => !definitionOf(anchor.op).traits.includes('checked'),
  fusesBefore: (anchor) => dtypeFacts[anchor.type.dtype].kind !== 'bool',
  maximumSteps: 48,
  inPlace: (kernel, index) => mayShare(kernel, index, level),
  scratch: (kernel) => scratchBytes(kernel, level),
  pack: (kernel, index) => packingOf(kernel, index, level),
  alignment: 64,
})
