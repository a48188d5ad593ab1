import type { Platform, Processor } from '../../../compiler/partition/platform.ts'

/** What energy goes into, seconds and shares of them being those of a simulation. Watts are those of the platform's description. */
export interface Energy {
  /** Of a request, cards and host together, and what of it is spent on idling. */
  readonly joulesPerRequest: number
  readonly idleJoules: number
  /** Answers a second for each watt: the same as answers for each joule. */
  readonly requestsPerJoule: number
  readonly watts: readonly { readonly name: string; readonly average: number }[]
}

/** A processor takes its idle power all the time, and what it takes more when busy in proportion to the time it is (HW-06). */
export function energyOf(
  { host, cards }: Platform,
  busyOf: (processor: Processor, card: number) => number,
  seconds: number,
  answers: number,
): Energy {
  const all = [{ processor: host, card: -1 }, ...cards.map((processor, card) => ({ processor, card }))]
  const watts = all.map(({ processor, card }) => {
    const { idle, busy } = processor.watts
    return { name: processor.name, average: idle + (busy - idle) * Math.min(1, busyOf(processor, card) / seconds) }
  })
  const joules = seconds * watts.reduce((sum, { average }) => sum + average, 0)
  const idle = seconds * all.reduce((sum, { processor }) => sum + processor.watts.idle, 0)
  return {
    joulesPerRequest: joules / Math.max(1, answers),
    idleJoules: idle / Math.max(1, answers),
    requestsPerJoule: joules > 0 ? answers / joules : 0,
    watts,
  }
}
