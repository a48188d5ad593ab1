import { broadcastNeed, refuse, type SplitRule } from '../rule.ts'

/** Pairs stay together; other dimensions go on in the tables where these have them. */
export const rotaryEmbedding: SplitRule<'rotaryEmbedding'> = ({ operands: { cos, sin }, type }, axis, range) =>
  axis === type.shape.length - 1
    ? refuse(`dimension ${axis} is turned in pairs`)
    : {
        needs: {
          input: { axis, range },
          cos: broadcastNeed(cos, type, axis, range),
          sin: broadcastNeed(sin, type, axis, range),
        },
      }
