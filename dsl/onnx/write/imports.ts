import { type Doc, group, indent, join, line, separated, whenBroken } from './document.ts'

/** One import of everything that is called, sorted as the linter sorts it. */
export function importsOf(used: ReadonlySet<string>): Doc {
  const plain = (name: string) => name.replace(/^type /, '')
  const sorted = [...used].sort((a, b) => compareNames(plain(a), plain(b)))
  return group(
    join('import {', indent(join(line, separated(sorted, join(',', line)))), whenBroken(','), line, "} from 'glowplug'"),
  )
}

/** Letter by letter, capitals before small ones, numbers by their value. */
function compareNames(a: string, b: string): number {
  const parts = (name: string): readonly string[] => name.match(/\d+|\D/g) ?? []
  const [left, right] = [parts(a), parts(b)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [l, r] = [left[i], right[i]]
    if (l === r) continue
    if (l === undefined || r === undefined) return l === undefined ? -1 : 1
    if (/\d/.test(l) && /\d/.test(r)) return Number(l) - Number(r)
    const [low, high] = [l.toLowerCase(), r.toLowerCase()]
    return (low === high ? l < r : low < high) ? -1 : 1
  }
  return 0
}
