import { doubleHelpers } from './double.ts'
import type { Helper } from './helper.ts'
import { movingHelpers } from './moving.ts'
import { narrowHelpers } from './narrow.ts'
import { singleHelpers } from './single.ts'

export { baseText } from './base.ts'
export { type Helper, neededHelpers } from './helper.ts'

/** Every helper, each behind those it uses. */
export const helpers: readonly Helper[] = [...narrowHelpers, ...doubleHelpers, ...singleHelpers, ...movingHelpers]
