// Takes what `suite.mjs --json` wrote into `results.json`, from which the coverage page is made:
// `node test/onnx/coverage/take.mjs suite|matrix interpreter|wasm|native <json of suite.mjs>`.
// `suite` are the backend node tests, run with `--all`; `matrix` the models that `matrix.py` writes.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const [kind, target, file] = process.argv.slice(2)
if (!['suite', 'matrix'].includes(kind) || !['interpreter', 'wasm', 'native'].includes(target) || !file) {
  console.error('usage: node test/onnx/coverage/take.mjs suite|matrix interpreter|wasm|native <json>')
  process.exit(2)
}
const place = new URL('results.json', import.meta.url)
const results = existsSync(place) ? JSON.parse(readFileSync(place, 'utf8')) : { suite: {}, matrix: {} }
const outcomes = Object.entries(JSON.parse(readFileSync(file, 'utf8')))
const sorted = (record) => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
const short = (reason = '') =>
  reason
    .replace(/^one node cannot be imported:\s*/, '')
    .replace(/\s+/g, ' ')
    .slice(0, 240)

/** Cases by operator: passed, of how many, of those that onnxruntime passes, of how many; and which do not pass. */
function suite() {
  const [operators, misses, outside] = [{}, {}, {}]
  for (const [name, outcome] of outcomes) {
    const passed = outcome.status === 'passed'
    if (outcome.outside) {
      const why = /^operators? /.test(outcome.outside) ? 'operators' : outcome.outside.replace(/^element type (\d+)$/, 'type $1')
      outside[why] ??= [0, 0]
      outside[why][1]++
      if (passed) outside[why][0]++
      continue
    }
    operators[outcome.operator] ??= [0, 0, 0, 0]
    const counts = operators[outcome.operator]
    counts[1]++
    if (passed) counts[0]++
    if (outcome.onnxruntime) counts[3]++
    if (passed && outcome.onnxruntime) counts[2]++
    if (!passed) misses[name] = { onnxruntime: outcome.onnxruntime, reason: short(outcome.reason) }
  }
  return { operators: sorted(operators), misses: sorted(misses), outside: sorted(outside) }
}

/** By operator: the element types that compute right, and why others do not. */
function matrix() {
  const operators = {}
  for (const [name, outcome] of outcomes) {
    const [operator, type] = name.split('__')
    operators[operator] ??= { right: [], wrong: {} }
    if (outcome.status === 'passed') operators[operator].right.push(type)
    else operators[operator].wrong[type] = short(outcome.reason)
  }
  return sorted(operators)
}

results[kind][target] = kind === 'suite' ? suite() : matrix()
writeFileSync(
  place,
  `${JSON.stringify(results, null, 1).replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, list) => `[${list.replace(/\s+/g, ' ')}]`)}\n`,
)
