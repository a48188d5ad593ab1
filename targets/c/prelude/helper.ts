/** A C function that kernels may call. It is printed when some printed text names it. */
export interface Helper {
  readonly name: string
  /** What it computes and how well. */
  readonly about: string
  readonly text: string
}

/** Helpers that `text` needs, directly or through others, in the order of `helpers`: each stands behind those it uses. */
export function neededHelpers(helpers: readonly Helper[], text: string): Helper[] {
  const byName = new Map(helpers.map((helper) => [helper.name, helper]))
  const needed = new Set<Helper>()
  const pending = [text]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const [name] of next.matchAll(/\bgp_\w+/g)) {
      const helper = byName.get(name)
      if (!helper || needed.has(helper)) continue
      needed.add(helper)
      pending.push(helper.text)
    }
  }
  return helpers.filter((helper) => needed.has(helper))
}
