import type { Card, CardOptions } from '../card.ts'
import { createNativeCard } from './native.ts'
import { createPortableCards } from './portable.ts'

/** Cards of one model in this process: native code on its threads, all else in a worker thread for each card. */
export function createWorkerCards(all: readonly CardOptions[], peerToPeer = true): readonly Card[] {
  const isNative = ({ parts }: CardOptions) => parts.every(({ loaded }) => loaded.chosen.kind === 'addon')
  const cards = new Map<number, Card>()
  const native = all.filter(isNative)
  const portable = all.filter((options) => !isNative(options))
  const find = (index: number) => (peerToPeer ? cards.get(index) : undefined)
  for (const options of native) cards.set(options.index, createNativeCard(options, find))
  for (const card of createPortableCards(portable, peerToPeer)) cards.set(card.index, card)
  return all.map(({ index }) => cards.get(index)!)
}
