import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const textFiles = (folder, root = folder) =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name)
        return entry.isDirectory() ? textFiles(path, root) : [relative(root, path)]
      })
    : []

const order = ['errors', 'failure', 'graph', 'optimised', 'lowered', 'layout', 'kernels', 'instructions', 'memory']
const rank = (stage) => (order.includes(stage) ? order.indexOf(stage) : order.length)

/**
 * What differs between two dumps: for each model, entry and target the stages that do, in the order of the pipeline. What follows the first
 * differs because of it. `state` is `changed`, `new` or `gone`.
 */
export function compareDumps(before, after) {
  const [old, now] = [new Set(textFiles(before)), new Set(textFiles(after))]
  const groups = new Map()
  for (const file of [...new Set([...old, ...now])].sort()) {
    const at = file.lastIndexOf('/')
    const [where, stage] = [file.slice(0, at), file.slice(at + 1).replace(/\.txt$/, '')]
    const state = !old.has(file) ? 'new' : !now.has(file) ? 'gone' : 'changed'
    if (state === 'changed' && readFileSync(join(before, file), 'utf8') === readFileSync(join(after, file), 'utf8')) continue
    groups.set(where, [...(groups.get(where) ?? []), { stage, state, file }])
  }
  const differences = [...groups].map(([where, stages]) => ({
    where,
    stages: stages.sort((a, b) => rank(a.stage) - rank(b.stage)),
  }))
  return { files: new Set([...old, ...now]).size, differences }
}

/** One line for each group, then a verdict. */
export function describeDumps({ files, differences }) {
  const lines = differences.map(({ where, stages }) => {
    const [first, ...rest] = stages
    const also = rest.length > 0 ? `; then ${rest.map(({ stage }) => stage).join(', ')}` : ''
    return `${where}: ${first.stage} is ${first.state}${also}`
  })
  const count = differences.reduce((sum, { stages }) => sum + stages.length, 0)
  lines.push(count === 0 ? `${files} texts, all equal` : `${count} of ${files} texts differ`)
  return lines
}
