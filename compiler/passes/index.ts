import { eliminateDeadCode } from './eliminateDeadCode.ts'
import { foldAffine } from './foldAffine.ts'
import { foldBatchNorm } from './foldBatchNorm.ts'
import { foldConstants } from './foldConstants.ts'
import { fuseQuantized } from './fuseQuantized.ts'
import { mergeEqualConstants } from './mergeEqualConstants.ts'
import type { Pass } from './pass.ts'
import { raiseClamp } from './raiseClamp.ts'
import { raiseLinear } from './raiseLinear.ts'
import { simplifyArithmetic } from './simplifyArithmetic.ts'
import { simplifyCast } from './simplifyCast.ts'
import { simplifyClamp } from './simplifyClamp.ts'
import { simplifyConcat } from './simplifyConcat.ts'
import { simplifyExpand } from './simplifyExpand.ts'
import { simplifyGather } from './simplifyGather.ts'
import { simplifyNoop } from './simplifyNoop.ts'
import { simplifyPad } from './simplifyPad.ts'
import { simplifyReshape } from './simplifyReshape.ts'
import { simplifySlice } from './simplifySlice.ts'
import { simplifyTranspose } from './simplifyTranspose.ts'
import { sinkReshape } from './sinkReshape.ts'
import { sinkTranspose } from './sinkTranspose.ts'

export type { Application, Pass, PassContext } from './pass.ts'

/** Every pass under the name of its export. */
export const passes = {
  eliminateDeadCode,
  foldAffine,
  foldBatchNorm,
  foldConstants,
  fuseQuantized,
  mergeEqualConstants,
  raiseClamp,
  raiseLinear,
  simplifyArithmetic,
  simplifyCast,
  simplifyClamp,
  simplifyConcat,
  simplifyExpand,
  simplifyGather,
  simplifyNoop,
  simplifyPad,
  simplifyReshape,
  simplifySlice,
  simplifyTranspose,
  sinkReshape,
  sinkTranspose,
} as const satisfies Readonly<Record<string, Pass>>
