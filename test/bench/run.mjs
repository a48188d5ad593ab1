// `npm run bench`: builds dist/ and the benchmark beside it, and starts it. `--help` says what it takes.
import { existsSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { buildDist, bundleOptions, definitions, root } from '../../plugin/build.mjs'

const home = dirname(fileURLToPath(import.meta.url))
const argv = process.argv.slice(2)
const looks = argv.some((argument) => /^--(list|help)$/.test(argument))
if (!looks && !existsSync(join(home, 'node_modules/onnxruntime-node/package.json'))) {
  console.error('the engines to measure against are not installed: npm ci --prefix test/bench')
  process.exit(2)
}

await buildDist()
// Below dist/, where the loader and the packages of the repository are found.
const built = join(root, 'dist', `bench-${process.pid}`)
process.on('exit', () => rmSync(built, { recursive: true, force: true }))
process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
const children = ['prepare', 'time', 'start', 'compile', 'call']
await build({
  ...bundleOptions,
  define: definitions(),
  entryPoints: {
    main: join(home, 'main.ts'),
    ...Object.fromEntries(children.map((name) => [name, join(home, `children/${name}.ts`)])),
  },
  outdir: built,
  splitting: true,
})
const { main } = await import(pathToFileURL(join(built, 'main.js')).href)
process.exitCode = await main(argv, { root, home, built })
