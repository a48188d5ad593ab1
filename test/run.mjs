// Runs test files: `node test/run.mjs [--update] [--fuzz[=factor[:seed]]] [--sanitize] [part of a path …]`. Builds dist/ and the tests
// first, two files at a time. `--update` rewrites expectations; `--fuzz` draws more cases of each property, 5 times as many unless told;
// `--sanitize` runs, in place of all tests, those under sanitizers.
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { build } from 'esbuild'
import { buildDist, bundleOptions, definitions, root } from '../plugin/build.mjs'
import { sanitizeJobs } from './sanitize/jobs.mjs'

const patterns = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const fuzz = process.argv.find((argument) => /^--fuzz(=|$)/.test(argument))
const [factor = '5', seed = String(Math.floor(Math.random() * 1e6))] = fuzz?.split('=')[1]?.split(':') ?? []
const environment = {
  ...process.env,
  GLOWPLUG_ROOT: root,
  // Expected texts are plain; some continuous integration asks for colours even where nobody looks.
  NO_COLOR: '1',
  ...(process.argv.includes('--update') ? { GLOWPLUG_UPDATE: '1' } : {}),
  ...(fuzz ? { GLOWPLUG_FUZZ: `${factor}:${seed}` } : {}),
}
if (fuzz) console.log(`the same again: --fuzz=${factor}:${seed}`)

function findTests(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : findTests(path)
    return entry.name.endsWith('.test.ts') ? [path] : []
  })
}

const total = { passed: 0, failed: 0, skipped: 0 }

function chooseJobs() {
  const found = findTests(join(root, 'test'))
    // Only properties that draw by `test/support/draw.ts` draw more.
    .filter((path) => !fuzz || readFileSync(path, 'utf8').includes('/support/draw.ts'))
    .map((path) => relative(join(root, 'test'), path))
    .sort()
    .map((file) => ({ file, label: file, environment: {} }))
  if (!process.argv.includes('--sanitize')) return found
  const { jobs, skipped } = sanitizeJobs()
  for (const line of skipped) console.log(`     ${line}`)
  total.skipped += skipped.length
  return jobs
}

const jobs = chooseJobs().filter(
  ({ file }) => patterns.length === 0 || patterns.some((pattern) => join('test', file).includes(pattern)),
)
const files = [...new Set(jobs.map(({ file }) => join(root, 'test', file)))]
if (files.length === 0 && total.skipped === 0) {
  console.error(`no test file matches ${patterns.join(' ')}`)
  process.exit(1)
}

await buildDist()
const outdir = join(root, 'dist', `test-${process.pid}`)
mkdirSync(outdir, { recursive: true })
await build({
  ...bundleOptions,
  define: { ...definitions(), GLOWPLUG_VERSION: '"test"' },
  entryPoints: files,
  outdir,
  outbase: join(root, 'test'),
  splitting: true,
  sourcemap: 'inline',
  external: ['glowplug', 'glowplug/*'],
})

function runFile({ file, label, environment: own }) {
  return new Promise((done) => {
    const started = performance.now()
    const child = spawn(process.execPath, ['--enable-source-maps', join(outdir, file.replace(/\.ts$/, '.js'))], {
      cwd: root,
      env: { ...environment, ...own },
    })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('close', (status) => {
      const count = (label) =>
        [...output.matchAll(new RegExp(`${label}:\\s+(\\d+)`, 'g'))].reduce((sum, match) => sum + Number(match[1]), 0)
      const [all, passed] = [count('Total'), count('Passed')]
      // Behind the marks of tests that have ended.
      const lines = output.split('\n').map((line) => line.replace(/^(?:[•✘] )+/, ''))
      const absent = lines.filter((line) => line.startsWith('skipped: '))
      const skipped = count('Skipped') + absent.length
      const failed = Math.max(all - passed, status === 0 && all + skipped > 0 ? 0 : 1)
      total.passed += passed
      total.skipped += skipped
      total.failed += failed
      console.log(
        `${failed > 0 ? 'FAIL' : 'ok  '} ${label}  ${passed} passed${skipped ? `, ${skipped} skipped` : ''}  ${((performance.now() - started) / 1000).toFixed(1)} s`,
      )
      if (failed > 0 || patterns.length > 0) console.log(output)
      else for (const line of absent) console.log(`     ${line}`)
      done()
    })
  })
}

const pending = [...jobs]
await Promise.all(
  Array.from({ length: Math.min(2, availableParallelism()) }, async () => {
    for (let job = pending.shift(); job; job = pending.shift()) await runFile(job)
  }),
)
rmSync(outdir, { recursive: true, force: true })
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
// Where everything is meant to be present, a test that could not run is a test that failed.
const skipsFail = Boolean(process.env.CI) && process.env.CI !== 'false'
process.exit(total.failed > 0 || (skipsFail && total.skipped > 0) ? 1 : 0)
