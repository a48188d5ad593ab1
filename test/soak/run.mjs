// Bundles the soak and runs it: `npm run soak -- --minutes 30 --seed 1`.
import { spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { bundleOptions, definitions, root } from '../../plugin/build.mjs'

const folder = join(root, 'dist', `soak-${process.pid}`)
mkdirSync(folder, { recursive: true })
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
await build({
  ...bundleOptions,
  define: { ...definitions(), GLOWPLUG_VERSION: '"test"' },
  entryPoints: [join(root, 'test/soak/main.ts')],
  outdir: folder,
  sourcemap: 'inline',
})
const child = spawn(
  process.execPath,
  ['--enable-source-maps', '--expose-gc', join(folder, 'main.js'), ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    // Threads that come and go leave glibc an arena each, whose free memory it keeps: with one arena what is weighed is what is held.
    env: { ...process.env, MALLOC_ARENA_MAX: '1', GLOWPLUG_ROOT: root },
  },
)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('close', (status, signal) => process.exit(signal ? 1 : status))
