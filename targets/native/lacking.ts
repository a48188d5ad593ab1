import { readFileSync } from 'node:fs'
import { hostPlatform } from './candidates.ts'
import type { NativeLevel, PlatformName } from './levels.ts'

/** Linux calls one extension otherwise. */
const otherNames: Readonly<Record<string, string>> = { sse3: 'pni' }

/** What this machine lacks to run code of a level: extensions of the processor, or the platform. */
export function lackingHere(platform: PlatformName, { needs }: NativeLevel): readonly string[] {
  if (platform !== hostPlatform) return [platform]
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1] ?? ''
  const has = new Set(line.split(' '))
  return needs.filter((feature) => !has.has(feature) && !has.has(otherNames[feature] ?? feature))
}
