// Bundles the fuzzer and runs it: `npm run fuzz -- --seconds 60 --seed 1`.
import { spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { bundleOptions, definitions, root } from '../../plugin/build.mjs'

const folder = join(root, 'dist', `fuzz-${process.pid}`)
mkdirSync(folder, { recursive: true })
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
await build({
  ...bundleOptions,
  define: { ...definitions(), GLOWPLUG_VERSION: '"test"' },
  entryPoints: [join(root, 'test/fuzz/main.ts')],
  outdir: folder,
  sourcemap: 'inline',
})
const child = spawn(process.execPath, ['--enable-source-maps', join(folder, 'main.js'), ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, GLOWPLUG_ROOT: root },
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('close', (status, signal) => process.exit(signal ? 1 : status))
