// What a name that nothing has may have been meant to be.

/** `; did you mean 'stride'?` when one of the names is close. */
export function suggestion(wrong: string, names: readonly string[]): string {
  const near = closest(wrong, names, 1)
  return near.length > 0 ? `; did you mean '${near[0]}'?` : ''
}

/** The names nearest to `wrong` by edits, nearest first; none when all are far. */
export function closest(wrong: string, names: readonly string[], count: number): string[] {
  const text = wrong.slice(0, 200)
  const limit = Math.max(1, Math.floor(text.length * 0.4))
  return names
    .map((name) => ({ name, distance: editDistance(text.toLowerCase(), name.slice(0, 200).toLowerCase(), limit) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name)
}

/** Levenshtein distance; gives up with Infinity beyond `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (a[i] === b[j] ? 0 : 1)))
    if (Math.min(...next) > limit) return Number.POSITIVE_INFINITY
    row = next
  }
  return row.at(-1)!
}
