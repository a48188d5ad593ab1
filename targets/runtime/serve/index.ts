/** Models served on cards: `glowplug/serve`. Needs Node alone. */
export { type ErrorCode, GlowplugError, type ServeErrorCode } from '../error.ts'
export type {
  CardInfo,
  Observe,
  RequestOptions,
  ServedEntry,
  ServeEvent,
  ServeOptions,
  Server,
  ServerInfo,
} from './api.ts'
export type { CardState } from './card.ts'
export type { Placement } from './placement.ts'
