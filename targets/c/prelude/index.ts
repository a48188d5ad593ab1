import { boxHelpers } from './boxes.ts'
import { circleHelpers, circleLanes } from './circle.ts'
import { doubleHelpers } from './double.ts'
import type { Helper } from './helper.ts'
import { movingHelpers } from './moving.ts'
import { narrowHelpers } from './narrow.ts'
import { orderHelpers } from './order.ts'
import { pairHelpers } from './pairs.ts'
import { pixelHelpers } from './pixels.ts'
import { regionHelpers } from './regions.ts'
import { singleHelpers } from './single.ts'
import { storedHelpers } from './stored.ts'
import { tileHelpers } from './tiles.ts'
import { timeHelpers } from './time.ts'
import { turnHelpers } from './turn.ts'
import { wholeHelpers } from './whole.ts'
import { winogradHelpers } from './winograd.ts'
import { integerWinogradHelpers } from './winogradIntegers.ts'

export { baseText } from './base.ts'
export { type Helper, neededHelpers } from './helper.ts'

/** Every helper, each behind those it uses. */
export const helpers: readonly Helper[] = [
  ...narrowHelpers,
  ...doubleHelpers,
  ...circleHelpers,
  ...singleHelpers,
  ...circleLanes,
  ...wholeHelpers,
  ...pairHelpers,
  ...storedHelpers,
  ...pixelHelpers,
  ...tileHelpers,
  ...movingHelpers,
  ...turnHelpers,
  ...orderHelpers,
  ...boxHelpers,
  ...regionHelpers,
  ...winogradHelpers,
  ...integerWinogradHelpers,
  ...timeHelpers,
]
