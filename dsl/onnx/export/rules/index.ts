import type { ExportRules } from '../context.ts'
import { activationRules } from './activation.ts'
import { controlRules } from './control.ts'
import { elementwiseRules } from './elementwise.ts'
import { indexingRules } from './indexing.ts'
import { movementRules } from './movement.ts'
import { productRules } from './product.ts'
import { quantizedRules } from './quantized.ts'
import { recurrentRules } from './recurrent.ts'
import { reduceRules } from './reduce.ts'
import { selectionRules } from './selection.ts'
import { windowRules } from './window.ts'

export const exportRules: ExportRules = {
  ...elementwiseRules,
  ...controlRules,
  ...activationRules,
  ...movementRules,
  ...indexingRules,
  ...windowRules,
  ...productRules,
  ...recurrentRules,
  ...reduceRules,
  ...quantizedRules,
  ...selectionRules,
}
