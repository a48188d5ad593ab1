// What a session saves: `node test/bench/session.mjs [--tokens 256] [--rounds 8]`. Tells a story of stories260k token by token, through a session and
// through the entry whose caches go in and out with every token, and prints microseconds of a token and bytes that one allocates. Fails below twice as fast.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { buildDist, bundleOptions, definitions, root } from '../../plugin/build.mjs'

const { values } = parseArgs({
  options: { tokens: { type: 'string', default: '256' }, rounds: { type: 'string', default: '8' } },
})
await buildDist()
const folder = join(root, 'dist', `bench-session-${process.pid}`)
mkdirSync(folder, { recursive: true })
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
await build({
  ...bundleOptions,
  define: definitions(),
  entryPoints: { session: join(root, 'test/bench/session.ts') },
  outdir: folder,
  splitting: true,
})
const { compareSessions, printCompared } = await import(pathToFileURL(join(folder, 'session.js')).href)
const rows = await compareSessions(join(root, 'fixtures/stories260k'), folder, Number(values.tokens), Number(values.rounds))
console.log(printCompared(rows))
process.exitCode = rows.every(({ stateless, run }) => stateless >= 2 * run) ? 0 : 1
