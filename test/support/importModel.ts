import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type { ModelGraph } from '../../compiler/graph/index.ts'

const root = process.env.GLOWPLUG_ROOT!

/** Where a module of TypeScript stands, for the weights beside it: bundling would move it. */
const ownAddress: Plugin = {
  name: 'own-address',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/, namespace: 'file' }, async ({ path }) => {
      const { readFile } = await import('node:fs/promises')
      return {
        contents: (await readFile(path, 'utf8')).replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
        loader: 'ts',
      }
    })
  },
}

let count = 0

/**
 * Runs a model file as it is, without the plugin, as a unit test of a user would: its exports, and the way from a model among them to
 * its traced graphs.
 */
export async function importModel<M = Record<string, unknown>>(
  file: string,
): Promise<{ readonly module: M; readonly trace: (model: unknown) => ModelGraph }> {
  const { bundleOptions } = await import(pathToFileURL(join(root, 'plugin/build.mjs')).href)
  const folder = join(root, 'dist', `test-models-${process.pid}-${count++}`)
  mkdirSync(folder, { recursive: true })
  try {
    await build({
      ...bundleOptions,
      stdin: {
        contents: `export * as module from ${JSON.stringify(file)}; export { traceModel as trace } from './dsl/trace.ts'`,
        resolveDir: root,
        loader: 'ts',
      },
      alias: { glowplug: join(root, 'dsl/index.ts') },
      plugins: [ownAddress, ...bundleOptions.plugins],
      define: { GLOWPLUG_VERSION: '"test"' },
      outdir: folder,
      splitting: true,
      entryNames: 'entry',
    })
    const loaded = await import(pathToFileURL(join(folder, 'entry.js')).href)
    // The interpreter's chunk is loaded with the first run; it must be there after the folder is gone.
    for (const exported of Object.values(loaded.module)) await (exported as { ready?: () => Promise<void> })?.ready?.()
    return loaded
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
