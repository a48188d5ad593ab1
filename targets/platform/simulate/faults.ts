/**
 * What befalls a card (HW-07). `hang`: it does nothing more, which shows when a command exceeds its time. `link`: transfers to and from it fail.
 * `memory`: a word that cannot be corrected; nothing that it computes can be trusted. `throttle`: too hot, it computes at `rate` of its own for
 * `seconds`. `firmware`: a version that the program was not made for, found when it is loaded; the card takes no part.
 */
export type Fault =
  | { readonly kind: 'hang' | 'link' | 'memory'; readonly card: number; readonly at: number }
  | { readonly kind: 'throttle'; readonly card: number; readonly at: number; readonly seconds: number; readonly rate: number }
  | { readonly kind: 'firmware'; readonly card: number }

export const faultKinds = ['hang', 'link', 'memory', 'throttle', 'firmware'] as const

/** What becomes of a card, as `glowplug/serve` names it. `slow` is ready, and computes slower. */
export type CardStateName = 'ready' | 'slow' | 'lost' | 'failed'

export interface StateChange {
  readonly card: number
  readonly state: CardStateName
  readonly at: number
  readonly why: Fault['kind'] | 'restarted' | 'cooled'
}

export interface FaultTimes {
  /** Until a command counts as hung. Default 0.1: cards have one of milliseconds. */
  readonly timeoutSeconds: number
  /** From the loss of a card until it stands again, weights and all. Default 1. */
  readonly restartSeconds: number
}

/** How fast a card computes at a time, beside its own rate. */
export function rateAt(faults: readonly Fault[], card: number, time: number): number {
  let rate = 1
  for (const fault of faults)
    if (fault.kind === 'throttle' && fault.card === card && time >= fault.at && time < fault.at + fault.seconds)
      rate = Math.min(rate, fault.rate)
  return rate
}
