import type { Decision } from './decision.ts'
import type { Place } from './plan.ts'
import type { Platform } from './platform.ts'

/**
 * A placement that needs the first few cards alone, repeated on the others (PA-18): copy i of logical card d is card d + i · n where n are needed, so
 * that each part is on as many cards as there are copies. Those with most copies first; the last is the placement as it was. Only that where a
 * part has several cards already.
 */
export function saturate(decision: Decision, { cards }: Platform): readonly Decision[] {
  const places = [...decision.places.values()]
  const needed = Math.max(0, ...places.flatMap((place) => (place === 'host' ? [] : place.map((card) => card + 1))))
  const isSingle = places.every((place) => place === 'host' || place.length === 1)
  const most = isSingle && needed > 0 ? Math.max(1, Math.floor(cards.length / needed)) : 1
  return Array.from({ length: most }, (_, i): Decision => {
    const copies = most - i
    if (copies === 1) return decision
    const repeat = (place: Place): Place =>
      place === 'host' ? place : Array.from({ length: copies }, (_, copy) => place[0]! + copy * needed)
    return { ...decision, places: new Map([...decision.places].map(([name, place]) => [name, repeat(place)])) }
  })
}
