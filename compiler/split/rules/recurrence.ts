import { refuse, type SplitRule } from '../rule.ts'

/** Sequences of a batch by themselves. Steps follow one another, and each reads the hidden state whole. */
export const recurrence: SplitRule<'recurrence'> = ({ operands: { lengths, extra } }, axis, range) =>
  axis === 2
    ? {
        needs: {
          projected: { axis: 1, range },
          recurrent: 'all',
          states: { axis: 2, range },
          ...(lengths && { lengths: { axis: 0, range } }),
          ...(extra && { extra: 'all' }),
        },
      }
    : refuse(axis === 1 ? 'its directions differ in their attributes' : 'a step takes what the one before it gives, of all gates')
