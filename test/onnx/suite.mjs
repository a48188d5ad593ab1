// Scores the importer by the backend node tests of ONNX, which are not part of this repository:
// `node test/onnx/suite.mjs <folder> [--only regex] [--target interpreter|source|native|wasm] [--list] [--json file] [--all]`.
// `<folder>/node/<case>/` holds `model.onnx` and `test_data_set_0`; `<folder>/ort.json`, where there is one, says `"ok"` for each case that
// onnxruntime passes. Target `source` reads the generated module and runs what it says. `--list` names cases and says what is in scope; `--all` runs and lists those out of scope too.
import { fork } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { bundleOptions, definitions, root } from '../../plugin/build.mjs'
import { firstOpset, lastOpset, operators } from './suite/operators.mjs'

const words = process.argv.slice(2)
const take = (name) => {
  const at = words.indexOf(name)
  return at < 0 ? undefined : words.splice(at, 2)[1]
}
const flag = (name) => words.includes(name) && words.splice(words.indexOf(name), 1).length > 0
const only = new RegExp(take('--only') ?? '')
const target = take('--target') ?? 'interpreter'
const json = take('--json')
const [list, all] = [flag('--list'), flag('--all')]
const [folder] = words
if (!folder || words.length > 1 || !['interpreter', 'source', 'native', 'wasm'].includes(target)) {
  console.error(
    'usage: node test/onnx/suite.mjs <folder> [--only regex] [--target interpreter|source|native|wasm] [--list] [--all] [--json file]',
  )
  process.exit(2)
}
const node = join(folder, 'node')
const ort = existsSync(join(folder, 'ort.json')) ? JSON.parse(readFileSync(join(folder, 'ort.json'), 'utf8')) : {}

/** Cases that go to a process at once, and the milliseconds it may take for each and for all. */
const { batch, each, together } = {
  interpreter: { batch: 8, each: 20_000, together: 0 },
  source: { batch: 8, each: 20_000, together: 0 },
  native: { batch: 48, each: 5_000, together: 240_000 },
  wasm: { batch: 48, each: 5_000, together: 240_000 },
}[target]

const out = join(root, 'dist', `suite-${process.pid}`)
mkdirSync(out, { recursive: true })
process.on('exit', () => rmSync(out, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))
await build({
  ...bundleOptions,
  define: { ...definitions(), GLOWPLUG_VERSION: '"test"' },
  entryPoints: { worker: join(root, 'test/onnx/suite/worker.ts') },
  outdir: out,
  splitting: true,
  sourcemap: 'inline',
})

/** Asks a fresh or given process, for at most so long; resolves to `{ answer }` or `{ died, running }`. */
function ask(worker, message, limit) {
  return new Promise((done) => {
    let running
    const timer = setTimeout(() => finish({ died: 'takes too long', running }), limit)
    const onExit = (status, signal) => finish({ died: `the process ended with ${signal ?? status}`, running })
    const onMessage = (answer) => {
      if (answer.running) running = answer.running
      else finish({ answer })
    }
    function finish(result) {
      clearTimeout(timer)
      worker.off('exit', onExit)
      worker.off('message', onMessage)
      if (result.died) worker.kill('SIGKILL')
      done(result)
    }
    worker.on('exit', onExit)
    worker.on('message', onMessage)
    worker.send(message)
  })
}

const start = () =>
  fork(join(out, 'worker.js'), {
    execArgv: ['--enable-source-maps', '--max-old-space-size=2048'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, GLOWPLUG_ROOT: root },
  })

const first = start()
const { answer, died } = await ask(first, { describe: node }, 120_000)
if (died) throw new Error(`reading ${node}: ${died}`)
first.kill()

/** Why a case is not scored, or undefined. */
function outside({ name, operators: used, opset, training, other }) {
  const beyond = used.filter((op) => !operators.has(op) && !['Cast', 'Constant'].includes(op))
  if (beyond.length > 0) return `operators ${beyond.join(', ')}`
  if (opset > 0 && (opset < firstOpset || opset > lastOpset)) return `opset ${opset}`
  if (training || name.startsWith('test_training_')) return 'training'
  return other
}

const cases = answer.described.filter(({ name }) => only.test(name)).map((found) => ({ ...found, outside: outside(found) }))
if (list) {
  for (const each of cases)
    console.log(
      `${each.name}  ${each.operators.join(' ')}  opset ${each.opset}${each.outside ? `  out of scope: ${each.outside}` : ''}`,
    )
  process.exit()
}

const chosen = cases.filter((found) => all || !found.outside)
const outcomes = new Map()
const jobs = []
for (let i = 0; i < chosen.length; i += batch) jobs.push(chosen.slice(i, i + batch).map(({ name }) => name))

async function serve() {
  let worker = start()
  for (let names = jobs.shift(); names; names = jobs.shift()) {
    const result = await ask(worker, { run: { folder: node, names, target } }, together + each * names.length)
    if (result.answer) {
      for (const outcome of result.answer.outcomes) outcomes.set(outcome.name, outcome)
      continue
    }
    worker = start()
    if (names.length === 1) outcomes.set(names[0], { name: names[0], status: 'failed', reason: result.died })
    else if (result.running) {
      // The one that was at work alone, the others again together.
      jobs.unshift(
        [result.running],
        names.filter((name) => name !== result.running),
      )
    } else jobs.unshift(names.slice(0, names.length >> 1), names.slice(names.length >> 1))
  }
  worker.kill()
}
await Promise.all([serve(), serve()])

/** An expanded function is scored under the function's operator. */
const byName = new Map(answer.described.map((found) => [found.name, found]))
function groupOf({ name, operators: used }) {
  const whole = byName.get(name.replace(/_expanded.*$/, ''))
  if (whole && whole.name !== name) return `${whole.operators.join(' ')} (expanded)`
  return used.length > 3 ? 'several' : used.join(' ')
}

const groups = new Map()
const total = { scored: 0, passed: 0, failed: 0, unsupported: 0, ort: 0, both: 0, bound: 0, bonus: 0 }
const failing = []
for (const found of chosen) {
  const outcome = outcomes.get(found.name)
  const passed = outcome.status === 'passed'
  if (found.outside) {
    if (passed) total.bonus++
    continue
  }
  const group = groups.get(groupOf(found)) ?? { scored: 0, passed: 0, ort: 0, both: 0 }
  groups.set(groupOf(found), group)
  const ok = ort[found.name] === 'ok'
  for (const count of [total, group]) {
    count.scored++
    if (passed) count.passed++
    if (ok) count.ort++
    if (ok && passed) count.both++
  }
  if (passed && outcome.bound?.length > 0) total.bound++
  if (!passed) {
    total[outcome.status === 'unsupported' ? 'unsupported' : 'failed']++
    failing.push(
      `${ok ? 'ort ' : '    '} ${found.name}  ${outcome.status}: ${outcome.reason
        .split('\n')
        .map((line) => line.trim())
        .join(' ')
        .slice(0, 400)}`,
    )
  }
}
for (const line of failing) console.log(line)
if (all)
  for (const found of chosen.filter(({ outside }) => outside)) {
    const { status, reason = '' } = outcomes.get(found.name)
    if (status !== 'passed')
      console.log(`out  ${found.name}  (${found.outside}) ${status}: ${reason.replace(/\s+/g, ' ').slice(0, 200)}`)
  }
console.log('\noperator: passed of cases · of those that onnxruntime passes')
for (const [name, { scored, passed, ort, both }] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1)))
  if (passed < scored) console.log(`  ${name}: ${passed} / ${scored} · ${both} / ${ort}`)
const percent = (part, whole) => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(2)} %`)
console.log(
  `\n${target}: ${total.passed} passed, ${total.failed} failed, ${total.unsupported} unsupported of ${total.scored} in scope (${percent(total.passed, total.scored)}); ${cases.length - cases.filter((found) => !found.outside).length} out of scope${all ? `, ${total.bonus} of them pass` : ''}`,
)
console.log(
  `${total.both} of the ${total.ort} that onnxruntime passes (${percent(total.both, total.ort)}); ${total.bound} of those that pass needed inputs known at import`,
)
if (json) {
  // `coverage/take.mjs` reads this.
  const rows = chosen.map((found) => {
    const { name, ...outcome } = outcomes.get(found.name)
    return [name, { ...outcome, operator: groupOf(found), outside: found.outside, onnxruntime: ort[name] === 'ok' }]
  })
  writeFileSync(json, JSON.stringify(Object.fromEntries(rows.sort(([a], [b]) => (a < b ? -1 : 1))), null, 1))
}
process.exit(total.passed === total.scored ? 0 : 1)
