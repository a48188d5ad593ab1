// Builds dist/ from the sources with esbuild, when it is older than they are. Part of the repository, not of the package.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const sourceRooms = ['dsl', 'plugin', 'compiler', 'targets']
const stamp = join(root, 'dist', '.built')

function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.name !== 'node_modules')
    .reduce((latest, entry) => Math.max(latest, newest(join(path, entry.name))), stat.mtimeMs)
}

/** `import text from './worker.ts?source'`: the module with all it imports, bundled and minified, as a string. */
const sourceText = {
  name: 'source-text',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\?source$/ }, ({ path, resolveDir }) => ({ path: resolve(resolveDir, path.slice(0, -'?source'.length)), namespace: 'source-text' }))
    onLoad({ filter: /.*/, namespace: 'source-text' }, async ({ path }) => {
      const result = await build({ ...common, entryPoints: [path], minify: true, write: false, plugins: [sourceText], metafile: true, absWorkingDir: root })
      const watchFiles = Object.keys(result.metafile.inputs).map((file) => join(root, file))
      return { contents: result.outputFiles[0].text, loader: 'text', watchFiles }
    })
  },
}

const common = { bundle: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external', legalComments: 'none', logLevel: 'warning' }

export const bundleOptions = { ...common, plugins: [sourceText], absWorkingDir: root }

/** Entry points of the package by the name of their file in dist/. */
const entries = {
  index: 'dsl/index.ts',
  esbuild: 'plugin/esbuild.ts',
  compiler: 'plugin/compile.ts',
  cli: 'plugin/cli.ts',
}

export async function buildDist({ force = false } = {}) {
  const sources = Math.max(...sourceRooms.map((room) => newest(join(root, room))), newest(join(root, 'package.json')))
  if (!force && existsSync(stamp) && Number(readFileSync(stamp, 'utf8')) === sources) return false
  for (const name of existsSync(join(root, 'dist')) ? readdirSync(join(root, 'dist')) : []) {
    if (name.endsWith('.js') || name.endsWith('.js.map')) rmSync(join(root, 'dist', name))
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const define = { GLOWPLUG_VERSION: JSON.stringify(version) }
  const entryPoints = Object.entries(entries)
    .filter(([, path]) => existsSync(join(root, path)))
    .map(([out, path]) => ({ in: join(root, path), out }))
  await Promise.all([
    build({ ...bundleOptions, define, entryPoints, outdir: join(root, 'dist'), splitting: true, chunkNames: '[name]-[hash]' }),
    existsSync(join(root, 'targets/runtime/index.ts')) && build({ ...bundleOptions, define, entryPoints: [join(root, 'targets/runtime/index.ts')], outfile: join(root, 'dist/runtime.js'), minify: true }),
  ])
  mkdirSync(join(root, 'dist'), { recursive: true })
  writeFileSync(stamp, String(sources))
  return true
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildDist({ force: process.argv.includes('--force') })
