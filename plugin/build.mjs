// Builds dist/ from the sources with esbuild, when their contents changed. Part of the repository, not of the package.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const sourceRooms = ['dsl', 'plugin', 'compiler', 'targets']
const dist = join(root, 'dist')
const stamp = join(dist, '.built')

const toSlashes = (path) => path.replaceAll('\\', '/')

function filesOf(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesOf(path)
    return entry.name.endsWith('.md') ? [] : [path]
  })
}

/** One digest of all sources: what dist/ was built from, and the part of the cache key that tells builds of one version apart. */
function digestSources() {
  const hash = createHash('sha256')
  const files = [...sourceRooms.flatMap((room) => filesOf(join(root, room))), join(root, 'package.json')].sort()
  for (const file of files)
    hash
      .update(`${toSlashes(relative(root, file))}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex').slice(0, 16)
}

/** What bundlers put into programs keeps its lines and names: Node prints the line of an error that nobody catches. They minify it, if anything. */
const readable = { minifySyntax: true }

/**
 * `import text from './worker.ts?source'`: the module with all it imports, bundled and minified, as a string. `?module` keeps lines and names, for what
 * is written as a file.
 */
const sourceText = {
  name: 'source-text',
  setup({ onResolve, onLoad }) {
    // Relative paths: esbuild writes them into comments.
    onResolve({ filter: /\?(source|module)$/ }, ({ path, resolveDir }) => ({
      path: toSlashes(relative(root, resolve(resolveDir, path.slice(0, -'?source'.length)))),
      namespace: 'source-text',
      pluginData: path.endsWith('?module') ? readable : { minify: true },
    }))
    onLoad({ filter: /.*/, namespace: 'source-text' }, async ({ path, pluginData: how }) => {
      const result = await build({ ...bundleOptions, entryPoints: [path], ...how, write: false, metafile: true })
      const watchFiles = Object.keys(result.metafile.inputs).map((file) => join(root, file))
      return { contents: result.outputFiles[0].text, loader: 'text', watchFiles }
    })
  },
}

/** `import text from './pool.c?text'`: the file as it is, as a string. */
const fileText = {
  name: 'file-text',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\?text$/ }, ({ path, resolveDir }) => ({
      path: toSlashes(relative(root, resolve(resolveDir, path.slice(0, -'?text'.length)))),
      namespace: 'file-text',
    }))
    onLoad({ filter: /.*/, namespace: 'file-text' }, ({ path }) => ({
      contents: readFileSync(join(root, path), 'utf8'),
      loader: 'text',
      watchFiles: [join(root, path)],
    }))
  },
}

const common = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  legalComments: 'none',
  logLevel: 'warning',
}

export const bundleOptions = { ...common, plugins: [sourceText, fileText], absWorkingDir: root }

/** Values that stand in for names in the sources. */
export function definitions(sources = digestSources()) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return { GLOWPLUG_VERSION: JSON.stringify(version), GLOWPLUG_SOURCES: JSON.stringify(sources) }
}

/** Entry points of the package by the name of their file in dist/; they share chunks. The loaders stand alone, for bundlers to inline. */
const entries = {
  index: 'dsl/index.ts',
  esbuild: 'plugin/esbuild.ts',
  vite: 'plugin/vite.ts',
  rollup: 'plugin/rollup.ts',
  rolldown: 'plugin/rolldown.ts',
  webpack: 'plugin/webpack.ts',
  rspack: 'plugin/rspack.ts',
  // Not exported: webpack and Rspack ask for the functions that load modules as files.
  modelLoader: 'plugin/modelLoader.ts',
  assetLoader: 'plugin/assetLoader.ts',
  compiler: 'plugin/compile.ts',
  onnx: 'dsl/onnx/index.ts',
  cli: 'plugin/cli.ts',
}
const loaders = {
  runtime: 'targets/runtime/index.ts',
  browser: 'targets/runtime/browser.ts',
  serve: 'targets/runtime/serve/index.ts',
}

/** Builds beside dist/, then moves file by file into it: whoever runs from dist/ meanwhile finds every file, old or new. */
export async function buildDist({ force = false } = {}) {
  const sources = digestSources()
  if (!force && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return false
  const outdir = join(dist, `.build-${process.pid}`)
  const define = definitions(sources)
  mkdirSync(outdir, { recursive: true })
  try {
    await Promise.all([
      build({ ...bundleOptions, define, entryPoints: entries, outdir, splitting: true, chunkNames: '[name]-[hash]' }),
      build({ ...bundleOptions, define, entryPoints: loaders, outdir, ...readable }),
    ])
    const built = readdirSync(outdir)
    for (const name of built) renameSync(join(outdir, name), join(dist, name))
    for (const name of readdirSync(dist))
      if (name.endsWith('.js') && !built.includes(name)) rmSync(join(dist, name), { force: true })
    writeFileSync(stamp, sources)
  } finally {
    rmSync(outdir, { recursive: true, force: true })
  }
  return true
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildDist({ force: process.argv.includes('--force') })
