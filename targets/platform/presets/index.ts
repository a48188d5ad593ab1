import { type DescribedPlatform, describePlatform } from '../read.ts'
import type { PlatformFile } from '../schema.ts'
import { sixCards, sixCardsOf8, sixCardsOf10 } from './sixCards.ts'

/** Files that come with the program; a platform of one's own starts as a copy of one. */
export const presets = {
  'six-cards': sixCards,
  'six-cards-10': sixCardsOf10,
  'six-cards-8': sixCardsOf8,
} as const satisfies Readonly<Record<string, PlatformFile>>

export type PresetName = keyof typeof presets

export const isPresetName = (name: string): name is PresetName => Object.hasOwn(presets, name)

export const loadPreset = (name: PresetName): DescribedPlatform => describePlatform(presets[name], `preset '${name}'`)
